"""mails.py - messages that tests send, and what Sallyport makes of them on their way."""
from __future__ import annotations

import io
import itertools
import re
import zipfile

from client import Answer, Client, crlf

NUMBERS = itertools.count(1)
OUTSIDE = "XFORWARD ADDR=192.0.2.7 NAME=far.example.net HELO=far.example.net PROTO=ESMTP"

TRACE = re.compile(
    rb"Received: from [^\r\n]+\r\n\tby sallyport\.example\.com \(Sallyport (\w+)\) "
    rb"with (\w+) id (\w+)(?:\r\n\tfor <([^\r\n]*)>)?;\r\n\t[^\r\n]+\r\n")


def make(text: str | bytes = "Text.\n.dot\n..two\n\n.\n", top: str = "", **fields) -> bytes:
    """A message with a Message-ID of its own; fields by name (message_id), None: without;
    top: lines above the rest."""
    header = {"From": "Amy <sender@example.com>", "To": "rcpt@example.org",
              "Subject": "test", "Date": "Wed, 21 Jan 2026 10:00:00 +0000",
              "Message-Id": f"<{next(NUMBERS)}@example.com>"}
    header.update({name.replace("_", "-").title(): value for name, value in fields.items()})
    lines = "".join(f"{name}: {value}\n" for name, value in header.items()
                    if value is not None)
    octets = text.encode() if isinstance(text, str) else text
    return crlf(top + lines + "\n") + crlf(octets)


def untraced(octets: bytes) -> bytes:
    """The message below the one Received field that Sallyport has put on top."""
    match = TRACE.match(octets)
    assert match, octets[:400]
    return octets[match.end():]


def id_of(reply: tuple[int, str] | Answer) -> str:
    """Sallyport's id in a reply."""
    _, text = reply.end if isinstance(reply, Answer) else reply
    match = re.search(r"id=(\w+)$", text)
    assert match, text
    return match.group(1)


def send_as(place: int | str, octets: bytes, sender: str = "sender@example.com",
            recipients: list[str] | None = None, xforward: str = OUTSIDE,
            lmtp: bool = False) -> Answer:
    """Sends a mail for a client that the MTA names by XFORWARD."""
    with Client(place, lmtp) as client:
        if xforward:
            assert client.say(xforward)[0] == 250
        return client.message(octets, client.mail_from(
            sender, recipients or ["rcpt@example.org"]))


def to(mails) -> list[str]:
    """The recipients of all these mails, sorted."""
    return sorted(name for mail in mails for name in mail.recipients)


def zipped(content: bytes, name: str, encrypted: bool = False) -> bytes:
    """A zip with one file.  encrypted: its flag is set, which is what is looked at."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    octets = bytearray(out.getvalue())
    if encrypted:
        octets[6] |= 1
        octets[octets.index(b"PK\1\2") + 8] |= 1
    return bytes(octets)
