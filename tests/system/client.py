"""client.py - ways for a test to send a mail, and what was answered."""
from __future__ import annotations

import smtplib
import socket
import subprocess
from dataclasses import dataclass, field

CHUNK_OCTETS = 1 << 20


@dataclass
class Answer:
    """What the server said to one message."""
    sender: tuple[int, str] = (0, "")
    recipients: dict[str, tuple[int, str]] = field(default_factory=dict)   # at RCPT
    data: tuple[int, str] = (0, "")     # to DATA
    end: tuple[int, str] = (0, "")      # at the end of the message
    ends: dict[str, tuple[int, str]] = field(default_factory=dict)    # LMTP: of each

    @property
    def code(self) -> int:
        """The last reply that counts: 250 if the mail was taken."""
        refused = [reply for reply in self.recipients.values() if reply[0] >= 400]
        for code, _ in (self.end, self.data, *refused, self.sender):
            if code and not 200 <= code < 300:
                return code
        return self.end[0]


def crlf(text: str | bytes) -> bytes:
    """Lines as they go over the wire."""
    octets = text.encode() if isinstance(text, str) else text
    return octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def dotted(octets: bytes) -> bytes:
    """As it follows DATA: dots doubled, the final dot."""
    stuffed = octets.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    if stuffed and not stuffed.endswith(b"\r\n"):
        stuffed += b"\r\n"
    return stuffed + b".\r\n"


class Client(smtplib.SMTP):
    """smtplib with LMTP's greeting and replies, BDAT, unix sockets; octets as given."""

    def __init__(self, place: int | str, lmtp: bool = False,
                 name: str = "client.example.com", timeout: float = 20,
                 greet: bool = True):
        super().__init__(local_hostname=name, timeout=timeout)
        self.lmtp = lmtp
        self.place = place
        self.ehlo_msg = "lhlo" if lmtp else "ehlo"
        self.connect("127.0.0.1", place if isinstance(place, int) else 0)
        if greet:
            code, text = self.ehlo(name)
            assert code == 250, text

    def _get_socket(self, host, port, timeout):
        if isinstance(self.place, int):
            return super()._get_socket(host, port, timeout)
        unix = socket.socket(socket.AF_UNIX)
        unix.settimeout(timeout)
        unix.connect(self.place)
        return unix

    def say(self, line: str) -> tuple[int, str]:
        """One command, one reply."""
        code, text = self.docmd(line)
        return code, text.decode("utf-8", "surrogateescape")

    def reply(self) -> tuple[int, str]:
        code, text = self.getreply()
        return code, text.decode("utf-8", "surrogateescape")

    def mail_from(self, sender: str, recipients: list[str], options: str = "") -> Answer:
        """The envelope."""
        answer = Answer(sender=self.say(f"MAIL FROM:<{sender}>{options}"))
        if answer.sender[0] == 250:
            answer.recipients = {r: self.say(f"RCPT TO:<{r}>") for r in recipients}
        return answer

    def message(self, octets: bytes, answer: Answer) -> Answer:
        """DATA and the message."""
        answer.data = self.say("DATA")
        if answer.data[0] == 354:
            self.sock.sendall(dotted(octets))
            answer.data = (250, "")
            self.ends(answer)
        return answer

    def chunks(self, octets: bytes, answer: Answer, size: int = CHUNK_OCTETS) -> Answer:
        """The message by BDAT, in chunks of a size."""
        parts = [octets[i:i + size] for i in range(0, len(octets), size)] or [b""]
        for part in parts[:-1]:
            self.sock.sendall(b"BDAT %d\r\n" % len(part) + part)
            answer.data = self.reply()
            if answer.data[0] != 250:
                return answer
        self.sock.sendall(b"BDAT %d LAST\r\n" % len(parts[-1]) + parts[-1])
        self.ends(answer)
        return answer

    def ends(self, answer: Answer) -> None:
        if not self.lmtp:
            answer.end = self.reply()
            return
        for recipient, (code, _) in answer.recipients.items():
            if code == 250:
                answer.end = answer.ends[recipient] = self.reply()


def send(place: int | str, octets: bytes, sender: str = "sender@example.com",
         recipients: list[str] | None = None, lmtp: bool = False, chunked: bool = False,
         options: str = "") -> Answer:
    """Sends one mail over a new connection."""
    with Client(place, lmtp) as client:
        answer = client.mail_from(sender, recipients or ["rcpt@example.org"], options)
        if not any(code == 250 for code, _ in answer.recipients.values()):
            return answer
        if chunked:
            return client.chunks(octets, answer)
        return client.message(octets, answer)


def swaks(port: int, *options: str, timeout: float = 60) -> subprocess.CompletedProcess:
    """swaks --server 127.0.0.1:PORT with options: returncode, stdout."""
    return subprocess.run(
        ["swaks", "--server", f"127.0.0.1:{port}", "--from", "sender@example.com",
         "--helo", "client.example.com", *options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout,
        check=False)
