#!/usr/bin/env python3
"""suites.py - lib/mime against test suites that others wrote.

    suites.py MIMEDUMP SOURCE-DIR

The suites are archives in ../shared/corpora beside the project, and are unpacked to a
temporary directory.  Where they are absent the test is skipped (status 77).  What differs
from a suite's expectation stands in differences.txt with its reason; a difference that is
not listed fails the test, and so does one that is listed and has gone.
"""
from __future__ import annotations

import json
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
import zlib
from collections import Counter
from pathlib import Path

EICAR = b"EICAR-STANDARD-ANTIVIRUS-" + b"TEST-FILE"
CORPORA = Path("../shared/corpora")
SETS = ["mime-mime4j", "mime-mimetools", "mime-is-broken", "mime-cpython", "mime-flanker",
        "mime-gmime", "mime-mimekit", "mime-pymilter", "mime-smtp-postfix"]
HAM = ["spamcorpus-spamassassin", "spamcorpus-lists-modern"]
SECONDS_A_BATCH = 120
MIMEDUMP = ""


def unpack(source: Path, name: str, to: Path) -> Path | None:
    archive = source / CORPORA / (name + ".tar.gz")
    if not archive.exists():
        print(f"# {archive} is absent: skipped")
        return None
    with tarfile.open(archive) as tar:
        tar.extractall(to, filter="data")
    return to / name


def dump(files: list[Path], content: bool = True) -> dict[Path, dict]:
    out = {}
    for start in range(0, len(files), 50):
        batch = [str(f) for f in files[start:start + 50]]
        run = subprocess.run([MIMEDUMP, *(["-c"] if content else []), *batch], check=True,
                             stdout=subprocess.PIPE, timeout=SECONDS_A_BATCH)
        for line in run.stdout.splitlines():
            mail = json.loads(line)
            out[Path(mail["file"])] = mail
    return out


def first(mail: dict) -> list[dict]:
    return mail["readings"][0]["parts"]


def children(parts: list[dict], index: int) -> list[int]:
    return [i for i, p in enumerate(parts) if p["parent"] == index
            and p["kind"] in ("leaf", "multipart", "message")]


# mime4j: the tree of each message as XML, decoded bodies in files

def our_shape(parts: list[dict], index: int, opened: list[dict]) -> str:
    """opened: the encoded messages, which are containers of their own."""
    part = parts[index]
    if part["kind"] == "leaf" and part["type"] == "message" and opened and \
            part["encoding"] != "none":
        return f"message({our_shape(opened.pop(0)['parts'], 0, opened)})"
    inside = ",".join(our_shape(parts, i, opened) for i in children(parts, index))
    return {"leaf": "leaf", "multipart": f"multipart({inside})",
            "message": f"message({inside})"}[parts[index]["kind"]]


def tags(path: Path) -> list[tuple[str, str]]:
    """Their files are no well-formed XML: the text of mails stands in them as it is."""
    text = path.read_text("latin-1")
    return re.findall(r"(?m)(</?(?:message|multipart|body-part|text-body|binary-body))\b"
                      r"(?: name=\"([^\"]*)\")?/?>", text)


def their_shape(found: list[tuple[str, str]]) -> str:
    """The inside of each element is put together when its end comes."""
    stack: list[tuple[str, list[str]]] = [("", [])]
    for tag, _ in found:
        if tag in ("<message", "<body-part", "<multipart"):
            stack.append((tag, []))
        elif tag.startswith("</") and tag != "</text-body" and tag != "</binary-body":
            _, inside = stack.pop()
            text = ",".join(inside)
            if tag == "</multipart":
                text = f"multipart({text})"
            elif tag == "</message" and len(stack) > 1:
                text = f"message({text or 'leaf'})"
            else:
                text = text or "leaf"
            stack[-1][1].append(text)
    return "".join(stack[0][1])


def their_bodies(found: list[tuple[str, str]], beside: Path) -> list[bytes]:
    return [(beside / name).read_bytes() for tag, name in found
            if tag in ("<text-body", "<binary-body")]


def normal(content: bytes) -> bytes:
    return re.sub(rb"\r\n?", b"\n", content).rstrip(b"\n")


def our_bodies(mail: dict) -> list[bytes]:
    return [bytes.fromhex(p["ways"][0]["content"]) for r in mail["readings"]
            if r["reading"] == 0 for p in r["parts"] if p["kind"] == "leaf"
            and not (p["type"] == "message" and p["encoding"] != "none")]


def mime4j(root: Path) -> list[str]:
    differences = []
    mails = [p for p in sorted(root.glob("*testmsgs/*.msg"))
             if p.with_suffix(".xml").exists()]
    dumped = dump(mails)
    for path in mails:
        name = f"mime4j/{path.stem}"
        theirs = tags(path.with_suffix(".xml"))
        containers = [r for r in dumped[path]["readings"] if r["reading"] == 0]
        if our_shape(first(dumped[path]), 0, containers[1:]) != their_shape(theirs):
            differences.append(name + " structure")
            continue
        decoded = path.with_name(path.stem + "_decoded.xml")
        if not decoded.exists():
            continue
        bodies = their_bodies(tags(decoded), path.parent)
        if [normal(b) for b in bodies] != [normal(b) for b in our_bodies(dumped[path])]:
            differences.append(name + " content")
    print(f"# mime4j: {len(mails)} messages, {len(differences)} differ")
    return differences


# MIME-tools: a table a message

def references(text: str) -> dict[str, dict[str, str]]:
    found = re.findall(r'"(Part_[\d_]+|Msg)" *=> *\{(.*?)\n  \}', text, re.S)
    value = r'"(\w+)" *=> *(?:"|qq\{)?((?:[^"\\\n}]|\\.)*?)["}]?,?\n'
    return {name: dict(re.findall(value, body + "\n")) for name, body in found
            if "Fail" not in body}


def numbered(parts: list[dict], index: int, name: str = "") -> dict[str, dict]:
    out = {"Part" + name if name else "Msg": parts[index]}
    for number, child in enumerate(children(parts, index), 1):
        out |= numbered(parts, child, f"{name}_{number}")
    return out


def mimetools_part(name: str, theirs: dict[str, str], ours: dict | None) -> str:
    if ours is None:
        return "has no such part"
    if theirs.get("Type", "").lower() != f"{ours['type']}/{ours['subtype']}":
        return "type"
    if "Filename" in theirs and name != "Msg" and \
            theirs["Filename"].replace("\\", "") not in [n.replace("\\", "")
                                                         for n in ours["names"]]:
        return "name"
    if "Size" in theirs and ours["kind"] == "leaf" and \
            abs(int(theirs["Size"]) - ours["ways"][0]["size"]) > 1:
        return "size"
    return ""


def mimetools(root: Path) -> list[str]:
    differences = []
    mails = [p for p in sorted(root.glob("testmsgs/*.msg"))
             if p.with_suffix(".ref").exists()]
    dumped = dump(mails)
    for path in mails:
        ours = numbered(first(dumped[path]), 0)
        for name, theirs in references(path.with_suffix(".ref").read_text("latin-1")).items():
            what = mimetools_part(name, theirs, ours.get(name))
            if what:
                differences.append(f"mimetools/{path.stem} {name} {what}")
    doubles = sorted(root.glob("testmsgs/double-*.msg"))
    for path, mail in dump(doubles).items():
        if not mail["ambiguous"]:
            differences.append(f"mimetools/{path.stem} not ambiguous")
    print(f"# MIME-tools: {len(mails)} messages, {len(doubles)} ambiguous ones")
    return differences


# mime-is-broken

def holds_eicar(content: bytes) -> bool:
    if content[:2] == b"\x1f\x8b":
        try:
            content = zlib.decompressobj(31).decompress(content)
        except zlib.error:
            pass
    at = content.find(b"PK\x03\x04")
    while at >= 0:
        name, extra = struct.unpack("<HH", content[at + 26:at + 30].ljust(4, b"\0"))
        try:
            if EICAR in zlib.decompressobj(-15).decompress(content[at + 30 + name + extra:]):
                return True
        except zlib.error:
            pass
        at = content.find(b"PK\x03\x04", at + 1)
    return EICAR in content


def all_parts(mail: dict) -> list[dict]:
    return [p for reading in mail["readings"] for p in reading["parts"]]


def found(mail: dict) -> bool:
    return any(holds_eicar(bytes.fromhex(way["content"]))
               for p in all_parts(mail) for way in p.get("ways", []))


def payload(path: Path) -> str:
    match = re.search(rb"X-Payload-Id: (\S+)", path.read_bytes())
    return match.group(1).decode() if match else path.name


def broken(root: Path) -> list[str]:
    mails = dump(sorted(root.glob("hide-content.d/new/*")))
    count, out = Counter(), []
    for path, mail in mails.items():
        fate = "found" if found(mail) else "ambiguous" if mail["ambiguous"] else "missed"
        count[fate] += 1
        if fate != "found":
            out.append(f"broken/{payload(path)} {fate}")
    names = dump(sorted(root.glob("hide-filename.d/cur/*")), content=False)
    seen = 0
    for path, mail in names.items():
        good = any(n.lower().endswith(".zip") for p in all_parts(mail) for n in p["names"])
        seen += good
        if not good:
            out.append(f"broken/{payload(path)} name")
    print(f"# mime-is-broken: {dict(count)} of {len(mails)}; names {seen} of {len(names)}")
    if len(mails) > 0 and (count["found"] < 0.92 * len(mails) or
                           count["missed"] > 0.03 * len(mails) or
                           seen < 0.9 * len(names)):
        out.append("broken/goal missed")
    return out


# ham and the rest

def ambiguous_ham(roots: list[Path]) -> list[str]:
    files = [f for root in roots for f in sorted(root.rglob("*"))
             if f.is_file() and "spam" not in f.parent.name]
    count = sum(m["ambiguous"] for m in dump(files, content=False).values())
    print(f"# ham: {count} of {len(files)} ambiguous")
    return ["ham/too many ambiguous"] if count > 0.003 * len(files) else []


def no_crash(root: Path) -> None:
    files = [f for f in sorted(root.rglob("*")) if f.is_file()]
    dump(files, content=False)
    print(f"# {root.name}: {len(files)} files")


def run(source: Path, to: Path) -> list[str] | None:
    roots = {name: unpack(source, name, to) for name in SETS + HAM}
    if not any(roots.values()):
        return None
    out = []
    for name, check in (("mime-mime4j", mime4j), ("mime-mimetools", mimetools),
                        ("mime-is-broken", broken)):
        if roots[name]:
            out += check(roots[name])
    for name in SETS:
        if roots[name]:
            no_crash(roots[name])
    ham = [roots[name] for name in HAM if roots[name]]
    return out + (ambiguous_ham(ham) if ham else [])


def main() -> int:
    global MIMEDUMP
    MIMEDUMP = sys.argv[1]
    source = Path(sys.argv[2])
    with tempfile.TemporaryDirectory() as to:
        got = run(source, Path(to))
    if got is None:
        return 77
    lines = (source / "tests/mail/differences.txt").read_text().splitlines()
    listed = {line.partition(":: ")[0].strip() for line in lines
              if line and not line.startswith("#")}
    for what in sorted(set(got) - listed):
        print("not ok", what)
    for what in sorted(listed - set(got)):
        print("not ok, listed but gone:", what)
    return 1 if set(got) != listed else 0


if __name__ == "__main__":
    sys.exit(main())
