#!/bin/sh
# jail.sh ROOT HOME COMMAND... - runs a server that is unpacked in ROOT, not installed
#
# To be called in a mount namespace of its own.  ROOT/usr is laid over /usr; HOME/etc and
# ROOT/etc over /etc, HOME/etc/NAME.d-like folders stay writable from outside; HOME/var
# is /var.  Nothing outside HOME can be changed, but for /tmp.
set -eu
root=$1
home=$2
shift 2
mount -t overlay -o "lowerdir=$root/usr:/usr" overlay /usr
mount -t overlay -o "lowerdir=$home/etc:$root/etc:/etc" overlay /etc
for folder in "$home"/etc/*/; do
	[ ! -d "$folder" ] || mount --bind "$folder" "/etc/$(basename "$folder")"
done
mount --bind "$home/var" /var
mount -t tmpfs -o mode=755 tmpfs /run
cd /
exec "$@"
