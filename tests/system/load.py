"""load.py - mails in numbers, each with an id, and where each has gone.

    with Insist(tools, daemon.port, mails=20000) as load:
        ...                                 # kill, stall, break
    fates = load.fates                      # {id: Fate}
    taken = Keep.taken(file)                # {id: [what, ...]}

See load/insist.c and load/keep.c, which are compiled when the tests begin.
"""
from __future__ import annotations

import collections
import json
import os
import pathlib
import re
import signal
import subprocess
from dataclasses import dataclass

from private_net import free_port, is_listening
from servers import wait_for

HERE = pathlib.Path(__file__).resolve().parent
BENCH = HERE.parents[1] / "bench"
ID_FIELD = re.compile(rb"^X-Load-Id: (\d+)", re.MULTILINE)
# How many seconds a mail under way may need when the load is to end.
END_SECONDS = 120
# Prime, so that each has its share of all kinds of mails (every 3rd, 5th, 53rd).
CONNECTIONS = 11
MAIL = (b"From: <sender@example.com>\nTo: <rcpt@example.org>\nSubject: load\n"
        b"Message-ID: <load@example.com>\n\n" + b"A line of text, as lines are.\n" * 60)


def compile_tools(folder: pathlib.Path) -> pathlib.Path:
    """insist and keep, and the bench's smtpload."""
    compiler = os.environ.get("CC", "cc")
    sources = {"insist": [HERE / "load/insist.c"], "keep": [HERE / "load/keep.c"],
               "smtpload": [BENCH / "smtpload.c", BENCH / "mail.c"]}
    for name, files in sources.items():
        subprocess.run([compiler, "-O2", "-std=gnu17", "-D_GNU_SOURCE", "-o", folder / name,
                        *files], check=True)
    return folder


def end_group(process: subprocess.Popen, sig: int) -> None:
    try:
        os.killpg(process.pid, sig)
    except ProcessLookupError:
        pass


@dataclass
class Fate:
    """What the client knows of a mail."""
    code: int           # 250, or the refusal
    ends: int           # how often the message was sent to its end
    lost: int           # ... and no reply came
    deferred: int       # ... and the reply was a 4xx


class Insist:
    """The client; `fates` when it is over."""

    def __init__(self, tools: pathlib.Path, port: int, mails: int, connections: int = CONNECTIONS):
        self.command = [tools / "insist", str(port), str(connections), str(mails)]
        self.output = tools / f"fates-{port}-{mails}"
        self.fates: dict[int, Fate] = {}

    def __enter__(self) -> Insist:
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(self.command, stdout=output,
                                            start_new_session=True)
        return self

    def done(self) -> int:
        """Mails that have met their fate so far."""
        return self.output.read_bytes().count(b"\n")

    def __exit__(self, kind, *_) -> None:
        if kind is None:
            end_group(self.process, signal.SIGTERM)
            try:
                self.process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                end_group(self.process, signal.SIGKILL)
                raise
        end_group(self.process, signal.SIGKILL)
        self.process.wait()
        for line in self.output.read_text(encoding="ascii").splitlines():
            number, *fate = map(int, line.split())
            assert number not in self.fates
            self.fates[number] = Fate(*fate)


class Keep:
    """The next hop: a process a connection, killed and stopped together."""

    def __init__(self, tools: pathlib.Path, file: pathlib.Path, share: int = 0):
        self.port, self.file = free_port(), file
        self.command = [tools / "keep", str(self.port), file, str(share)]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, start_new_session=True)
        wait_for("the next hop to listen", lambda: is_listening(self.port))

    def signal(self, sig: int) -> None:
        end_group(self.process, sig)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()

    def taken(self) -> dict[int, list[str]]:
        """What was noted of each id."""
        found = collections.defaultdict(list)
        if self.file.exists():
            for line in self.file.read_text(encoding="ascii").splitlines():
                number, what = line.split()
                found[int(number)].append(what)
        return found


def smtpload(tools: pathlib.Path, port: int, mails: int, connections: int,
             *options: str) -> dict:
    """The bench's load generator; what it has counted and measured."""
    mail = tools / "mail"
    if not mail.exists():
        mail.write_bytes(MAIL)
    done = subprocess.run(
        [tools / "smtpload", "-d", mail, "-h", f"127.0.0.1:{port}", "-c", str(connections),
         "-n", str(mails), "-a", "-V", *options],
        stdout=subprocess.PIPE, text=True, timeout=300, check=True)
    return json.loads(done.stdout)


def ids_in(files: list[pathlib.Path]) -> dict[int, int]:
    """How many of the files hold each id."""
    found: dict[int, int] = collections.Counter()
    for path in files:
        with open(path, "rb") as file:
            found[int(ID_FIELD.search(file.read(16384)).group(1))] += 1
    return found
