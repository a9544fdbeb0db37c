"""nexthop.py - an SMTP or LMTP server that keeps what it gets and fails as it is told.

    hop = NextHop(lmtp=True)
    hop.when("RCPT", "550 5.1.1 unknown", match="bob@")       # bob is never known
    hop.when("end", "451 4.3.0 later", times=1)               # the first mail is deferred
    hop.when("end", Lost(), skip=1, times=1)                  # the second: kept, no reply
    ... send mail to hop.port ...
    mail = hop.wait(1)[0]
    assert mail.recipients == ["amy@example.org"] and b"Subject: x" in mail.data

The steps are: greeting, EHLO (HELO and LHLO too), XFORWARD, MAIL, RCPT, DATA, BDAT, body
(after the first octets of a message), end (the final reply; with LMTP once a recipient),
RSET, NOOP, QUIT.  What to do at a step: a reply line (or several, with CR LF between
them), Delay, Stall, Close, Reset, or, at "end", Lost.

Commands are answered one by one in the order they come, however they were packed.
"""
from __future__ import annotations

import os
import re
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES",
              "CHUNKING", "XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE", "SIZE 0")


@dataclass
class Delay:
    """Waits, then replies (the usual reply if none is given)."""
    seconds: float
    reply: str | None = None


@dataclass
class Stall:
    """Says nothing more; the connection stays open until the other side gives up."""


@dataclass
class Close:
    """Closes the connection; a last line may be said, "421 4.3.2 going down"."""
    reply: str | None = None


@dataclass
class Reset:
    """Ends the connection by a TCP reset."""


@dataclass
class Lost:
    """At "end": keeps the message, and closes instead of replying."""


@dataclass
class Rule:
    step: str
    action: object
    match: str
    skip: int
    times: int | None

    def takes(self, step: str, text: str) -> bool:
        """Counts down skip and times when it fits."""
        if step != self.step or self.match not in text or self.times == 0:
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True


@dataclass
class Mail:
    """A message that was accepted for at least one recipient."""
    sender: str
    recipients: list[str]               # those accepted, at RCPT and at the end
    data: bytes                         # exactly as sent, dots removed
    helo: str = ""
    sender_options: str = ""            # "BODY=8BITMIME SIZE=123"
    recipient_options: list[str] = field(default_factory=list)
    xforward: dict[str, str] = field(default_factory=dict)
    chunks: list[int] = field(default_factory=list)    # sizes of BDAT; empty: DATA
    replied: bool = True                # False: by Lost
    session: int = 0                    # number of the connection, from 0


class Gone(Exception):
    """The connection is at its end."""


class NextHop:
    def __init__(self, port: int = 0, path: str | None = None, lmtp: bool = False,
                 extensions: tuple[str, ...] = EXTENSIONS, host: str = "127.0.0.1"):
        self.lmtp = lmtp
        self.extensions = extensions
        self.mails: list[Mail] = []
        self.sessions: list[Session] = []
        self.rules: list[Rule] = []
        self.changed = threading.Condition()
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        if path:
            self.listener.bind(path)
            os.chmod(path, 0o666)
        else:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind((host, port))
            self.port = self.listener.getsockname()[1]
        self.listener.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    def when(self, step: str, action, match: str = "", skip: int = 0,
             times: int | None = None) -> None:
        """From now on: action at this step, if match is in the command's line (at "end":
        in the recipient's address, with LMTP), skipping so many and then so many times.
        The rule given last wins."""
        with self.changed:
            self.rules.insert(0, Rule(step, action, match, skip, times))

    def clear(self) -> None:
        """Forgets all rules."""
        with self.changed:
            self.rules.clear()

    def wait(self, count: int, timeout: float = 20) -> list[Mail]:
        """The mails, as soon as there are so many."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.mails) >= count, timeout):
                raise AssertionError(f"{len(self.mails)} mails instead of {count}\n"
                                     + self.transcript())
            return list(self.mails)

    def transcript(self) -> str:
        """What was said, for messages of failed tests."""
        return "\n".join(f"[{session.number}] {line}"
                         for session in self.sessions for line in session.lines)

    def close(self) -> None:
        """Ends all connections and stops listening."""
        shut(self.listener)
        for session in list(self.sessions):
            shut(session.socket)
        if self.path and os.path.exists(self.path):
            os.unlink(self.path)

    def action(self, step: str, text: str):
        with self.changed:
            return next((r.action for r in self.rules if r.takes(step, text)), None)

    def keep(self, mail: Mail) -> None:
        with self.changed:
            self.mails.append(mail)
            self.changed.notify_all()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            session = Session(self, connection, len(self.sessions))
            self.sessions.append(session)
            threading.Thread(target=session.run, daemon=True).start()


def shut(sock: socket.socket) -> None:
    """Ends a socket, also for the thread that waits in it."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    sock.close()


def path_and_options(argument: str) -> tuple[str, str]:
    """<amy@example.org> NOTIFY=NEVER -> its two parts."""
    match = re.match(r"\s*<((?:\"(?:\\.|[^\"])*\"|[^>])*)>\s*(.*)", argument)
    return (match.group(1), match.group(2)) if match else (argument.strip(), "")


class Session:
    def __init__(self, hop: NextHop, connection: socket.socket, number: int):
        self.hop = hop
        self.socket = connection
        self.number = number
        self.lines: list[str] = []      # "C: ..." and "S: ..."
        self.ended = ""                 # how: QUIT, closed by client, closed by us, ...
        self.buffer = bytearray()
        self.helo = ""
        self.xforward: dict[str, str] = {}
        self.forget()
        if connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def forget(self) -> None:
        """Back to the state before MAIL."""
        self.sender: str | None = None
        self.sender_options = ""
        self.recipients: list[tuple[str, str]] = []
        self.chunks: list[int] = []
        self.data = b""

    def run(self) -> None:
        try:
            self.answer("greeting", "", f"220 hop {'LMTP' if self.hop.lmtp else 'ESMTP'}")
            while True:
                self.command(self.read_line())
        except Gone as reason:
            self.ended = str(reason)
        except OSError as error:
            self.ended = error.strerror or "closed by client"
        shut(self.socket)

    # bytes

    def fill(self) -> None:
        more = self.socket.recv(65536)
        if not more:
            raise Gone("closed by client")
        self.buffer += more

    def take(self, count: int) -> bytes:
        octets = bytes(self.buffer[:count])
        del self.buffer[:count]
        return octets

    def read_line(self) -> str:
        while b"\n" not in self.buffer:
            self.fill()
        line = self.take(self.buffer.index(b"\n") + 1)
        text = line.rstrip(b"\r\n").decode("utf-8", "surrogateescape")
        self.lines.append("C: " + text)
        return text

    def read_octets(self, count: int) -> bytes:
        while len(self.buffer) < count:
            self.fill()
        return self.take(count)

    def read_to_dot(self) -> bytes:
        """A message up to CR LF . CR LF; only that ends it."""
        seen = 0
        while True:
            if self.buffer.startswith(b".\r\n"):
                self.take(3)
                return b""
            end = self.buffer.find(b"\r\n.\r\n", max(0, seen - 4))
            if end >= 0:
                raw = self.take(end + 5)[:-3]
                return re.sub(rb"(\A|\r\n)\.", rb"\1", raw)
            seen = len(self.buffer)
            self.fill()

    def say(self, reply: str) -> None:
        self.lines += ["S: " + line for line in reply.split("\r\n")]
        self.socket.sendall(reply.encode("utf-8", "surrogateescape") + b"\r\n")

    # replies

    def answer(self, step: str, text: str, usual: str) -> bool:
        """Does what the test wants at this step; True if the reply was positive."""
        return self.perform(self.hop.action(step, text), usual)

    def perform(self, action, usual: str) -> bool:
        if isinstance(action, Delay):
            time.sleep(action.seconds)
            action = action.reply
        if isinstance(action, (Stall, Close, Reset, Lost)):
            self.leave(action)
        reply = action or usual
        self.say(reply)
        if reply.startswith("421"):
            raise Gone("421 by us")
        return reply[0] in "23"

    def leave(self, action) -> None:
        if isinstance(action, Stall):
            self.lines.append("(stalled)")
            while self.socket.recv(65536):
                pass
            raise Gone("closed by client")
        if isinstance(action, Reset):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                   struct.pack("ii", 1, 0))
            self.socket.close()
            raise Gone("reset by us")
        if isinstance(action, Lost):
            raise Gone("lost by us")
        if action.reply:
            self.say(action.reply)
        raise Gone("closed by us")

    # commands

    def command(self, line: str) -> None:
        verb = line.split(" ", 1)[0].split(":")[0].upper()
        rows = {"EHLO": self.hello, "HELO": self.hello, "LHLO": self.hello,
                "XFORWARD": self.xforward_command, "MAIL": self.mail, "RCPT": self.rcpt,
                "DATA": self.data_command, "BDAT": self.bdat, "RSET": self.rset,
                "NOOP": self.noop, "QUIT": self.quit}
        if verb in rows:
            rows[verb](line)
        else:
            self.say("500 5.5.2 unknown command")

    def hello(self, line: str) -> None:
        verb, _, self.helo = line.partition(" ")
        self.forget()
        if (verb.upper() == "LHLO") != self.hop.lmtp:
            self.say("500 5.5.1 wrong greeting for this protocol")
            return
        words = ["hop"]
        if verb.upper() != "HELO":
            words += self.hop.extensions
        last = len(words) - 1
        reply = [f"250{' ' if i == last else '-'}{word}" for i, word in enumerate(words)]
        self.answer("EHLO", line, "\r\n".join(reply))

    def xforward_command(self, line: str) -> None:
        if self.answer("XFORWARD", line, "250 2.0.0 Ok"):
            for word in line.split()[1:]:
                name, _, value = word.partition("=")
                self.xforward[name.upper()] = value

    def mail(self, line: str) -> None:
        if self.sender is not None:
            self.say("503 5.5.1 nested MAIL")
        elif self.answer("MAIL", line, "250 2.1.0 Ok"):
            self.sender, self.sender_options = path_and_options(line.partition(":")[2])

    def rcpt(self, line: str) -> None:
        if self.sender is None:
            self.say("503 5.5.1 need MAIL")
        elif self.answer("RCPT", line, "250 2.1.5 Ok"):
            self.recipients.append(path_and_options(line.partition(":")[2]))

    def rset(self, line: str) -> None:
        self.forget()
        self.answer("RSET", line, "250 2.0.0 Ok")

    def noop(self, line: str) -> None:
        self.answer("NOOP", line, "250 2.0.0 Ok")

    def quit(self, line: str) -> None:
        self.answer("QUIT", line, "221 2.0.0 Bye")
        raise Gone("QUIT")

    def data_command(self, line: str) -> None:
        if not self.recipients or self.chunks:
            self.say("503 5.5.1 no valid recipients")
        elif self.answer("DATA", line, "354 go on"):
            self.pause_in_body()
            self.data = self.read_to_dot()
            self.end()

    def bdat(self, line: str) -> None:
        words = line.upper().split()
        size, last = int(words[1]), words[2:] == ["LAST"]
        self.pause_in_body()
        octets = self.read_octets(size)
        if not self.recipients:
            self.say("503 5.5.1 no valid recipients")
            return
        self.chunks.append(size)
        self.data += octets
        if last:
            self.end()
        else:
            self.answer("BDAT", line, f"250 2.0.0 {size} octets")

    def pause_in_body(self) -> None:
        """The step "body": after the first octets of the message."""
        action = self.hop.action("body", "")
        if action is None:
            return
        if not self.buffer:
            self.fill()
        if isinstance(action, Delay):
            time.sleep(action.seconds)
        else:
            self.leave(action)

    def end(self) -> None:
        """The final reply, or one a recipient.  The mail is kept before they are said:
        who hears 250 will find it."""
        usual = f"250 2.0.0 Ok: mail {len(self.hop.mails)}"
        names = [name for name, _ in self.recipients] if self.hop.lmtp else [""]
        actions = [self.hop.action("end", name) for name in names]
        good = [is_good(action) for action in actions]
        taken = [recipient for recipient, ok in zip(self.recipients, good) if ok] \
            if self.hop.lmtp else self.recipients if good[0] else []
        if taken:
            lost = any(isinstance(action, Lost) for action in actions)
            self.hop.keep(self.as_mail(taken, not lost))
        for action in actions:
            self.perform(action, usual)
        self.forget()

    def as_mail(self, taken: list[tuple[str, str]], replied: bool) -> Mail:
        return Mail(self.sender or "", [name for name, _ in taken], self.data, self.helo,
                    self.sender_options, [options for _, options in taken],
                    dict(self.xforward), list(self.chunks), replied, self.number)


def is_good(action) -> bool:
    """If an action at the end of a message takes the message."""
    if isinstance(action, Delay):
        action = action.reply
    return action is None or isinstance(action, Lost) or \
        isinstance(action, str) and action.startswith("2")
