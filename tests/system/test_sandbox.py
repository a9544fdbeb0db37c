"""test_sandbox.py - each executable is linked with what it needs and no more.

What a process cannot load, a fault in it cannot use: the gateway holds no decoder and no
database, the inspector nothing that speaks to a network, the store nothing of either.
(What a process may do once it runs is tested from inside, in tests/unit/sys.)
"""
import os
import pathlib
import re
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SALLYPORT_BUILD", TOP / "build")).resolve()

NETWORK = {"ssl", "cares", "event", "event_core", "event_extra", "event_openssl", "curl",
           "hiredis", "microhttpd", "resolv", "nsl", "ldap"}
DATABASE = {"sqlite3", "pq", "db", "lmdb"}
DECODER = {"archive", "magic", "yara", "z", "bz2", "lzma", "zstd", "xml2", "jpeg", "png"}

FORBIDDEN = {
    "gateway/sallyport-gateway":     DATABASE | DECODER | {"microhttpd"},
    "inspector/sallyport-inspector": NETWORK | DATABASE,  # crypto: digests
    "store/sallyport-store":         NETWORK | DECODER,
    "runner/sallyport-runner":       NETWORK | DATABASE | DECODER,
    "master/sallyport":              DATABASE | DECODER | {"ssl", "cares", "microhttpd"},
}
# In force only in those that lock themselves down.
REQUIRED = {
    "gateway/sallyport-gateway":     {"seccomp", "cap-ng"},
    "inspector/sallyport-inspector": {"seccomp", "cap-ng"},
    "store/sallyport-store":         {"seccomp", "cap-ng"},
    "runner/sallyport-runner":       {"seccomp", "cap-ng"},
    "master/sallyport":              set(),
}


def libraries(name: str) -> set[str]:
    """libevent_core-2.1.so.7 => event_core"""
    path = BUILD / "src" / name
    if not path.exists():
        pytest.skip(f"{path} is not built")
    text = subprocess.run(["ldd", path], check=True, capture_output=True, text=True).stdout
    return {re.sub(r"-\d[\d.]*$", "", found)
            for found in re.findall(r"^\s*lib(\S+?)\.so", text, re.MULTILINE)}


def test_ldd_is_read():
    """The table below would pass on no output at all."""
    assert "c" in libraries("inspector/sallyport-inspector")


@pytest.mark.parametrize("name", FORBIDDEN)
def test_libraries(name):
    found = libraries(name)
    assert not found & FORBIDDEN[name]
    assert REQUIRED[name] <= found
