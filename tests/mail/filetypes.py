#!/usr/bin/env python3
"""Runs the table of file types over the samples of filetypes.tsv.

    filetypes.py FILETYPE [-c BYTES] [-v]

Prints how many are right, an accepted alias or broader type, and wrong; names the wrong
ones; fails below 97 %.  The samples are unpacked to a temporary folder.
"""
import argparse
import binascii
import collections
import pathlib
import subprocess
import sys
import tarfile
import tempfile

CORPORA = pathlib.Path(__file__).resolve().parents[2].parent / "shared" / "corpora"
ENOUGH = 0.97
SKIPPED = 77


def rows(table):
    for line in table.read_text().splitlines():
        if not line.startswith("#"):
            path, right, accepted = (line + "\t").split("\t")[:3]
            yield path, right.lower(), [a for a in accepted.lower().split(",") if a]


def uudecode(data):
    """The bytes of a .uu file; lines that are damaged are cut short, as uudecode does."""
    out, inside = [], False
    for line in data.splitlines():
        if line.startswith(b"begin "):
            inside = True
        elif line == b"end":
            break
        elif inside and line:
            wanted = (((line[0] - 32) & 63) * 4 + 5) // 3
            try:
                out.append(binascii.a2b_uu(line))
            except binascii.Error:
                out.append(binascii.a2b_uu(line[:wanted]))
    return b"".join(out)


def unpack(names, folder):
    for name in names:
        with tarfile.open(CORPORA / f"{name}.tar.gz") as archive:
            archive.extractall(folder)


def sample(folder, path):
    file = folder / path
    if file.suffix == ".uu":
        plain = file.with_suffix(".decoded")
        plain.write_bytes(uudecode(file.read_bytes()))
        return plain
    return file


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("filetype")
    parser.add_argument("-c", "--cut", help="show only this many bytes of each end")
    parser.add_argument("-v", "--verbose", action="store_true", help="name accepted ones too")
    args = parser.parse_args()
    table = CORPORA / "filetypes.tsv"
    if not table.exists():
        print("skipped: the shared corpora are not here")
        return SKIPPED
    wanted = list(rows(table))
    counts = collections.Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        unpack(sorted({path.split("/")[0] for path, _, _ in wanted}), folder)
        files = [sample(folder, path) for path, _, _ in wanted]
        command = [args.filetype] + (["-c", args.cut] if args.cut else [])
        said = subprocess.run(command, input="".join(f"{f}\n" for f in files), text=True,
                              stdout=subprocess.PIPE, check=True).stdout.splitlines()
    for (path, right, accepted), line in zip(wanted, said, strict=True):
        kind, media = line.split("\t")[1:]
        media = media.lower()
        verdict = "right" if media == right else "accepted" if media in accepted else "wrong"
        counts[verdict] += 1
        if verdict == "wrong" or args.verbose and verdict == "accepted":
            print(f"{verdict}: {path}: {kind} ({media}), not {right}")
    total = len(wanted)
    good = counts["right"] + counts["accepted"]
    print(f"{total} samples: {counts['right']} right, {counts['accepted']} accepted, "
          f"{counts['wrong']} wrong: {100 * good / total:.1f} %")
    return 0 if good >= ENOUGH * total else 1


if __name__ == "__main__":
    sys.exit(main())
