"""test_pressure.py - memory, disk, queues, descriptors and processes run short.

Whatever is short: new mail is told to come later and early, what was answered 250 is
safe, others go on, and when it is over all is as before.
"""
import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest

from client import Client, send
from conftest import BUILD, lacking
from load import Keep, compile_tools, smtpload
from mails import make
from servers import wait_for

LONG = os.environ.get("SALLYPORT_LONG") == "1"
KEPT = 'rule kept when recipient = kept@example.org then quarantine kept;\notherwise accept;'
MIB = 1 << 20
SANITIZED = (BUILD / "src/gateway/sallyport-gateway").exists() and \
    b"__asan_init" in (BUILD / "src/gateway/sallyport-gateway").read_bytes()
CLONE_NEWNS, MS_PRIVATE_REC = 0x20000, 0x40000 | 0x4000
LIBC = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    return compile_tools(tmp_path_factory.mktemp("tools"))


@pytest.fixture
def sink(tools, tmp_path):
    """A next hop that is quick and never fails."""
    hop = Keep(tools, tmp_path / "taken")
    yield hop
    hop.kill()


@pytest.fixture
def tmpfs(tmp_path):
    """A small file system, in a mount namespace of our own."""
    if os.geteuid() != 0 or LIBC.unshare(CLONE_NEWNS) != 0 or \
            LIBC.mount(b"none", b"/", None, MS_PRIVATE_REC, None) != 0:
        lacking("a file system of a size needs root")
    mounted = []

    def make_one(path: pathlib.Path, size: int, user: str):
        path.mkdir(parents=True)
        for folder in (path.parent, tmp_path):
            folder.chmod(0o755)
        subprocess.run(["mount", "-t", "tmpfs", "-o",
                        f"size={size},mode=0755,uid={user_id(user)},gid={user_id(user)}",
                        "none", path], check=True)
        mounted.append(path)
        return path
    yield make_one
    for path in mounted:
        subprocess.run(["umount", "-l", path], check=True)


def user_id(name: str) -> int:
    """Of the user that a process takes when started as root."""
    numbers = {"sallyport-gateway": 61001, "sallyport-store": 61003}
    with open("/etc/passwd", encoding="utf-8") as lines:
        known = {line.split(":")[0]: int(line.split(":")[2]) for line in lines}
    return known.get(name, numbers[name])


def places(hop) -> str:
    return f"127.0.0.1:{hop.port}"


def counters(daemon) -> dict[str, int]:
    return daemon.status()["counters"]


def wait_empty(daemon) -> None:
    """Nothing is under way, and no budget is used."""
    names = ("sessions-open", "transactions-open", "memory", "spool")
    wait_for("budgets to be free", lambda: not any(
        value for name, value in counters(daemon).items() if name in names))


def begin_data(port: int, recipient: str = "rcpt@example.org") -> Client:
    """A client that has been told to go on with its message."""
    client = Client(port)
    answer = client.mail_from("sender@example.com", [recipient])
    assert answer.code == 0 and answer.sender[0] == 250, answer
    assert client.say("DATA")[0] == 354
    return client


def fill_budgets(port: int, octets: int, limit: int) -> list[Client]:
    """Clients in the middle of messages of that size, until MAIL is refused."""
    held = []
    while len(held) < limit:
        client = Client(port)
        answer = client.mail_from("sender@example.com", ["rcpt@example.org"])
        if answer.sender[0] != 250:
            assert answer.sender[0] == 452, answer
            client.close()
            return held
        if client.say("DATA")[0] == 354:
            client.sock.sendall(b"X-Long: 1\r\n\r\n" + (b"x" * 62 + b"\r\n") * (octets // 64))
            time.sleep(0.02)
        held.append(client)
    raise AssertionError(f"{limit} messages of {octets} octets, and none was refused")


# budgets

@pytest.mark.parametrize("queue", ["after", "before"])
def test_budgets(sallyport, next_hop, queue):
    """Memory first, then the spool, then 452 at MAIL; all of it is free again at the end."""
    hop = next_hop()
    daemon = sallyport(places(hop), queue=queue, settings="gateways 1;\nmemory-budget 8M;\n"
                       "spool-budget 8M;\nspool-from 4M;\nminimum-free 0;")
    held = fill_budgets(daemon.port, MIB, 40)
    assert 12 <= len(held) <= 18
    now = counters(daemon)
    assert send(daemon.port, make()).sender[0] == 452
    assert counters(daemon)["pressure"] > 0
    for client in held[:4]:
        client.close()
    wait_for("mail to be taken again", lambda: send(daemon.port, make()).code == 250)
    for client in held[4:]:
        client.sock.sendall(b".\r\n")
    codes = [client.reply()[0] for client in held[4:]]
    assert set(codes) <= {250, 452} and codes.count(250) >= 8, codes
    assert len(hop.mails) == 1 + codes.count(250)
    for client in held[4:]:
        client.close()
    wait_empty(daemon)
    assert now["memory"] <= 8 * MIB and now["spool"] <= 8 * MIB


def test_message_beyond_all_budgets(sallyport, next_hop):
    """One that fits nowhere: 452 at once if it says so by SIZE, else at its end."""
    hop = next_hop()
    daemon = sallyport(places(hop), settings="gateways 1;\nmemory-budget 2M;\n"
                       "spool-budget 2M;\nminimum-free 0;")
    answer = send(daemon.port, make("x" * 70 + "\n") + b"y" * 70 + b"\r\n" + (
        b"x" * 62 + b"\r\n") * 100000)
    assert answer.code == 452, answer
    assert send(daemon.port, make()).code == 250
    wait_empty(daemon)
    assert len(hop.mails) == 1


# disks

def test_spool_runs_full(sallyport, next_hop, tmpfs, tmp_path):
    """A full file system is 452 for those who need it; small mail goes on in memory."""
    hop = next_hop()
    tmpfs(tmp_path / "sallyport0/spool", 4 * MIB, "sallyport-gateway")
    daemon = sallyport(places(hop), settings="gateways 1;\nspool-from 64K;\nminimum-free 0;")
    held = []
    for _ in range(3):
        held.append(begin_data(daemon.port))
        held[-1].sock.sendall((b"x" * 62 + b"\r\n") * 20000)
    time.sleep(0.5)
    big = b"x" * 62 + b"\r\n"
    assert send(daemon.port, make() + big * 40000).code == 452
    assert send(daemon.port, make()).code == 250
    for client in held:
        client.sock.sendall(b".\r\n")
        assert client.reply()[0] == 250
        client.close()
    assert send(daemon.port, make() + big * 40000).code == 250
    assert sorted(len(mail.data) > MIB for mail in hop.mails) == [False] + 4 * [True]
    wait_empty(daemon)


@pytest.mark.parametrize("folder,user", [("spool", "sallyport-gateway"),
                                         ("state", "sallyport-store")])
def test_minimum_free(sallyport, next_hop, tmpfs, tmp_path, folder, user):
    """Below it no mail is taken, and that is said at MAIL."""
    hop = next_hop()
    disk = tmpfs(tmp_path / "sallyport0" / folder, 16 * MIB, user)
    daemon = sallyport(places(hop), settings="gateways 1;\nminimum-free 8M;")
    assert send(daemon.port, make()).code == 250
    (disk / "filler").write_bytes(b"x" * 10 * MIB)
    wait_for("452", lambda: send(daemon.port, make()).sender[0] == 452)
    daemon.wait_log("below minimum-free")
    (disk / "filler").unlink()
    wait_for("250 again", lambda: send(daemon.port, make()).code == 250)


def test_state_runs_full(sallyport, next_hop, tmpfs, tmp_path):
    """What must be kept is 451; other mail goes on, its journal rows are counted as lost."""
    hop = next_hop()
    disk = tmpfs(tmp_path / "sallyport0/state", 32 * MIB, "sallyport-store")
    daemon = sallyport(places(hop), policy=KEPT, settings="gateways 1;\nminimum-free 0;")
    to_keep = {"recipients": ["kept@example.org"]}
    assert send(daemon.port, make(), **to_keep).code == 250
    with open(disk / "filler", "wb", buffering=0) as filler:
        try:
            while filler.write(b"x" * 4096):
                pass
        except OSError:
            pass
    answers = [send(daemon.port, make("x" * 60 + "\n") + (b"y" * 62 + b"\r\n") * 200, **to_keep)
               for _ in range(20)]
    assert {answer.code for answer in answers} == {451}, answers
    for _ in range(50):
        assert send(daemon.port, make()).code == 250
    os.unlink(disk / "filler")
    wait_for("quarantine to work again",
             lambda: send(daemon.port, make(), **to_keep).code == 250)
    kept = daemon.quarantined("kept")
    assert len(kept) == 2 and len(hop.mails) == 50
    assert not [path for path in disk.rglob("*.tmp")]
    send(daemon.port, make(), sender="late@example.com")
    wait_for("the journal to be written again", lambda: any(
        "late@example.com" in line for line in daemon.track()))
    seen = counters(daemon)
    assert seen["store-failures"] >= 20


# the store

def test_store_stands_still(sallyport, sink, tools, report):
    """Journal rows wait up to a bound, then are dropped and counted; mail goes on."""
    daemon = sallyport(places(sink), policy=KEPT, settings="gateways 1;")
    gateway, = daemon.children("gateway")
    store = store_writer(daemon)
    before = pss(gateway)
    os.kill(store, signal.SIGSTOP)
    sent = 0
    while counters(daemon)["journal-dropped"] == 0:
        assert smtpload(tools, daemon.port, 1000, 5)["ok"] == 1000
        sent += 1000
        assert sent < 60000
    grown = pss(gateway) - before
    answer = send(daemon.port, make(), recipients=["kept@example.org"])
    assert answer.code == 451, answer
    os.kill(store, signal.SIGCONT)
    wait_for("quarantine to work again", lambda: send(
        daemon.port, make(), recipients=["kept@example.org"]).code == 250)
    handed = counters(daemon)
    wait_for("all other rows to be written", lambda: (
        lambda c: c["records"] + c["journal-dropped"] == c["messages"])(counters(daemon)))
    report(f"store stopped: {sent} mails went on, {handed['journal-dropped']} rows dropped, "
           f"the gateway grew by {grown / MIB:.1f} MiB")
    assert SANITIZED or grown < 16 * MIB


def store_writer(daemon) -> int:
    return next(row["pid"] for row in daemon.status()["processes"]
                if row["process"] == "store/0")


def pss(pid: int) -> int:
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii")
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines()
               if line.startswith("Pss:"))


@pytest.fixture
def report(capsys):
    def say(text):
        with capsys.disabled():
            print(f"\n  {text}")
    return say


# sessions and descriptors

def test_sessions_in_all(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(places(hop), settings="gateways 1;\nsessions 20;")
    clients = [Client(daemon.port) for _ in range(20)]
    for _ in range(5):
        assert greeting(daemon.port).startswith("421 4.3.2")
    clients.pop().close()
    wait_for("a place", lambda: greeting(daemon.port).startswith("220"))
    assert counters(daemon)["sessions-refused"] >= 5
    assert clients[0].mail_from("a@example.com", ["b@example.org"]).sender[0] == 250
    for client in clients:
        client.close()


def test_sessions_of_a_client(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(places(hop), settings="gateways 1;",
                       listener="\tsessions-per-client 3;")
    clients = [Client(daemon.port) for _ in range(3)]
    assert greeting(daemon.port).startswith("421 4.7.0")
    assert greeting(daemon.port, "127.0.0.9").startswith("220")
    clients.pop().close()
    wait_for("a place", lambda: greeting(daemon.port).startswith("220"))
    for client in clients:
        client.close()


def greeting(port: int, source: str = "127.0.0.1") -> str:
    """The first line that is said to a new connection."""
    with socket.create_connection(("127.0.0.1", port), 20, (source, 0)) as talk:
        return talk.makefile("r").readline()


def test_no_descriptors_left(sallyport, next_hop):
    """Who is in goes on as far as may be, the others wait at the door, none is lost."""
    hop = next_hop()
    daemon = sallyport(places(hop), settings="gateways 1;", files=256)
    inside = [Client(daemon.port) for _ in range(5)]
    idle = [socket.create_connection(("127.0.0.1", daemon.port)) for _ in range(300)]
    wait_for("descriptors to run out", lambda: counters(daemon)["sessions-open"] > 200)
    codes = []
    for client in inside:
        answer = client.mail_from("sender@example.com", ["rcpt@example.org"])
        codes.append(client.message(make(), answer).code)
    assert set(codes) <= {250, 451, 452} and set(codes) != {250}, codes
    outside, answers = start_send(daemon.port, make())
    time.sleep(0.5)
    assert not answers
    for talk in idle:
        talk.close()
    outside.join(30)
    assert answers[0].code == 250
    assert len(hop.mails) == 1 + codes.count(250)
    for client in inside:
        assert client.message(make(), client.mail_from(
            "sender@example.com", ["rcpt@example.org"])).code == 250
        client.close()
    assert "process-ended" not in daemon.log()


# inspectors

def test_inspectors_are_renewed(sallyport, sink, tools):
    """After inspector-jobs messages, under load, without a fault and without a 451."""
    daemon = sallyport(places(sink), settings="gateways 1;\ninspector-jobs 200;")
    first = set(daemon.children("inspector"))
    result = smtpload(tools, daemon.port, 3000, 10)
    assert result["ok"] == 3000, result
    seen = counters(daemon)
    assert seen["inspector-faults"] == 0 and seen["deferred"] == 0
    assert first != set(daemon.children("inspector"))
    assert daemon.status()["healthy"]


def in_turn(daemon) -> list[int]:
    """The inspectors of one fresh gateway, in the order in which they get work."""
    return [row["pid"] for row in daemon.status()["processes"]
            if row["process"].startswith("inspector/")]


def start_send(port: int, octets: bytes) -> tuple[threading.Thread, list]:
    answers: list = []
    thread = threading.Thread(target=lambda: answers.append(send(port, octets)))
    thread.start()
    return thread, answers


@pytest.mark.parametrize("deaths", [1, 2])
def test_message_that_kills_inspectors(sallyport, next_hop, deaths):
    """Once: another takes the message.  Twice: 451, and the others go on."""
    hop = next_hop()
    daemon = sallyport(places(hop), settings="gateways 1;\ninspectors 2;")
    pids = in_turn(daemon)
    for pid in pids[:deaths]:
        os.kill(pid, signal.SIGSTOP)
    thread, answers = start_send(daemon.port, make())
    time.sleep(0.3)
    assert not answers
    for pid in pids[:deaths]:
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    thread.join(20)
    assert answers[0].code == (250 if deaths == 1 else 451), answers
    wait_for("other mail to go on", lambda: send(daemon.port, make()).code == 250)
    assert counters(daemon)["inspector-faults"] == deaths
    assert len(hop.mails) == 1 + (deaths == 1)


def test_inspector_stands_still(sallyport, next_hop):
    """A message whose examination does not end holds up nobody else."""
    hop = next_hop()
    daemon = sallyport(places(hop), settings="gateways 1;\ninspectors 4;")
    stopped = in_turn(daemon)[0]
    os.kill(stopped, signal.SIGSTOP)
    thread, answers = start_send(daemon.port, make())
    time.sleep(0.2)
    began = time.monotonic()
    for _ in range(5):
        assert send(daemon.port, make()).code == 250
    assert time.monotonic() - began < 10
    assert not answers
    os.kill(stopped, signal.SIGCONT)
    thread.join(20)
    assert answers[0].code == 250 and len(hop.mails) == 6


# gateways

@pytest.mark.skipif(not LONG, reason="a minute and more: SALLYPORT_LONG=1")
def test_gateway_stands_still(sallyport, next_hop):
    """One that answers no ping for a minute is replaced."""
    hop = next_hop()
    daemon = sallyport(places(hop), settings="gateways 1;")
    old = daemon.kill("gateway", signal.SIGSTOP)
    daemon.wait_log("does not answer", timeout=90)
    wait_for("another gateway", lambda: daemon.children("gateway") not in ([], [old]))
    assert send(daemon.port, make()).code == 250
