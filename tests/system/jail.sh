#!/bin/sh
# jail.sh ROOT HOME COMMAND... - runs a server that is unpacked in ROOT, not installed
#
# To be called as the first process of a process namespace and a mount namespace of its
# own.  ROOT/usr is laid over /usr, HOME/etc and ROOT/etc over /etc, and HOME/var is /var.
# The folders of HOME/etc and HOME/var can be changed from outside at any time.
#
# This shell stays: when it is killed, all processes of the namespace die with it, also
# those that changed their user.
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
"$@" &
trap 'kill -TERM $!' TERM
wait $! || wait $! || :
