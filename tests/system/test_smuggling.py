"""test_smuggling.py - one message stays one message, whatever it calls the end of data.

The sequences are those of The-Login's SMTP-Smuggling-Tools, from a folder of test
corpora beside the project (SALLYPORT_CORPORA); a few more stand here, so that something is
tested without it.
"""
import itertools
import json
import os
import pathlib
import re
import socket
import tarfile

import pytest

import conftest
from client import Client
from nexthop import EXTENSIONS

CORPORA = pathlib.Path(os.environ.get("SALLYPORT_CORPORA",
                                      conftest.TOP.parent / "shared/corpora"))
DATA_ONLY = tuple(word for word in EXTENSIONS if word != "CHUNKING")

OWN = ["\n.\n", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\r.\r\n", "\r\r\n.\r\n\r", "\r\n\r.\r\n",
       "\r\n. \r\n", "\r\n.\0\r\n", "\n\n.\n\n", "\r\n.\r\r\n", "\r\n.\n\r\n"]


def sequences() -> list[str]:
    archive = CORPORA / "smtp-smuggling.tar.gz"
    if not archive.exists():
        conftest.lacking(f"no {archive}: the sequences of SMTP-Smuggling-Tools are not tested")
    with tarfile.open(archive) as tar:
        table = json.load(tar.extractfile("smtp-smuggling/eod-sequences.json"))
    found = table["inbound_eod_sequences"] + table["outbound_eod_sequences"]
    assert len(found) >= 16
    return sorted(set(found))


def message(sequence: str) -> bytes:
    """A message with a second one behind what is not its end."""
    return (b"From: a@x.org\r\nSubject: one\r\n\r\nfirst" + sequence.encode("latin-1") +
            b"MAIL FROM:<smuggled@x.org>\r\nRCPT TO:<smuggled@x.org>\r\nDATA\r\n"
            b"From: smuggled@x.org\r\nSubject: two\r\n\r\nsecond\r\n")


def send_raw(port: int, octets: bytes, chunked: bool, cuts: bool) -> bytes:
    """Says it with nothing doubled or repaired; all that was answered."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"EHLO x\r\nMAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\n")
        if chunked:
            pieces = [octets[i:i + 60] for i in range(0, len(octets), 60)] if cuts else [octets]
            sock.sendall(b"".join(b"BDAT %d\r\n" % len(p) + p for p in pieces) +
                         b"BDAT 0 LAST\r\nQUIT\r\n")
        else:
            sock.sendall(b"DATA\r\n")
            for byte in octets if cuts else []:
                sock.sendall(bytes([byte]))
            sock.sendall((b"" if cuts else octets) + b"\r\n.\r\nQUIT\r\n")
        answer = b""
        while more := sock.recv(65536):
            answer += more
    return answer


def check(hop, daemon, sequence: str, chunked: bool, repair: bool, cuts: bool) -> None:
    before = len(hop.mails)
    octets = message(sequence)
    answer = send_raw(daemon.port, octets, chunked, cuts)
    context = (sequence, chunked, repair, cuts, answer)
    got = hop.mails[before:]
    assert len(got) <= 1, context
    assert not any("smuggled" in name for mail in got for name in mail.recipients), context
    assert not any("smuggled" in mail.sender for mail in got), context
    assert not any("smuggled" in line for s in hop.sessions for line in s.lines), context
    taken = b"queued" in answer or b"mail %d" % before in answer
    assert taken == (len(got) == 1), context
    bare = re.search(rb"\r(?!\n)|(?<!\r)\n", octets)
    if bare and not repair:
        assert not got and re.search(rb"\r\n55\d ", answer), context
    else:
        assert got, context
    for mail in got:
        body = mail.data
        assert not re.search(rb"\r(?!\n)|(?<!\r)\n", body), context
        assert b"Subject: two" in body and b"second\r\n" in body, context


def everything(daemon, hop, found: list[str], repair: bool) -> None:
    for sequence, chunked, cuts in itertools.product(found, (False, True), (False, True)):
        if not chunked and "\r\n.\r\n" in sequence:
            continue                    # by DATA that is an end, and what follows commands
        check(hop, daemon, sequence, chunked, repair, cuts)


@pytest.mark.parametrize("mode", ["reject", "repair"])
@pytest.mark.parametrize("extensions", [EXTENSIONS, DATA_ONLY], ids=["to BDAT", "to DATA"])
@pytest.mark.parametrize("source", ["corpus", "own"])
def test_sequences(sallyport, next_hop, mode, extensions, source):
    found = sequences() if source == "corpus" else OWN
    hop = next_hop(extensions=extensions)
    daemon = sallyport(f"127.0.0.1:{hop.port}", listener=f"bare-newline {mode}; "
                       "error-limit 1000;")
    everything(daemon, hop, found, mode == "repair")


@pytest.mark.parametrize("queue,repair", [("before", False), ("after", True)])
def test_default_modes(sallyport, next_hop, queue, repair):
    hop = next_hop()
    daemon = sallyport(f"127.0.0.1:{hop.port}", queue=queue, listener="error-limit 1000;")
    everything(daemon, hop, OWN[:4], repair)


def test_real_end_by_data(sallyport, next_hop):
    """After CR LF . CR LF commands follow: two mails, as it was said."""
    hop = next_hop()
    daemon = sallyport(f"127.0.0.1:{hop.port}")
    answer = send_raw(daemon.port, message("\r\n.\r\n"), False, False)
    assert [mail.sender for mail in hop.wait(2)] == ["a@x.org", "smuggled@x.org"], answer


def test_every_short_ending(sallyport, next_hop):
    """All words of four of CR, LF and dot in the middle of a message."""
    hop = next_hop(extensions=DATA_ONLY)
    daemon = sallyport(f"127.0.0.1:{hop.port}", listener="bare-newline repair; "
                       "error-limit 1000;")
    for word in itertools.product("\r\n.", repeat=4):
        check(hop, daemon, "".join(word), True, True, False)
    ends = {"\r\n.\r"}                  # with the CR LF that follows it, an end for DATA
    for word in itertools.product("\r\n.", repeat=4):
        text = "".join(word)
        if text not in ends and "\r\n.\r\n" not in text:
            check(hop, daemon, text, False, True, False)


@pytest.mark.parametrize("mode,want", [
    ("repair", b"Subject: x\r\n\r\na\r\nb\r\n c\r\n.\r\nd\r\n"),
    ("reject", None)])
def test_repair(sallyport, next_hop, mode, want):
    """A bare LF becomes CR LF, a stray CR a space; what was examined is what goes on."""
    hop = next_hop()
    daemon = sallyport(f"127.0.0.1:{hop.port}", listener=f"bare-newline {mode};")
    for chunked in (False, True):
        with Client(daemon.port) as client:
            answer = client.mail_from("a@x.org", ["b@x.org"])
            octets = b"Subject: x\r\n\r\na\nb\r\n\rc\n.\nd\r\n"
            if chunked:
                client.chunks(octets, answer, 3)
            else:
                client.say("DATA")
                client.sock.sendall(octets + b".\r\n")
                client.ends(answer)
        if want is None:
            assert answer.code == 550 and not hop.mails
        else:
            assert answer.end[0] == 250 and hop.mails[-1].data.endswith(want)
    assert daemon.status()["counters"]["bare-newlines"] == (2 if want else 0)
