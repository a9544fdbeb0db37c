#!/usr/bin/env python3
"""Fails where an #include goes against the direction of the folders.

src/<process> -> sys, lib; sys -> lib/base; a lib -> those above it in LIBS; processes
never include each other.  tests and fuzz may include what they test.
"""
import pathlib
import re
import sys

LIBS = ["base", "finding", "config", "pattern", "smtp", "milter", "dns", "http", "mime", "dkim",
        "origin", "content", "spam", "scanner", "policy", "packet", "notice"]


def room(path):
    """lib/smtp/x.h -> lib/smtp; sys/x.h -> sys; src/gateway/x.h -> src/gateway."""
    parts = path.split("/")
    return parts[0] if parts[0] == "sys" else "/".join(parts[:2])


def allowed(source, target):
    if source == target:
        return True
    if target.startswith("lib/"):
        place = LIBS.index(target[4:])
        if source.startswith("lib/"):
            return place < LIBS.index(source[4:])
        return target == "lib/base" if source == "sys" else source.startswith("src/")
    # the command line is part of the master's executable
    return source.startswith("src/") and target == "sys" or \
        {source, target} == {"src/master", "src/cli"}


def main(top, stamp):
    bad = []
    for path in sorted(pathlib.Path(top).glob("*/**/*.[ch]")):
        name = path.relative_to(top).as_posix()
        if name.split("/")[0] not in ("lib", "sys", "src"):
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
            if match and not allowed(room(name), room(match.group(1))):
                bad.append(f"{name}:{number}: {room(name)} may not include {match.group(1)}")
    print("\n".join(bad), file=sys.stderr, end="\n" if bad else "")
    if not bad:
        pathlib.Path(stamp).write_text("ok\n")
    return bool(bad)


sys.exit(main(*sys.argv[1:]))
