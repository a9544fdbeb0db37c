#!/usr/bin/env python3
"""acceptance.py - what an inspector finds in mail that others have made to hide things.

    acceptance.py DIG SOURCE-DIR [-v]

The sets are archives in ../shared/corpora beside the project, and are unpacked to a
temporary directory; where they are absent the test is skipped (status 77).  Prints a table
and fails where a goal is missed.  -v: also the name of each mail of a test set that was
missed.  Of other people's mail neither text nor name is printed.
"""
from __future__ import annotations

import bz2
import gzip
import io
import json
import random
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections import Counter
from email.message import EmailMessage
from pathlib import Path

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
CORPORA = Path("../shared/corpora")
TEST_SETS = ["mime-is-broken", "mime-mime4j", "mime-mimetools", "mime-cpython",
             "mime-flanker", "mime-gmime", "mime-mimekit", "mime-pymilter",
             "mime-smtp-postfix"]
HAM = ["spamcorpus-spamassassin", "spamcorpus-lists-modern"]
MAIL_SECONDS = 6        # of CPU: the limit of 5 and what ends a step
SKIPPED = 77


class Table:
    def __init__(self):
        self.missed = 0

    def row(self, name: str, got: float, of: int, goal: float | None, most: bool = False):
        """goal: a share that must be reached; most: must not be passed."""
        share = got / of if of else 0.0
        good = goal is None or (share <= goal if most else share >= goal)
        self.missed += not good
        words = "" if goal is None else f"{'at most' if most else 'at least'} {goal:.1%}"
        print(f"{name:44} {got:6} of {of:5} {share:7.1%}  {words:16}"
              f"{'' if good else ' MISSED'}")


class Dig:
    def __init__(self, program: str, table: Table):
        self.program, self.table = program, table

    def run(self, name: str, files: list[Path], *options: str) -> dict[Path, dict]:
        """No crash, and each mail in bounded time."""
        seconds = time.monotonic()
        done = subprocess.run([self.program, *options], stdout=subprocess.PIPE, check=False,
                              input="".join(f"{f}\n" for f in files).encode())
        out = {Path(m["file"]): m for m in map(json.loads, done.stdout.splitlines())}
        if done.returncode != 0 or len(out) != len(files):
            print(f"{name}: status {done.returncode} after {len(out)} of {len(files)}")
            self.table.missed += 1
        slow = sorted(m["us"] for m in out.values())
        if slow:
            print(f"{name:44} {len(out):6} mails, CPU ms a mail: mean "
                  f"{sum(slow) / len(slow) / 1000:.2f}, p99 "
                  f"{slow[len(slow) * 99 // 100] / 1000:.1f}, most {slow[-1] / 1000:.1f}; "
                  f"{time.monotonic() - seconds:.1f} s")
            self.table.missed += slow[-1] > MAIL_SECONDS * 1e6
        return out


def unpack(source: Path, name: str, to: Path) -> Path | None:
    archive = source / CORPORA / (name + ".tar.gz")
    if not archive.exists():
        print(f"# {archive} is absent: skipped")
        return None
    with tarfile.open(archive) as tar:
        tar.extractall(to, filter="data")
    return to / name


def regular(root: Path) -> list[Path]:
    return [f for f in sorted(root.rglob("*")) if f.is_file()]


def has_eicar(mail: dict) -> bool:
    return "EICAR-Test-File" in mail["signatures"]


def payload(path: Path) -> str:
    match = re.search(rb"X-Payload-Id: (\S+)", path.read_bytes())
    return match.group(1).decode() if match else path.name


def hidden_content(dig: Dig, root: Path, tell: bool) -> None:
    mails = dig.run("hide-content", sorted(root.glob("hide-content.d/new/*")))
    fates = Counter()
    for path, mail in mails.items():
        fate = "found" if has_eicar(mail) else "ambiguous" if mail["ambiguous"] else "missed"
        fates[fate] += 1
        if tell and fate != "found":
            print(f"#   {fate}: {payload(path)} {path.name}")
    dig.table.row("hide-content: found", fates["found"], len(mails), 0.92)
    dig.table.row("hide-content: found or ambiguous", fates["found"] + fates["ambiguous"],
                  len(mails), 0.97)


def hidden_name(dig: Dig, root: Path, tell: bool) -> None:
    files = [f for f in sorted(root.glob("hide-filename.d/cur/*"))
             if not payload(f).endswith(".png")]        # a control, without a .zip
    mails = dig.run("hide-filename", files)
    seen = 0
    for path, mail in mails.items():
        good = any((a["name"].lower().endswith(".zip")
                    or "zip" in a["extensions"].split()) for a in mail["attachments"])
        seen += good
        if tell and not good:
            print(f"#   no .zip: {payload(path)} {path.name} "
                  f"{[a['name'] for a in mail['attachments']]}"
                  f"{' ambiguous' if mail['ambiguous'] else ''}")
    dig.table.row("hide-filename: .zip seen", seen, len(mails), 90 / 98)


def ham(dig: Dig, roots: list[Path]) -> None:
    files = [f for root in roots for f in regular(root) if f.parent.name != "spam"]
    mails = dig.run("ham", files, "-t")
    dig.table.row("ham: ambiguous", sum(m["ambiguous"] for m in mails.values()), len(mails),
                  0.003, most=True)
    dig.table.row("ham: a test signature", sum(map(has_eicar, mails.values())), len(mails),
                  0, most=True)


def bench(dig: Dig, source: Path, to: Path) -> None:
    subprocess.run([sys.executable, source / "bench/gencorpus.py", to / "bench"], check=True,
                   stdout=subprocess.DEVNULL)
    mails = dig.run("bench corpus", regular(to / "bench"), "-t")
    dig.table.row("bench corpus: ambiguous", sum(m["ambiguous"] for m in mails.values()),
                  len(mails), 0, most=True)


def wrapped(bomb: bytes, before: bool) -> bytes:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.org", "bomb"
    mail.set_content("Text.\n")
    parts = [(bomb, "bomb.zip"), (EICAR, "virus.bin")]
    for content, name in parts if before else reversed(parts):
        mail.add_attachment(content, "application", "octet-stream", filename=name)
    return mail.as_bytes()


def bombs(dig: Dig, root: Path, to: Path) -> None:
    samples = [f for f in regular(root) if f.suffix == ".zip" and f.name != "test.zip"]
    files = []
    for sample in samples:
        for before in (True, False):
            files.append(to / f"{sample.stem}.{'before' if before else 'behind'}.eml")
            files[-1].write_bytes(wrapped(sample.read_bytes(), before))
    mails = dig.run("archives-bombs beside EICAR", files)
    marked = {p: m["limit"] or
              any(a["broken"] or a["unscannable"] for a in m["attachments"])
              for p, m in mails.items()}
    for path, mail in mails.items():
        if not has_eicar(mail) or not marked[path]:
            print(f"#   {path.name}: EICAR {has_eicar(mail)}, marked {marked[path]}")
    dig.table.row("bombs: EICAR found", sum(map(has_eicar, mails.values())), len(mails), 1.0)
    dig.table.row("bombs: a limit or damage told", sum(marked.values()), len(mails), 1.0)


def crowds(dig: Dig, to: Path) -> None:
    """What eats time, bytes or members, many times over, before EICAR."""
    noise = bytes(random.Random(1).choices(b"abcdefgh", k=24 << 20))
    slow = bz2.compress(noise)
    many = io.BytesIO()
    with zipfile.ZipFile(many, "w") as archive:
        for n in range(6000):
            archive.writestr(f"{n}.txt", b"")
    page = gzip.compress(b"<p><a href='http://a.example/'>b</a>" * 1_200_000)
    crowd = {"slow.bz2": [slow] * 6, "many.zip": [many.getvalue()] * 15,
             "page.html.gz": [page] * 5,
             "all": [slow, many.getvalue(), page] * 3}
    files = []
    for name, contents in crowd.items():
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.org", name
        mail.set_content("Text.\n")
        for content in [*contents, EICAR]:
            mail.add_attachment(content, "application", "octet-stream", filename=name)
        files.append(to / f"{name}.eml")
        files[-1].write_bytes(mail.as_bytes())
    mails = dig.run("crowds before EICAR", files, "-t")
    dig.table.row("crowds: EICAR found", sum(map(has_eicar, mails.values())), len(mails), 1.0)
    dig.table.row("crowds: a limit told", sum(m["limit"] for m in mails.values()),
                  len(mails), 1.0)
    for path, mail in mails.items():
        print(f"#   {path.name}: {mail['us'] / 1e6:.1f} s, EICAR {has_eicar(mail)}")


def run(program: str, source: Path, to: Path, tell: bool) -> int:
    roots = {n: unpack(source, n, to) for n in [*TEST_SETS, *HAM, "archives-bombs"]}
    if not any(roots.values()):
        return SKIPPED
    table = Table()
    dig = Dig(program, table)
    if root := roots["mime-is-broken"]:
        hidden_content(dig, root, tell)
        hidden_name(dig, root, tell)
    if found := [roots[name] for name in HAM if roots[name]]:
        ham(dig, found)
    bench(dig, source, to)
    if root := roots["archives-bombs"]:
        bombs(dig, root, to)
    crowds(dig, to)
    for name in TEST_SETS:
        if roots[name]:
            dig.run(name, regular(roots[name]))
    print(f"{table.missed} goals missed" if table.missed else "all goals met")
    return 1 if table.missed else 0


def main() -> int:
    with tempfile.TemporaryDirectory() as to:
        return run(sys.argv[1], Path(sys.argv[2]), Path(to), "-v" in sys.argv[3:])


if __name__ == "__main__":
    sys.exit(main())
