"""test_scanner.py - scanners that answer, fail, hang and come back, as the gateway sees
them: the reply, what was delivered, what the record and the status say.

The scanners are fakes that do as they are told; test_clamd.py and others have real ones.
"""
import array
import contextlib
import json
import os
import socket
import threading
import time

import pytest

from client import Client, send
from conftest import reachable
from mails import id_of, make, send_as
from nexthop import shut
from servers import wait_for

VIRUS_RULE = "rule virus when virus.found then quarantine virus;"
SPAM_RULE = "rule spam when spam.score >= 5 then quarantine spam;"
FINISH = "otherwise accept;"
FAILURES = ("garbage", "half", "close", "late-close", "refuse", "silent")


class Fake:
    """A clamd, spamd or rspamd.  do("clean", ("slow", 2), "silent" ...): what it does with
    the next scans; then it does what it usually does."""

    def __init__(self, kind: str, path=None, port: int = 0, usual="clean"):
        self.kind, self.path, self.usual = kind, path, usual
        self.plan: list = []
        self.scans = self.connections = self.running = self.most = self.probes = 0
        self.messages: list[bytes] = []
        self.heads: list[bytes] = []
        self.open: list[socket.socket] = []
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        if path:
            path.unlink(missing_ok=True)
            self.listener.bind(str(path))
            path.chmod(0o666)
            self.place = f"unix:{path}"
        else:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.listener.bind(("127.0.0.1", port))
            self.place = f"127.0.0.1:{self.listener.getsockname()[1]}"
        self.listener.listen(128)
        threading.Thread(target=self._accept, daemon=True).start()

    def do(self, *actions):
        self.plan.extend(actions)
        return self

    def close(self):
        """Gone, with all its connections; its port refuses then."""
        self.ended.set()
        shut(self.listener)
        for wire in self.open:
            shut(wire)

    def hang_up(self):
        """On all connections, and goes on."""
        for wire in self.open:
            shut(wire)

    def block(self, name: str, more: str = "") -> str:
        return block_of(self.kind, name, self.place, more)

    def _accept(self):
        while True:
            try:
                wire, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            self.open.append(wire)
            threading.Thread(target=self._talk, args=(wire,), daemon=True).start()

    def _talk(self, wire):
        talk = {"clamd": Clamd, "spamd": Spamd, "rspamd": Rspamd}[self.kind](self, wire)
        with contextlib.suppress(OSError, EOFError):
            while talk.step():
                pass
        shut(wire)

    def act(self, talk) -> bool:
        """One scan, whose command was read; whether the connection goes on."""
        with self.lock:
            self.scans += 1
            self.running += 1
            self.most = max(self.most, self.running)
            action = self.plan.pop(0) if self.plan else self.usual
        try:
            return self.perform(talk, action)
        finally:
            with self.lock:
                self.running -= 1

    def perform(self, talk, action) -> bool:
        if action == "close":
            return False
        self.messages.append(talk.message())
        if action == "silent":
            self.wait_end(talk.wire, 60)
            return False
        if isinstance(action, tuple):
            if self.wait_end(talk.wire, action[1]):
                return False
            action = action[2] if len(action) > 2 else "clean"
        if action == "late-close":
            return False
        answer = b"\xff\0 what?\r\n\r\n\0" if action == "garbage" else talk.answer(action)
        if action == "half":
            answer = answer[:len(answer) // 2]
        talk.wire.sendall(answer)
        return action not in ("half", "garbage") and talk.keeps

    def wait_end(self, wire, seconds: float) -> bool:
        """If the other side has left before."""
        wire.settimeout(seconds)
        try:
            return wire.recv(1, socket.MSG_PEEK) == b""
        except TimeoutError:
            return False
        finally:
            wire.settimeout(None)


def block_of(kind: str, name: str, places: str, more: str = "") -> str:
    """Without canaries, which would take the fakes' actions: test_clamd.py has them."""
    canary = "canary 0;" if kind == "clamd" else ""
    return f"scanner {name} {{ type {kind}; at {places}; {canary} {more} }}\n"


class Talk:
    keeps = True

    def __init__(self, fake: Fake, wire: socket.socket):
        self.fake, self.wire, self.buffer, self.files = fake, wire, b"", array.array("i")

    def fill(self):
        octets, rights, _, _ = self.wire.recvmsg(65536, socket.CMSG_SPACE(16))
        for _, _, data in rights:
            self.files.frombytes(data)
        if not octets:
            raise EOFError
        self.buffer += octets

    def take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            self.fill()
        octets, self.buffer = self.buffer[:count], self.buffer[count:]
        return octets

    def until(self, mark: bytes) -> bytes:
        while mark not in self.buffer:
            self.fill()
        return self.take(self.buffer.index(mark) + len(mark))


class Clamd(Talk):
    number = 0
    command = b""

    def step(self) -> bool:
        self.command = self.until(b"\0")[:-1]
        if self.command == b"zIDSESSION":
            return True
        self.number += 1
        if self.command == b"zVERSION":
            self.wire.sendall(b"%d: ClamAV 1.4.3/27500/Sat Nov 21 09:30:00 2026\0" % self.number)
            self.fake.probes += 1
            return True
        return self.fake.act(self)

    def message(self) -> bytes:
        if self.command == b"zFILDES":
            self.take(1)
            with os.fdopen(self.files.pop(), "rb") as file:
                file.seek(0)
                return file.read()
        octets = b""
        while size := int.from_bytes(self.take(4), "big"):
            octets += self.take(size)
        return octets

    def answer(self, action) -> bytes:
        what = "fd[10]" if self.command == b"zFILDES" else "stream"
        texts = {"infected": f"{what}: Fake.Virus FOUND", "refuse": f"{what}: Out of memory ERROR",
                 "denied": f"{what}: Can't open file or directory ERROR"}
        return f"{self.number}: {texts.get(action, what + ': OK')}\0".encode()


class Spamd(Talk):
    keeps = False

    def step(self) -> bool:
        self.head = self.until(b"\r\n\r\n")
        if self.head.startswith(b"PING"):
            self.wire.sendall(b"SPAMD/1.5 0 PONG\r\n")
            return False
        self.fake.heads.append(self.head)
        return self.fake.act(self)

    def message(self) -> bytes:
        return self.take(length_of(self.head))

    def answer(self, action) -> bytes:
        if action == "refuse":
            return b"SPAMD/1.1 75 EX_TEMPFAIL\r\n\r\n"
        score, spam = ("7.5", "True") if action == "infected" else ("0.5", "False")
        text = (f"Content analysis details:   ({score} points, 5.0 required)\r\n\r\n"
                " pts rule name              description\r\n"
                "---- ---------------------- --------------------------------\r\n"
                f" {score} FAKE_RULE              Text\r\n")
        return (f"SPAMD/1.1 0 EX_OK\r\nContent-length: {len(text)}\r\n"
                f"Spam: {spam} ; {score} / 5.0\r\n\r\n{text}").encode()


class Rspamd(Talk):
    def step(self) -> bool:
        self.head = self.until(b"\r\n\r\n")
        if b"/ping" in self.head.split(b"\r\n")[0]:
            self.wire.sendall(http("pong\r\n"))
            return True
        self.fake.heads.append(self.head)
        return self.fake.act(self)

    def message(self) -> bytes:
        return self.take(length_of(self.head))

    def answer(self, action) -> bytes:
        if action == "refuse":
            return http('{"error":"no"}', "500 Failed")
        score = 7.5 if action == "infected" else 0.5
        return http(json.dumps({"is_skipped": False, "score": score, "required_score": 15,
                                "action": "no action", "symbols": {
                                    "FAKE_RULE": {"name": "FAKE_RULE", "score": score}}}))


def http(text: str, status: str = "200 OK") -> bytes:
    return (f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\n"
            f"Content-Type: application/json\r\n\r\n{text}").encode()


def length_of(head: bytes) -> int:
    return next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length"))


@pytest.fixture
def fake(tmp_path):
    """fake("clamd"): on a unix socket; tcp=True: on a port."""
    made = []

    def make_one(kind, tcp=False, **options):
        path = None if tcp else reachable(tmp_path) / f"scanner{len(made)}"
        made.append(Fake(kind, path, **options))
        return made[-1]
    yield make_one
    for one in made:
        one.close()


@pytest.fixture
def site(sallyport, next_hop):
    """site(blocks, policy, ...): a Sallyport of one gateway, and its next hop in .hop."""
    def start(blocks, policy=VIRUS_RULE + FINISH, **options):
        hop = next_hop()
        daemon = sallyport(f"127.0.0.1:{hop.port}", policy=policy,
                           settings="gateways 1;\n" + blocks, **options)
        daemon.hop = hop
        return daemon
    return start


def numbers(daemon, name: str) -> dict:
    return next(s for s in daemon.status()["scanners"] if s["scanner"] == name)


def is_settled(daemon, name: str) -> bool:
    s = numbers(daemon, name)
    over = ("clean", "infected", "scored", "unscannable", "failed", "called-off")
    return s["running"] == s["waiting"] == 0 and s["asked"] == sum(s[key] for key in over)


def later(function, *args):
    """Runs it beside; .join() gives what it returned."""
    class Later(threading.Thread):
        def run(self):
            self.value = function(*args)

        def join(self, timeout=60):
            super().join(timeout)
            return self.value
    thread = Later(daemon=True)
    thread.start()
    return thread


def policy_of(kind: str) -> str:
    return (VIRUS_RULE if kind == "clamd" else SPAM_RULE) + FINISH


def twice_where_local(kind: str, tcp: bool, action: str) -> list[str]:
    """A clamd that closes without a word is sent the same as a stream: it may be that it
    cannot read descriptors."""
    return [action] * (2 if kind == "clamd" and not tcp and "close" in action else 1)


KINDS = [("clamd", False), ("clamd", True), ("spamd", False), ("spamd", True),
         ("rspamd", False), ("rspamd", True)]


@pytest.mark.parametrize("kind,tcp", KINDS)
def test_answers(fake, site, kind, tcp):
    scanner = fake(kind, tcp=tcp)
    daemon = site(scanner.block("one"), policy_of(kind))
    clean = make(subject="clean")
    answer = send(daemon.port, clean)
    assert answer.code == 250
    assert (clean in scanner.messages[0]) and daemon.hop.wait(1)[0].data.endswith(clean)
    marked = b"\r\nX-Virus-Scanned: Sallyport at sallyport.example.com\r\n"
    assert (marked in daemon.hop.mails[0].data) == (kind == "clamd")
    scanner.do("infected")
    bad = send(daemon.port, make())
    assert bad.code == 250 and "quarantined" in bad.end[1]
    assert len(daemon.hop.mails) == 1
    text = json.dumps(daemon.explain(id_of(bad)))
    assert "result = " + ("infected" if kind == "clamd" else "scored") in text
    assert ("virus.name" in text and "Fake.Virus" in text) == (kind == "clamd")
    assert ("FAKE_RULE" in text) == (kind != "clamd")
    assert is_settled(daemon, "one")
    one = numbers(daemon, "one")
    assert one["servers"][0]["state"] == "up" and one["asked"] == 2
    assert one["servers"][0]["signatures_ms"] == (1795253400000 if kind == "clamd" else 0)
    assert "Scanners\n  'one' kind = " + kind in daemon.run("explain", id_of(bad)).stdout


@pytest.mark.parametrize("kind,tcp", KINDS)
@pytest.mark.parametrize("action", FAILURES)
def test_failure_is_never_clean(fake, site, kind, tcp, action):
    scanner = fake(kind, tcp=tcp).do(*twice_where_local(kind, tcp, action))
    daemon = site(scanner.block("one", "timeout 700ms;"), policy_of(kind))
    answer = send(daemon.port, make())
    assert answer.code == 451 and answer.end[1].startswith("4.7.1 one: "), answer
    assert action != "silent" or "one: no answer within 0.7 s, try again later" in answer.end[1]
    assert send(daemon.port, make()).code == 250
    daemon.hop.wait(1)
    assert len(daemon.hop.mails) == 1 and numbers(daemon, "one")["failed"] == 1
    assert "result = failed" in json.dumps(daemon.explain(id_of(answer)))


@pytest.mark.parametrize("action", [a for a in FAILURES if a != "silent"])
@pytest.mark.parametrize("kind", ["clamd", "spamd", "rspamd"])
def test_fail_over(fake, site, kind, action):
    first, second = fake(kind).do(*twice_where_local(kind, False, action)), fake(kind)
    blocks = block_of(kind, "one", f"{first.place} {second.place}")
    daemon = site(blocks, policy_of(kind))
    assert send(daemon.port, make()).code == 250
    failed = first.scans
    assert first.plan == [] and second.scans == 1
    assert send(daemon.port, make()).code == 250        # the first again
    assert first.scans == failed + 1 and numbers(daemon, "one")["failed"] == 0


@pytest.mark.parametrize("kind", ["clamd", "rspamd"])
def test_stale_connection(fake, site, kind):
    scanner = fake(kind)
    daemon = site(scanner.block("one"), policy_of(kind))
    for _ in range(3):
        assert send(daemon.port, make()).code == 250
    kept = scanner.connections
    assert kept <= 2                                    # a probe, and one that is reused
    scanner.hang_up()
    assert send(daemon.port, make()).code == 250
    scanner.do("close")                                 # as if it had timed out just now
    assert send(daemon.port, make()).code == 250
    assert numbers(daemon, "one")["failed"] == 0


def test_breaker(fake, site, tmp_path):
    scanner = fake("clamd")
    daemon = site(scanner.block("one"))
    assert send(daemon.port, make()).code == 250
    scanner.close()
    scanner.path.unlink()
    texts = [send(daemon.port, make()).end[1] for _ in range(4)]
    assert all("one: cannot connect: No such file" in text for text in texts[:2]), texts
    assert "one: not asked, down for " in texts[3] and "(cannot connect: " in texts[3]
    assert numbers(daemon, "one")["servers"][0]["state"] == "down"
    assert daemon.run("status").returncode != 0
    daemon.wait_log("scanner scanner=one")
    again = Fake("clamd", scanner.path)
    wait_for("the scanner to be up", lambda: numbers(daemon, "one")["servers"][0]["state"] == "up",
             15)
    assert send(daemon.port, make()).code == 250
    again.close()
    assert "state=down" in daemon.log() and "state=up" in daemon.log()


def test_slots_queue_and_others(fake, site):
    scanner = fake("clamd", usual="silent")
    daemon = site(scanner.block("one", "timeout 2s; slots 2; queue 3;"),
                  'rule free when sender = "free@example.com" then accept;' + VIRUS_RULE + FINISH)
    began = time.monotonic()
    mails = [later(send, daemon.port, make()) for _ in range(9)]
    wait_for("them to wait", lambda: numbers(daemon, "one")["asked"] == 9)
    assert numbers(daemon, "one")["running"] == 2 and numbers(daemon, "one")["waiting"] == 3
    assert send(daemon.port, make(), sender="free@example.com").code == 250
    assert time.monotonic() - began < 1.9               # nobody waited for that
    answers = [mail.join() for mail in mails]
    texts = sorted(answer.end[1].split(",")[0] for answer in answers)
    assert texts == ["4.7.1 one: no answer within 2 s"] * 2 + \
        ["4.7.1 one: no free slot within 2 s"] * 3 + ["4.7.1 one: too busy"] * 4
    assert scanner.most == 2 and numbers(daemon, "one")["busy"] == 7
    assert is_settled(daemon, "one") and time.monotonic() - began < 4


def test_one_client_has_half(fake, site):
    """Its mails, on which scans hang, keep no others waiting."""
    scanner = fake("clamd", usual=("slow", 3))
    daemon = site(scanner.block("one", "slots 4; queue 6;"))
    began = time.monotonic()
    first = [later(send_as, daemon.port, make(), "a@example.net", None,
                   "XFORWARD ADDR=192.0.2.7") for _ in range(8)]
    wait_for("them to wait", lambda: numbers(daemon, "one")["asked"] == 8)
    assert numbers(daemon, "one")["running"] == 2 and numbers(daemon, "one")["waiting"] == 3
    others = [later(send_as, daemon.port, make(), "a@example.net", None,
                    f"XFORWARD ADDR=192.0.2.{8 + i}") for i in range(2)]
    assert [other.join().code for other in others] == [250] * 2
    assert time.monotonic() - began < 5.5
    texts = sorted(mail.join().end[1].split(", id")[0] for mail in first)
    assert texts[-3:] == ["4.7.1 one: too busy with mails of this client, try again later"] * 3
    assert len(daemon.hop.wait(7)) == 7 and is_settled(daemon, "one")


def test_hanging_mails_do_not_stop_the_rest(fake, site):
    """A server that answers others while a few mails hang is not put out."""
    scanner = fake("clamd").do(*["silent"] * 4)
    daemon = site(scanner.block("one", "timeout 2s;"))
    hanging = [later(send, daemon.port, make()) for _ in range(4)]
    wait_for("them to be asked", lambda: scanner.running == 4)
    assert send(daemon.port, make()).code == 250
    assert all("no answer within 2 s" in mail.join().end[1] for mail in hanging)
    assert [send(daemon.port, make()).code for _ in range(3)] == [250] * 3
    assert numbers(daemon, "one")["not-asked"] == 0 and "state=down" not in daemon.log()


def test_queue_moves(fake, site):
    scanner = fake("clamd", usual=("slow", 0.2))
    daemon = site(scanner.block("one", "slots 2;"))
    answers = [mail.join() for mail in [later(send, daemon.port, make()) for _ in range(8)]]
    assert [answer.code for answer in answers] == [250] * 8 and scanner.most == 2
    assert len(daemon.hop.wait(8)) == 8 and is_settled(daemon, "one")


def test_called_off(fake, site):
    slow, quick = fake("clamd", usual=("slow", 20)), fake("spamd", usual="infected")
    daemon = site(slow.block("slow") + quick.block("quick"), SPAM_RULE + VIRUS_RULE + FINISH)
    began = time.monotonic()
    assert "quarantined" in send(daemon.port, make()).end[1]
    assert time.monotonic() - began < 5
    wait_for("the connection to end", lambda: slow.running == 0)
    assert numbers(daemon, "slow")["called-off"] == 1 and is_settled(daemon, "slow")


def test_both_are_asked_side_by_side(fake, site):
    virus, spam = fake("clamd", usual=("slow", 1)), fake("spamd", usual=("slow", 1))
    daemon = site(virus.block("virus") + spam.block("spam"), VIRUS_RULE + SPAM_RULE + FINISH)
    began = time.monotonic()
    assert send(daemon.port, make()).code == 250
    assert time.monotonic() - began < 1.9


def test_two_scores_and_weight(fake, site):
    one, two = fake("spamd", usual="infected"), fake("rspamd", usual="infected")
    daemon = site(one.block("one") + two.block("two", "weight 0.5;"),
                  "rule a when spam.score >= 11.3 then discard;"
                  "rule b when spam.score >= 11.25 then quarantine spam;" + FINISH)
    assert "quarantined" in send(daemon.port, make()).end[1]
    assert b"Return-Path: <sender@example.com>\r\n" in one.messages[0]
    two.do("refuse")
    answer = send(daemon.port, make())
    assert answer.code == 451 and "two: " in answer.end[1]


def test_one_virus_is_enough(fake, site):
    bad, broken = fake("clamd", usual="infected"), fake("clamd", usual="refuse")
    daemon = site(bad.block("bad") + broken.block("broken"))
    assert "quarantined" in send(daemon.port, make()).end[1]
    bad.do("clean")
    answer = send(daemon.port, make())
    assert answer.code == 451 and "4.7.1 broken: " in answer.end[1]


def test_nobody_is_asked_in_vain(fake, site):
    scanner = fake("clamd")
    daemon = site(scanner.block("one"),
                  'rule free when sender = "free@example.com" then accept;' + VIRUS_RULE + FINISH)
    assert send(daemon.port, make(), sender="free@example.com").code == 250
    assert numbers(daemon, "one")["asked"] == 0
    assert b"X-Virus-Scanned" not in daemon.hop.wait(1)[0].data


def test_size_limit(fake, site):
    scanner = fake("clamd")
    rules = "rule large when virus.unscannable then quarantine large;" + VIRUS_RULE + FINISH
    daemon = site(scanner.block("one", "size-limit 10K;"), rules)
    assert send(daemon.port, make()).code == 250
    answer = send(daemon.port, make("x\n" * 10000))
    assert "quarantined" in answer.end[1] and scanner.scans == 1
    assert "larger than its size-limit of 10.0 KiB" in json.dumps(daemon.explain(id_of(answer)))
    assert [path.parent.parent.name for path in daemon.quarantined()] == ["large"]


def test_large_message(fake, site):
    for tcp in (False, True):
        scanner = fake("clamd", tcp=tcp)
        daemon = site(scanner.block("one", "transfer instream;"))
        mail = make("0123456789" * 70 + "\n" + "line\n" * 1_000_000)
        assert send(daemon.port, mail).code == 250
        assert scanner.messages == [mail]


def test_denied_descriptors(fake, site):
    scanner = fake("clamd").do("denied")
    daemon = site(scanner.block("one"))
    for _ in range(3):
        assert send(daemon.port, make()).code == 250
    assert scanner.scans == 4 and numbers(daemon, "one")["failed"] == 0
    assert daemon.log().count("may not read the descriptors") == 1


def test_accepted_unscanned(fake, site):
    scanner = fake("clamd", usual="refuse")
    daemon = site(scanner.block("one", "on-failure accept;"))
    answer = send(daemon.port, make())
    assert answer.code == 250
    data = daemon.hop.wait(1)[0].data
    assert b"\r\nX-Sallyport-Unscanned: one (" in data and b"X-Virus-Scanned" not in data
    assert daemon.status()["counters"]["unscanned"] == 1
    said = b"".join(data.split(b"X-Sallyport-Unscanned: ")[1].split(b"\r\n")[:1]).decode()
    assert f"accepted without {said}" in daemon.explain(id_of(answer))["changes"]
    assert f'unscanned="{said}"' in daemon.log()
    scanner.usual = "clean"
    assert send(daemon.port, make()).code == 250
    assert b"Unscanned" not in daemon.hop.wait(2)[1].data


def test_held(fake, site):
    scanner = fake("clamd", usual="refuse")
    daemon = site(scanner.block("one", "on-failure hold;"), queue="before")
    answer = send(daemon.port, make())
    assert answer.code == 250 and not daemon.hop.mails
    assert len(daemon.quarantined("hold")) == 1
    assert daemon.status()["counters"]["held"] == 1


def test_client_leaves(fake, site):
    scanner = fake("clamd", usual=("slow", 20))
    daemon = site(scanner.block("one"))
    client = Client(daemon.port)
    client.mail_from("sender@example.com", ["rcpt@example.org"])
    client.say("DATA")
    client.sock.sendall(make() + b"\r\n.\r\n")
    wait_for("the scan", lambda: scanner.running == 1)
    client.close()
    wait_for("the scan to be called off", lambda: scanner.running == 0, 5)
    assert numbers(daemon, "one")["called-off"] == 1 and not daemon.hop.mails
    scanner.do("clean")
    assert send(daemon.port, make()).code == 250


def test_reload_in_the_middle(fake, site):
    scanner = fake("clamd", usual=("slow", 1.5, "infected"))
    daemon = site(scanner.block("one"))
    mail = later(send, daemon.port, make())
    wait_for("the scan", lambda: scanner.running == 1)
    daemon.settings = "gateways 1;\n" + scanner.block("one", "slots 1; timeout 20s;")
    assert daemon.reload().returncode == 0
    again = later(send, daemon.port, make())
    daemon.settings, daemon.policy = "gateways 1;\n", FINISH
    assert daemon.reload().returncode == 0
    assert send(daemon.port, make()).code == 250        # of the newest: nobody is asked
    assert daemon.status()["scanners"] == []
    assert "quarantined" in mail.join().end[1]
    assert again.join().code == 250
    assert len(daemon.hop.mails) >= 1


def test_numbers_survive(fake, site):
    scanner = fake("clamd")
    daemon = site(scanner.block("one"))
    for _ in range(3):
        assert send(daemon.port, make()).code == 250
    scanner.usual = ("slow", 30)
    mail = later(lambda: pytest.raises(Exception, send, daemon.port, make()))
    wait_for("the scan", lambda: scanner.running == 1)
    daemon.kill("gateway")
    wait_for("another gateway", lambda: daemon.run("status").returncode == 0)
    mail.join()
    one = numbers(daemon, "one")
    assert one["clean"] == 3 and one["running"] == 0
    assert "sallyport_scanner_clean_total{scanner=\"one\"} 3" in \
        daemon.run("status", "--prometheus").stdout


def test_status_text(fake, site):
    scanner = fake("clamd")
    daemon = site(scanner.block("one"))
    send(daemon.port, make())
    text = daemon.run("status").stdout
    assert "SCANNER one (clamd)" in text and f"  {scanner.place}: up for " in text
    assert "ClamAV 1.4.3/27500/" in text and "signatures " in text
    assert "asked 1, clean 1, waiting 0, mean time " in text
