#!/usr/bin/env python3
"""archives.py - lib/content/archive against sample archives that others made.

    archives.py ARCHIVELIST SOURCE-DIR [MUTATIONS]

The samples are in ../shared/corpora beside the project, unpacked to a temporary directory;
where they are absent the test is skipped (status 77).  Three things are checked:

- of libarchive's samples, all members that libarchive itself lists are listed; what is not
  stands in docs/archives.md with its reason, and nothing stands there for nothing;
- every bomb ends within the budget, with a finding;
- damaged copies of each sample end within the budget, and none crashes.
"""
from __future__ import annotations

import ctypes
import locale
import os
import pickle
import re
import signal
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CORPORA = Path("../shared/corpora")
FILTERS = "lzma xz gzip bzip2 lzip zstd lz4 compress rpm".split()
FORMATS = "tar cpio ar 7zip rar rar5 cab iso9660 xar lha zip raw empty".split()
OK, WARN, EOF = 0, -20, 1
RAW = 0x90000
BYTES = 64 << 20
MILLISECONDS = 2000
SLACK = 1000            # one call into a decompressor may go on a little
FINDING = re.compile(r"flaws=\S*(bytes|ratio|time|memory|members|depth|overlap)")
ENV = dict(os.environ, ASAN_OPTIONS="allocator_may_return_null=1:max_allocation_size_mb=512")
failures = 0


def check(good: bool, what: str) -> None:
    global failures
    if not good:
        failures += 1
        print("not ok -", what)


def unpack(source: Path, name: str, to: Path) -> Path | None:
    archive = source / CORPORA / (name + ".tar.gz")
    if not archive.exists():
        print(f"# {archive} is absent: skipped")
        return None
    with tarfile.open(archive) as tar:
        tar.extractall(to, filter="data")
    return to / name


def uudecode(text: bytes) -> bytes:
    """By hand: Python's decoder refuses lines whose last blanks were cut off."""
    out, inside = bytearray(), False
    for line in text.splitlines():
        if line == b"end":
            break
        if inside and line:
            count = line[0] - 32 & 63
            digits = line[1:].ljust((count + 2) // 3 * 4)
            piece = bytearray()
            for i in range(0, (count + 2) // 3 * 4, 4):
                a, b, c, d = (x - 32 & 63 for x in digits[i:i + 4])
                piece += bytes([(a << 2 | b >> 4) & 255, (b << 4 | c >> 2) & 255,
                                (c << 6 | d) & 255])
            out += piece[:count]
        inside = inside or line.startswith(b"begin ")
    return bytes(out)


def reference(data: bytes) -> int:
    """How many members libarchive lists with everything on; 0 for a plain file."""
    lib = ctypes.CDLL("libarchive.so.13")
    lib.archive_read_new.restype = ctypes.c_void_p
    a = ctypes.c_void_p(lib.archive_read_new())
    for name in FILTERS:
        getattr(lib, "archive_read_support_filter_" + name)(a)
    for name in FORMATS:
        getattr(lib, "archive_read_support_format_" + name)(a)
    entry, count = ctypes.c_void_p(), 0
    if lib.archive_read_open_memory(a, data, ctypes.c_size_t(len(data))) != OK:
        return 0
    while lib.archive_read_next_header(a, ctypes.byref(entry)) in (OK, WARN):
        count += 1
        if lib.archive_format(a) & 0xff0000 == RAW:
            return 0
    return count


def reference_apart(data: bytes) -> int | None:
    """In a process of its own: some samples make libarchive 3.6 go round for ever."""
    receive, send = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(5)
        os.write(send, pickle.dumps(reference(data)))
        os._exit(0)
    os.close(send)
    with os.fdopen(receive, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return pickle.loads(answer) if answer else None


def run(tool: str, *words: str) -> list[str]:
    try:
        done = subprocess.run([tool, *words], capture_output=True, env=ENV, timeout=300,
                              check=False)
    except subprocess.TimeoutExpired:
        check(False, f"{words[-1]} does not end")
        return []
    check(done.returncode == 0, f"{words[-1]}: {done.stderr[-2000:].decode(errors='replace')}")
    return done.stdout.decode(errors="replace").splitlines()


def in_budget(line: str, name: str) -> None:
    word, ms, size = line.split()[:3]
    check(word in ("end", "worst") and float(ms) < MILLISECONDS + SLACK and int(size) <= BYTES,
          f"{name}: {line}")


def samples(folder: Path, to: Path) -> list[Path]:
    paths = []
    for path in sorted(folder.rglob("*.uu")):
        paths.append(to / path.name[:-3])
        paths[-1].write_bytes(uudecode(path.read_bytes()))
    return paths


def compare(tool: str, paths: list[Path], reasons: set[str]) -> None:
    missing = set()
    for path in paths:
        lines = run(tool, str(path))
        if not lines:
            continue
        in_budget(lines[-1], path.name)
        want = reference_apart(path.read_bytes())
        if want is not None and sum(x.startswith("member") for x in lines) < want:
            missing.add(path.name)
    check(not missing - reasons, f"not listed: {sorted(missing - reasons)}")
    check(not reasons - missing, f"in docs/archives.md for nothing: {sorted(reasons - missing)}")
    print(f"# {len(paths)} samples, {len(missing)} that libarchive lists and we do not")


def bombs(tool: str, folder: Path) -> list[Path]:
    paths = sorted(folder.glob("*.zip"))
    for path in paths:
        lines = run(tool, str(path))
        in_budget(lines[-1], path.name)
        found = any(FINDING.search(x) for x in lines)
        check(found == (path.name != "test.zip"), f"{path.name}: finding {found}")
        print("#", path.name, lines[-1])
    return paths


def mutate(tool: str, paths: list[Path], count: str) -> None:
    def one(path: Path) -> None:
        lines = run(tool, "-m", count, str(path))
        if lines:
            in_budget(lines[-1], path.name)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, paths))
    print(f"# {count} damaged copies of each of {len(paths)} files")


def main(tool: str, source: str, mutations: str = "20") -> int:
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    text = (Path(source) / "docs/archives.md").read_text()
    reasons = set(re.findall(r"^\| (test_\S+) \|", text, re.M))
    with tempfile.TemporaryDirectory() as name:
        top = Path(name)
        first = unpack(Path(source), "archives-libarchive", top)
        second = unpack(Path(source), "archives-bombs", top)
        if first is None or second is None:
            return 77
        (top / "bin").mkdir()
        paths = samples(first, top / "bin")
        compare(tool, paths, reasons)
        mutate(tool, paths + bombs(tool, second), mutations)
    print("# failures:", failures)
    return failures > 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
