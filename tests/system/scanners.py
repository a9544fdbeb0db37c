"""scanners.py - clamd, spamd and rspamd, unpacked and never installed, for tests.

    clamd = Clamd(trees, home).start()          its own few signatures, no update
    spamd = Spamd(trees, home).start()          own rules; stock=True: all of Debian's
    rspamd = Rspamd(trees, home).start()        one process, no module, own rules
    clamd.unix, clamd.tcp                       places, as `at` of the configuration wants
    clamd.pause(); clamd.resume(); clamd.kill(); clamd.restart()

Each has its own folder, sockets and processes, asks nobody else, and needs no root.  What
they find in a mail: EICAR and VIRUS (clamd), GTUBE, and the score that a field `X-Grade`
names, one of GRADES (spamd, rspamd).

    cut = Between(clamd.unix, path=...)         stands before a scanner, and cuts
    fake = FakeClamd(delay=2)                   says OK to all, in time
"""
from __future__ import annotations

import base64
import heapq
import itertools
import os
import pathlib
import selectors
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tools"))

from client import send  # noqa: E402
from mails import make  # noqa: E402
from private_net import free_port  # noqa: E402
from servers import end_process, wait_for  # noqa: E402

# In two pieces, so that no scanner takes this file for what it is about.
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
EICAR_NAME = "Eicar-Test-Signature"
VIRUS = "SALLYPORT-SYSTEM-TEST-" + "VIRUS-7f3a90c1"
VIRUS_NAME = "Sallyport.Test.Virus"
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
GRADES = ("-2.5", "0.5", "1", "4.9", "5", "6.31", "8", "12")
CANARY = b"canary@sallyport"
START_SECONDS = 60


def connect(place: str, timeout: float = 20) -> socket.socket:
    """A connection to "unix:/path" or "127.0.0.1:port"."""
    if place.startswith("unix:"):
        made, address = socket.socket(socket.AF_UNIX), place[5:]
    else:
        host, port = place.rsplit(":", 1)
        made, address = socket.socket(), (host, int(port))
    made.settimeout(timeout)
    made.connect(address)
    return made


def ask(place: str, octets: bytes, timeout: float = 20, half_close: bool = False) -> bytes:
    """What comes back until the other side closes."""
    with connect(place, timeout) as wire:
        wire.sendall(octets)
        if half_close:
            wire.shutdown(socket.SHUT_WR)
        parts = []
        while part := wire.recv(65536):
            parts.append(part)
        return b"".join(parts)


def block(name: str, kind: str, *places: str, **settings) -> str:
    """A scanner of the configuration; connect_timeout="1s" ..."""
    rows = {"type": kind, "at": " ".join(places), **settings}
    text = "".join(f"\t{key.replace('_', '-')} {value};\n" for key, value in rows.items())
    return f"scanner {name} {{\n{text}}}\n"


def carrying(content: str | bytes, **fields) -> bytes:
    """A mail whose attachment, in base64, is this."""
    octets = content.encode() if isinstance(content, str) else content
    return make("--b\nContent-Type: text/plain\n\nSee there.\n--b\n"
                "Content-Type: application/octet-stream; name=\"a.bin\"\n"
                "Content-Disposition: attachment; filename=\"a.bin\"\n"
                "Content-Transfer-Encoding: base64\n\n"
                + base64.encodebytes(octets).decode() + "\n--b--\n",
                mime_version="1.0", content_type="multipart/mixed; boundary=b", **fields)


def fact_of(record: dict, name: str) -> str | None:
    """A fact of `explain --json`, as it is printed there; None: absent or unknown."""
    rows = {row["name"]: row for row in record["facts"]}
    return rows[name]["value"] if rows.get(name, {}).get("state") == "known" else None


def code_of(daemon, octets: bytes, **options) -> int:
    """The last reply to a mail."""
    return send(daemon.port, octets, **options).end[0]


class Scanner:
    """What the three have in common."""
    tree_name = ""                      # the package's name
    name = ""

    def __init__(self, trees: pathlib.Path, home: pathlib.Path):
        self.root = trees / self.tree_name / "root"
        self.home = home
        self.port = free_port()
        self.socket = home / "socket"
        self.limits: list[str] = []     # prlimit's options
        self.process: subprocess.Popen | None = None

    @property
    def tcp(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def unix(self) -> str:
        return f"unix:{self.socket}"

    # to be given by each scanner

    def configure(self) -> None:
        raise NotImplementedError

    def command(self) -> list:
        raise NotImplementedError

    def is_up(self) -> bool:
        """If it answers."""
        raise NotImplementedError

    # the common part

    def environment(self) -> dict[str, str]:
        folders = [self.root / "usr/lib" / self.name,
                   *sorted((self.root / "usr/lib").glob("*-linux-gnu*"))]
        return {"LD_LIBRARY_PATH": ":".join(map(str, folders)), "HOME": str(self.home)}

    def prepare(self) -> None:
        """Folder and configuration."""
        for folder in (self.home, self.home / "tmp"):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o777)         # theirs, whoever they become
        self.configure()

    def start(self, wait: bool = True):
        self.prepare()
        self.socket.unlink(missing_ok=True)
        command = ["setpriv", "--pdeathsig", "TERM"]
        command += ["prlimit", *self.limits] if self.limits else []
        with open(self.home / "output", "ab") as output:
            self.process = subprocess.Popen(
                [*command, *map(str, self.command())], stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, start_new_session=True,
                env={**os.environ, **self.environment()})
        if wait:
            self.wait_up()
        return self

    def wait_up(self) -> None:
        def up() -> bool:
            assert self.process.poll() is None, f"{self.name} has ended:\n{self.log()}"
            try:
                return self.is_up()
            except OSError:
                return False
        wait_for(f"{self.name} to answer", up, START_SECONDS)

    def signal(self, number: int) -> None:
        """To it and all its children: they are a session of their own."""
        os.killpg(self.process.pid, number)

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """At once, in the middle of whatever it does."""
        if self.process and self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()

    def stop(self) -> None:
        """In order, then by force; children that are left, too."""
        if not self.process or self.process.poll() is not None:
            return
        self.resume()
        end_process(self.process)
        try:
            self.signal(signal.SIGKILL)
        except ProcessLookupError:
            pass

    def restart(self):
        self.stop()
        return self.start()

    def log(self) -> str:
        path = self.home / "output"
        return path.read_text(errors="replace") if path.exists() else ""


def ndb_line(name: str, text: str) -> str:
    return f"{name}:0:*:{text.encode().hex()}\n"


class Clamd(Scanner):
    """options: lines of clamd.conf, "StreamMaxLength 100K"."""
    tree_name, name = "clamav-daemon", "clamd"

    def __init__(self, *args, options: str = "", user: str = "", signatures: bool = True):
        super().__init__(*args)
        self.options, self.user, self.signatures = options, user, signatures
        self.database = self.home / "db"
        self.temporary = self.home / "tmp"

    def configure(self) -> None:
        if not self.database.exists():
            self.database.mkdir()
            if self.signatures:
                self.write_signatures()
        (self.home / "clamd.conf").write_text(
            f"DatabaseDirectory {self.database}\nTemporaryDirectory {self.temporary}\n"
            f"LocalSocket {self.socket}\nLocalSocketMode 666\nFixStaleSocket yes\n"
            f"TCPSocket {self.port}\nTCPAddr 127.0.0.1\nForeground yes\nSelfCheck 0\n"
            f"MaxThreads 4\nLogTime yes\nLogVerbose yes\n"
            + (f"User {self.user}\n" if self.user else "") + self.options + "\n")

    def write_signatures(self, text: str | None = None) -> None:
        """EICAR and VIRUS, or a text that is nonsense."""
        lines = ndb_line(EICAR_NAME, EICAR) + ndb_line(VIRUS_NAME, VIRUS)
        (self.database / "test.ndb").write_text(lines if text is None else text)

    def command(self) -> list:
        return [self.root / "usr/sbin/clamd", "-c", self.home / "clamd.conf"]

    def is_up(self) -> bool:
        return ask(self.unix, b"zPING\0", 2) == b"PONG\0"

    def say(self, command: str) -> str:
        """One command, one reply."""
        return ask(self.unix, b"z" + command.encode() + b"\0").decode().rstrip("\0\n")

    def reload(self) -> None:
        """Returns when it is done, for better or worse."""
        before = self.log().count("\n")
        self.say("RELOAD")

        def lines() -> str:
            return "\n".join(self.log().splitlines()[before:])
        wait_for("clamd to reload", lambda: self.process.poll() is not None or
                 any(word in lines() for word in ("Database correctly reloaded", "ERROR")))


# A score by a field, for both: what the mail says of itself.
SPAMD_RULES = """
required_score 5
clear_report_template
report Spam detection software has examined this mail.
report Content analysis details:   (_SCORE_ points, _REQD_ required)
report _SUMMARY_
use_bayes 0
use_auto_whitelist 0
body GTUBE /XJS\\*C4JDBQADN1\\.NSBN3\\*2IDNEN\\*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL\\*C\\.34X/
describe GTUBE Generic Test for Unsolicited Bulk Email
score GTUBE 1000
"""
SPAMD_GRADE = """
header {name} X-Grade =~ /^\\s*{pattern}\\s*$/
describe {name} Graded {grade} by the test
score {name} {grade}
"""


def grade_name(grade: str) -> str:
    """GRADE_6_31, GRADE_M2_5"""
    return "GRADE_" + grade.replace("-", "M").replace(".", "_")


class Spamd(Scanner):
    """children: how many mails at once; rules: more lines of local.cf; stock: with all
    the rules that Debian ships."""
    tree_name, name = "spamd", "spamd"

    def __init__(self, *args, children: int = 2, rules: str = "", stock: bool = False,
                 options: tuple[str, ...] = ()):
        super().__init__(*args)
        self.children, self.rules, self.stock = children, rules, stock
        self.options = options

    def configure(self) -> None:
        site = self.home / "site"
        if self.stock and not site.exists():
            shutil.copytree(self.root / "etc/spamassassin", site)
        for folder in (site, self.home / "rules", self.home / "state"):
            folder.mkdir(exist_ok=True)
        if not self.stock:
            (site / "test.pre").write_text("loadplugin Mail::SpamAssassin::Plugin::Check\n")
        grades = "".join(SPAMD_GRADE.format(
            name=grade_name(grade), grade=grade, pattern=grade.replace(".", "\\."))
            for grade in GRADES)
        if not self.stock:
            (self.home / "rules/10_test.cf").write_text(SPAMD_RULES)
        (site / "local.cf").write_text(grades + self.rules)

    def command(self) -> list:
        """Perl takes no PERL5LIB from a script that distrusts its environment."""
        names = ["usr/share/perl5", "usr/lib/*-linux-gnu*/perl5/*"]
        if not pathlib.Path("/usr/share/perl").exists():
            names += ["usr/share/perl/5.*", "usr/lib/*-linux-gnu*/perl/5.*"]
        folders = [path for name in names for path in sorted(self.root.glob(name))]
        included = [word for folder in folders for word in ("-I", folder)]
        rules = self.root / "usr/share/spamassassin" if self.stock else self.home / "rules"
        return ["perl", "-T", "-w", *included, self.root / "usr/sbin/spamd", "--local",
                f"--configpath={rules}", f"--siteconfigpath={self.home}/site",
                "--nouser-config", f"--helper-home-dir={self.home}/state", "-s", "stderr",
                "--listen=127.0.0.1", f"--port={self.port}", f"--listen={self.socket}",
                "--socketmode=0666", f"--max-children={self.children}",
                f"--min-children={self.children}", "--min-spare=1",
                f"--max-spare={self.children}", f"--pidfile={self.home}/pid",
                *(["--username=nobody"] if os.geteuid() == 0 else []), *self.options]

    def is_up(self) -> bool:
        return b"PONG" in ask(self.tcp, b"PING SPAMC/1.5\r\n\r\n", 5)


RSPAMD_CONFIGURATION = """
options {{
	pidfile = "{home}/pid"; filters = ""; tempdir = "{home}/tmp";
	cache_file = "{home}/cache"; hs_cache_dir = "{home}/"; dynamic_conf = "{home}/dynamic";
	url_tld = "{home}/tld"; history_rows = 1; explicit_modules = [];
	control_socket = "{home}/control mode=0600"; local_addrs = []; task_timeout = 8s;
	dns {{ nameserver = ["127.0.0.1:{dns}"]; timeout = 0.2s; retransmits = 1; }}
}}
logging {{ type = "console"; level = "notice"; color = false; }}
metric "default" {{ actions {{ reject = 15; add_header = 6; greylist = 4; }} }}
worker "normal" {{
	bind_socket = "127.0.0.1:{port}"; bind_socket = "{socket} mode=0666";
	count = {children}; mime = true; {worker}
}}
lua = "{home}/test.lua";
{more}
"""
RSPAMD_RULES = """
rspamd_config:register_symbol({ name = 'GRADE', score = 1.0, group = 'test',
	description = 'Graded by the test', callback = function(task)
		local text = task:get_header('X-Grade')
		local grade = text and tonumber(text)
		if grade then
			task:insert_result('GRADE', grade, text)
		end
	end })
"""


class Rspamd(Scanner):
    """worker: more lines of the worker; more: of the configuration; rules: in Lua."""
    tree_name, name = "rspamd", "rspamd"

    def __init__(self, *args, children: int = 1, worker: str = "", more: str = "",
                 rules: str = ""):
        super().__init__(*args)
        self.children, self.worker, self.more = children, worker, more
        self.rules = rules

    def configure(self) -> None:
        (self.home / "test.lua").write_text(RSPAMD_RULES + self.rules)
        (self.home / "tld").write_text("com\norg\n")   # all of them: 20 s to compile
        (self.home / "rspamd.conf").write_text(RSPAMD_CONFIGURATION.format(
            home=self.home, port=self.port, socket=self.socket,
            children=self.children, worker=self.worker,
            more=self.more, dns=free_port()))

    def command(self) -> list:
        share = self.root / "usr/share/rspamd"
        places = {"CONFDIR": self.root / "etc/rspamd", "LOCAL_CONFDIR": self.home,
                  "RUNDIR": self.home, "DBDIR": self.home, "LOGDIR": self.home,
                  "SHAREDIR": share, "PLUGINSDIR": share / "plugins",
                  "RULESDIR": share / "rules", "LUALIBDIR": share / "lualib",
                  "WWWDIR": share / "www"}
        who = ["-u", "nobody", "-g", "nogroup"] if os.geteuid() == 0 else []
        return [self.root / "usr/bin/rspamd", "-f", *who, "-c", self.home / "rspamd.conf",
                *[f"--var={name}={place}" for name, place in places.items()]]

    def is_up(self) -> bool:
        return b"200" in ask(self.tcp, b"GET /ping HTTP/1.0\r\n\r\n", 5)


RIGHTS_OCTETS = socket.CMSG_SPACE(4 * struct.calcsize("i"))


class Between:
    """Stands before a scanner, and passes on what is said, with descriptors.

    cut_up, cut_down: after so many octets to the scanner, or back from it, `then` happens:
    "close", "reset", "stall", or what a function does (it is given the Between; then the
    connections are closed).  times: on so many connections, the first ones (None: all).
    garbage: said in the place of the scanner's first words.
    no_descriptor: takes away descriptors that are passed."""

    def __init__(self, target: str, path: pathlib.Path | None = None,
                 cut_up: int | None = None, cut_down: int | None = None, then="close",
                 times: int | None = None, garbage: bytes | None = None,
                 no_descriptor: bool = False):
        self.target = target
        self.cut_up, self.cut_down, self.then, self.times = cut_up, cut_down, then, times
        self.garbage, self.no_descriptor = garbage, no_descriptor
        self.connections = self.octets_up = self.octets_down = self.cuts = 0
        self.descriptors = 0
        self.open: set[socket.socket] = set()
        self.lock = threading.Lock()
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        if path:
            self.listener.bind(str(path))
            path.chmod(0o666)
            self.place = f"unix:{path}"
        else:
            self.listener.bind(("127.0.0.1", 0))
            self.place = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.listener.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        shut(self.listener)
        self.listener.close()
        for wire in list(self.open):
            shut(wire)

    def drop(self) -> None:
        """Ends all connections."""
        for wire in list(self.open):
            shut(wire)
        wait_for("all connections to end", lambda: not self.open, every=0.002)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            number, self.connections = self.connections, self.connections + 1
            threading.Thread(target=self._serve, args=(client, number), daemon=True).start()

    def _serve(self, client: socket.socket, number: int) -> None:
        try:
            server = connect(self.target)
            server.settimeout(None)
        except OSError:
            shut(client)
            return
        self.open |= {client, server}
        harmful = self.times is None or number < self.times
        up = threading.Thread(target=self._pass, daemon=True,
                              args=(client, server, True, harmful))
        up.start()
        self._pass(server, client, False, harmful)
        up.join()
        self.open -= {client, server}
        for wire in (client, server):
            wire.close()

    def _pass(self, source, sink, is_up: bool, harmful: bool) -> None:
        left = (self.cut_up if is_up else self.cut_down) if harmful else None
        garbage = self.garbage if harmful and not is_up else None
        try:
            while left != 0:
                octets, descriptors = receive(source, min(left or 65536, 65536))
                if not octets:
                    break
                octets, garbage = garbage or octets, None
                self._count(is_up, len(octets), len(descriptors))
                forward(sink, octets, [] if self.no_descriptor else descriptors)
                left = left - len(octets) if left is not None else None
            else:
                self._cut(source, sink, is_up)
                return
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for wire in (source, sink):
                shut(wire)

    def _count(self, is_up: bool, octets: int, descriptors: int) -> None:
        with self.lock:
            self.descriptors += descriptors
            if is_up:
                self.octets_up += octets
            else:
                self.octets_down += octets

    def _cut(self, source, sink, is_up: bool) -> None:
        self.cuts += 1
        client, server = (source, sink) if is_up else (sink, source)
        if self.then == "stall":
            while source.recv(65536):
                pass                    # swallowed
            return
        if callable(self.then):
            self.then(self)
        shut(server)
        if self.then == "reset":        # by close, when the other thread has let go of it
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.shutdown(socket.SHUT_RD)
        else:
            shut(client)


def receive(source: socket.socket, count: int) -> tuple[bytes, list[int]]:
    """Octets, and descriptors that came with them."""
    if source.family != socket.AF_UNIX:
        return source.recv(count), []
    octets, control, _, _ = source.recvmsg(count, RIGHTS_OCTETS)
    found: list[int] = []
    for level, kind, data in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            found += struct.unpack(f"{len(data) // 4}i", data)
    return octets, found


def forward(sink: socket.socket, octets: bytes, descriptors: list[int]) -> None:
    if descriptors:
        data = struct.pack(f"{len(descriptors)}i", *descriptors)
        sent = sink.sendmsg([octets], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, data)])
        octets = octets[sent:]
    sink.sendall(octets)
    for number in descriptors:
        os.close(number)


def shut(wire: socket.socket) -> None:
    """Ends a socket, also for the thread that waits in it."""
    try:
        wire.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass


@dataclass
class Talk:
    """A connection to FakeClamd."""
    wire: socket.socket
    buffer: bytearray = field(default_factory=bytearray)
    in_session: bool = False
    stream: bool = False                # in the chunks of INSTREAM
    number: int = 0
    canary: bool = False                # is what it is being sent


class FakeClamd:
    """A clamd of any number of slots that answers each scan after so many seconds.  It
    finds the canary, which takes as long, and does not count."""

    def __init__(self, delay: float, path: pathlib.Path, answer: str = "OK",
                 version: str = "ClamAV 1.4.6/27400/Sat Nov 21 08:00:00 2026"):
        self.delay, self.answer, self.version = delay, answer, version
        self.scans = self.most = 0      # asked in all; at the same time
        self.canaries = 0
        self.running = 0
        self.due: list[tuple[float, int, Talk, tuple[int, str, bool]]] = []
        self.order = itertools.count()
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        path.chmod(0o666)
        self.place = f"unix:{path}"
        self.listener.listen(1024)
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.ending = False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.ending = True
        self.thread.join(5)
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()

    def _run(self) -> None:
        while not self.ending:
            wait = self.due[0][0] - time.monotonic() if self.due else 0.2
            for key, _ in self.selector.select(max(0, min(wait, 0.2))):
                if key.fileobj is self.listener:
                    self._accept()
                else:
                    self._read(key.data)
            self._answer_due()

    def _accept(self) -> None:
        wire, _ = self.listener.accept()
        self.selector.register(wire, selectors.EVENT_READ, Talk(wire))

    def _end(self, talk: Talk) -> None:
        self.selector.unregister(talk.wire)
        talk.wire.close()

    def _read(self, talk: Talk) -> None:
        try:
            octets, descriptors = receive(talk.wire, 65536)
        except OSError:
            octets, descriptors = b"", []
        for number in descriptors:
            talk.canary = CANARY in os.pread(number, 100, 0)
            os.close(number)
        if not octets:
            self._end(talk)
            return
        talk.buffer += octets
        while self._step(talk):
            pass

    def _step(self, talk: Talk) -> bool:
        """Takes one command or chunk, if there is a whole one."""
        if talk.stream:
            return self._chunk(talk)
        if talk.buffer[:1] == b"\0":    # the byte that a descriptor came with
            del talk.buffer[:1]
            return True
        command, end, rest = bytes(talk.buffer).partition(b"\0")
        if not end:
            return False
        talk.buffer = bytearray(rest)
        self._command(talk, command.lstrip(b"z"))
        return True

    def _chunk(self, talk: Talk) -> bool:
        if len(talk.buffer) < 4:
            return False
        size, = struct.unpack_from(">I", talk.buffer)
        if len(talk.buffer) < 4 + size:
            return False
        talk.canary = talk.canary or CANARY in talk.buffer[4:100]
        del talk.buffer[:4 + size]
        if size == 0:
            talk.stream = False
            self._later(talk, "stream: ")
        return True

    def _command(self, talk: Talk, command: bytes) -> None:
        talk.number += talk.in_session and command != b"END"
        if command == b"IDSESSION":
            talk.in_session = True
        elif command == b"INSTREAM":
            talk.stream = True
        elif command == b"FILDES":
            self._later(talk, "fd[9]: ")
        elif command in (b"VERSION", b"PING"):
            self._say(talk, talk.number, "PONG" if command == b"PING" else self.version)

    def _later(self, talk: Talk, what: str) -> None:
        self.canaries += talk.canary
        self.scans += not talk.canary
        self.running += not talk.canary
        self.most = max(self.most, self.running)
        answer = "Eicar FOUND" if talk.canary else self.answer
        heapq.heappush(self.due, (time.monotonic() + self.delay, next(self.order), talk,
                                  (talk.number, what + answer, talk.canary)))
        talk.canary = False

    def _answer_due(self) -> None:
        while self.due and self.due[0][0] <= time.monotonic():
            _, _, talk, (number, text, canary) = heapq.heappop(self.due)
            self.running -= not canary
            self._say(talk, number, text)

    def _say(self, talk: Talk, number: int, text: str) -> None:
        try:
            talk.wire.sendall((f"{number}: " if talk.in_session else "").encode()
                              + text.encode() + b"\0")
        except OSError:
            return                      # it has gone; reading will tell
        if not talk.in_session:
            talk.wire.shutdown(socket.SHUT_RDWR)


class Cut:
    """A daemon that asks a scanner behind a Between, and mail through it: a bad one, to be
    quarantined, which is never delivered, and a good one."""

    def __init__(self, scanner: Scanner, middle: Between, daemon, hop, bad: bytes):
        self.scanner, self.middle, self.daemon, self.hop = scanner, middle, daemon, hop
        self.bad_octets = bad
        self.delivered = 0

    def harm(self, **options) -> None:
        """What happens to each connection from now on, all new; nothing: it is well."""
        self.middle.drop()
        for name in ("cut_up", "cut_down", "garbage"):
            setattr(self.middle, name, options.get(name))
        self.middle.then = options.get("then", "close")

    def bad(self) -> int:
        kept = len(self.daemon.quarantined())
        code = code_of(self.daemon, self.bad_octets)
        assert code in (250, 451)
        assert len(self.daemon.quarantined()) == kept + (code == 250)
        assert len(self.hop.mails) == self.delivered, self.hop.transcript()
        return code

    def good(self) -> int:
        code = code_of(self.daemon, make())
        assert code in (250, 451)
        self.delivered += code == 250
        assert len(self.hop.mails) == self.delivered
        return code

    def octets(self) -> tuple[int, int]:
        """Of a scan on a connection of its own: there and back."""
        self.harm()
        up, down = self.middle.octets_up, self.middle.octets_down
        assert self.bad() == 250
        return self.middle.octets_up - up, self.middle.octets_down - down
