"""test_clamd.py - the real clamd behind Sallyport: found, not found, and all that fails.

Its database holds two signatures, of EICAR and of a text of our own.  A mail with one of
them is quarantined, or deferred while clamd cannot be asked; it is never delivered.
"""
import os
import subprocess
import threading
import time

import pytest

from client import send
from mails import id_of, make
from scanners import (EICAR, EICAR_NAME, VIRUS, VIRUS_NAME, Clamd, ask, block,
                      carrying, code_of, fact_of)
from servers import wait_for

@pytest.mark.parametrize("way", ["fildes", "instream", "tcp"])
def test_finds(clamd, door, way):
    scanner = clamd()
    daemon, hop = door("clamd", scanner.tcp if way == "tcp" else scanner.unix,
                       transfer="auto" if way == "tcp" else way, canary="0")
    for octets, name in ((carrying(EICAR), EICAR_NAME), (make(VIRUS), VIRUS_NAME)):
        answer = send(daemon.port, octets)
        record = daemon.explain(id_of(answer))
        row, = record["recipients"]
        assert answer.end[0] == 250
        assert (row["outcome"], row["rule"]) == ("quarantined", "virus")
        assert fact_of(record, "virus.name") == f"'{name}.UNOFFICIAL'"
    assert not hop.mails and len(daemon.quarantined("virus")) == 2
    assert ("instream(" in scanner.log()) == (way != "fildes")
    answer = send(daemon.port, carrying("hello"))
    record = daemon.explain(id_of(answer))
    assert (answer.end[0], record["recipients"][0]["outcome"]) == (250, "delivered")
    assert fact_of(record, "virus.found") == "false"
    told, = daemon.status()["scanners"]
    assert (told["asked"], told["infected"], told["clean"], told["failed"]) == (3, 2, 1, 0)
    assert told["servers"][0]["version"].startswith("ClamAV 1.")
    assert b"X-Sallyport-Unscanned" not in hop.wait(1)[0].data


@pytest.mark.parametrize("transfer", ["fildes", "instream"])
def test_large_message(clamd, door, transfer):
    """A spool file, and a virus behind 20 MB; clean it is passed unchanged."""
    daemon, hop = door("clamd", clamd().unix, transfer=transfer, settings="spool-from 1M;\n",
                       timeout="30s")
    text = (b"0123456789 abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ\n" * 310_000)
    answer = send(daemon.port, make(text + VIRUS.encode() + b"\n"))
    assert answer.end[0] == 250 and not hop.mails and daemon.quarantined("virus")
    octets = make(text)
    assert code_of(daemon, octets) == 250
    assert hop.wait(1)[0].data.endswith(octets)


def test_one_connection_serves_many(clamd, door, between):
    """clamd's sessions are kept; who is wanted no more is not waited for."""
    middle = between(clamd().unix)
    daemon, hop = door("clamd", middle.place)
    before = middle.connections
    for i in range(20):
        answer = send(daemon.port, carrying(EICAR if i % 2 else "hello"))
        assert answer.end[0] == 250
    assert len(hop.mails) == 10 and middle.connections - before <= 2


def test_name_decides(clamd, door):
    daemon, hop = door("clamd", clamd().unix, policy="""
        rule ours when virus.name matches /^Sallyport/ then discard;
        rule virus when virus.found then quarantine virus;
        otherwise accept;""")
    assert code_of(daemon, make(VIRUS)) == 250 and not daemon.quarantined()
    assert code_of(daemon, make(EICAR)) == 250 and daemon.quarantined("virus")
    assert not hop.mails


def test_is_not_asked_in_vain(fake_clamd, door):
    """Where an earlier rule has decided, and where no rule asks."""
    fake = fake_clamd(0)
    daemon, hop = door("clamd", fake.place, policy="""
        rule kept when header.subject = "kept" then quarantine kept;
        rule virus when virus.found and recipient = "a@example.org" then quarantine virus;
        otherwise accept;""")
    assert code_of(daemon, make(subject="kept"), recipients=["a@example.org"]) == 250
    assert code_of(daemon, make(), recipients=["b@example.org"]) == 250
    assert fake.scans == 0
    assert code_of(daemon, make(), recipients=["b@example.org", "a@example.org"]) == 250
    assert fake.scans == 1 and len(hop.mails) == 2


def test_each_recipient_by_itself(clamd, door):
    daemon, hop = door("clamd", clamd().unix, policy="""
        rule virus when virus.found and recipient != "lab@example.org" then quarantine virus;
        otherwise accept;""")
    answer = send(daemon.port, carrying(EICAR), lmtp=True,
                  recipients=["a@example.org", "lab@example.org"])
    assert [code for code, _ in answer.ends.values()] == [250, 250]
    assert [mail.recipients for mail in hop.mails] == [["lab@example.org"]]
    assert len(daemon.quarantined("virus")) == 1


# limits

def test_beyond_its_stream_length(clamd, door):
    """Unscannable is not clean: deferred, until a rule says what to do."""
    daemon, hop = door("clamd", clamd(options="StreamMaxLength 100K").unix, transfer="instream")
    octets = carrying(os.urandom(300_000) + EICAR.encode())
    answer = send(daemon.port, octets)
    assert answer.end[0] == 451 and "INSTREAM size limit exceeded" in answer.end[1]
    daemon.policy = ("rule virus when virus.found then quarantine virus;\n"
                     "rule big when virus.unscannable then quarantine big;\n"
                     "otherwise accept;")
    assert daemon.reload().returncode == 0
    answer = send(daemon.port, octets)
    assert answer.end[0] == 250 and daemon.quarantined("big") and not hop.mails
    record = daemon.explain(id_of(answer))
    assert fact_of(record, "virus.unscannable") == "true"
    assert daemon.status()["scanners"][0]["unscannable"] == 2
    assert code_of(daemon, make()) == 250 and len(hop.wait(1)) == 1


def test_descriptor_knows_no_stream_length(clamd, door):
    daemon, hop = door("clamd", clamd(options="StreamMaxLength 100K").unix)
    answer = send(daemon.port, carrying(os.urandom(300_000) + EICAR.encode()))
    assert answer.end[0] == 250 and daemon.quarantined("virus") and not hop.mails


def test_beyond_our_size_limit(clamd, door):
    daemon, hop = door("clamd", clamd().unix, size_limit="100K")
    answer = send(daemon.port, carrying(os.urandom(300_000) + EICAR.encode()))
    assert answer.end[0] == 451 and "size-limit of 100.0 KiB" in answer.end[1]
    assert not hop.mails
    assert code_of(daemon, make()) == 250


def test_beyond_its_own_limits(clamd, door):
    """With AlertExceedsMax it says so, which is no virus."""
    scanner = clamd(options="MaxFileSize 100K\nAlertExceedsMax yes")
    daemon, hop = door("clamd", scanner.unix, policy="""
        rule virus when virus.found then quarantine virus;
        rule big when virus.unscannable then quarantine big;
        otherwise accept;""")
    assert code_of(daemon, carrying(os.urandom(300_000) + EICAR.encode())) == 250
    assert daemon.quarantined("big") and not daemon.quarantined("virus") and not hop.mails


# it is away

def test_is_away(clamd, door):
    """Deferred with its name; after some failures not even asked; back when it is."""
    scanner = clamd()
    daemon, hop = door("clamd", scanner.unix)
    scanner.kill()
    for _ in range(5):
        answer = send(daemon.port, carrying(EICAR))
        assert answer.end[0] == 451
        assert answer.end[1].startswith("4.7.1 clamd: "), answer.end
    assert "not asked, down for" in answer.end[1]
    assert code_of(daemon, make()) == 451 and not hop.mails
    scanner.start()
    wait_for("clamd to be asked again", lambda: code_of(daemon, make()) == 250)
    assert code_of(daemon, carrying(EICAR)) == 250
    assert daemon.quarantined("virus") and len(hop.mails) == 1


def test_accept_is_marked(clamd, door):
    """on-failure accept: delivered, and header, record and counters say so."""
    scanner = clamd()
    daemon, hop = door("clamd", scanner.unix, on_failure="accept")
    scanner.kill()
    answer = send(daemon.port, carrying(EICAR))
    assert answer.end[0] == 250
    header = hop.wait(1)[0].data.partition(b"\r\n\r\n")[0]
    marks = [line for line in header.split(b"\r\n") if b"Unscanned:" in line]
    assert len(marks) == 1 and marks[0].startswith(b"X-Sallyport-Unscanned: clamd ("), marks
    record = daemon.explain(id_of(answer))
    assert fact_of(record, "virus.found") is None
    assert daemon.status()["counters"]["unscanned"] == 1


def test_hangs(clamd, door):
    """Stopped, it still takes connections: each waits no longer than it may."""
    scanner = clamd()
    daemon, hop = door("clamd", scanner.unix, timeout="1s")
    assert code_of(daemon, make()) == 250
    scanner.pause()
    began = time.monotonic()
    answer = send(daemon.port, carrying(EICAR))
    assert answer.end[0] == 451 and "no answer within 1 s" in answer.end[1]
    assert 0.8 < time.monotonic() - began < 4
    for _ in range(2):
        assert code_of(daemon, carrying(EICAR)) == 451
    began = time.monotonic()
    answer = send(daemon.port, carrying(EICAR))
    assert answer.end[0] == 451 and time.monotonic() - began < 1, answer.end
    scanner.resume()
    wait_for("clamd to be asked again", lambda: code_of(daemon, carrying(EICAR)) == 250)
    assert len(hop.mails) == 1 and daemon.quarantined("virus")


def test_restarts_between_two_mails(clamd, door):
    """A kept connection that is dead is no failure."""
    scanner = clamd()
    daemon, hop = door("clamd", scanner.unix)
    for _ in range(5):
        assert code_of(daemon, carrying(EICAR)) == 250
        scanner.restart()
    assert len(daemon.quarantined("virus")) == 5 and not hop.mails
    assert daemon.status()["counters"]["deferred"] == 0


@pytest.mark.parametrize("way", ["kill", "stop"])
def test_ends_in_the_middle_of_a_scan(clamd, door, way):
    scanner = clamd()
    daemon, hop = door("clamd", scanner.unix, timeout="10s")
    scanner.pause()
    answers = []
    client = threading.Thread(target=lambda: answers.append(
        send(daemon.port, carrying(EICAR))))
    client.start()
    wait_for("clamd to be asked", lambda: daemon.status()["scanners"][0]["running"] == 1)
    if way == "stop":
        scanner.process.terminate()
        scanner.resume()
    else:
        scanner.kill()
    scanner.process.wait(10)
    client.join()
    assert answers[0].end[0] == 451 and not hop.mails, answers
    scanner.start()
    wait_for("clamd to be asked again", lambda: code_of(daemon, carrying(EICAR)) == 250)
    assert not hop.mails


def test_next_server_takes_over(clamd, door):
    """The first hangs, is killed, comes back."""
    first, second = clamd(), clamd()
    daemon, hop = door("clamd", first.unix, second.unix, timeout="6s")
    first.kill()
    for _ in range(5):
        assert code_of(daemon, carrying(EICAR)) == 250
    assert code_of(daemon, make()) == 250
    second.kill()
    assert code_of(daemon, carrying(EICAR)) == 451
    first.start()
    wait_for("the first to be asked", lambda: code_of(daemon, carrying(EICAR)) == 250)
    assert len(hop.mails) == 1 and len(daemon.quarantined("virus")) == 6


def test_two_must_both_look(clamd, door):
    """One of two scanners is away: what the other finds counts, what it misses does not."""
    first, second = clamd(), clamd()
    daemon, hop = door("clamd", first.unix, settings=block(
        "other", "clamd", second.unix, timeout="2s"))
    second.kill()
    assert code_of(daemon, carrying(EICAR)) == 250 and daemon.quarantined("virus")
    answer = send(daemon.port, make())
    assert answer.end[0] == 451 and answer.end[1].startswith("4.7.1 other: ")
    assert not hop.mails


def test_names_of_one_are_not_all(clamd, door):
    """The other might know it by a name that counts: no rule may say that it does not."""
    first, second = clamd(), clamd()
    daemon, hop = door(
        "clamd", first.unix, settings=block("other", "clamd", second.unix, timeout="2s"),
        policy=f"""
        rule harmless when virus.found and not virus.name = {VIRUS_NAME}.UNOFFICIAL then accept;
        rule virus when virus.found then quarantine virus;
        otherwise accept;""")
    assert code_of(daemon, make(EICAR)) == 250 and len(hop.mails) == 1
    second.kill()
    answer = send(daemon.port, make(EICAR))
    assert answer.end[0] == 250 and daemon.quarantined("virus") and len(hop.mails) == 1
    record = daemon.explain(id_of(answer))
    assert fact_of(record, "virus.found") == "true" and fact_of(record, "virus.name") is None


# slots

def test_slots_and_queue_are_bounded(fake_clamd, door):
    fake = fake_clamd(1)
    daemon, hop = door("clamd", fake.place, waiting=2, slots=2, timeout="5s", canary="0")
    answers = []
    clients = [threading.Thread(target=lambda: answers.append(send(daemon.port, make())))
               for _ in range(8)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    codes = sorted(answer.end[0] for answer in answers)
    assert codes == 4 * [250] + 4 * [451] and fake.most == 2 and len(hop.mails) == 4
    busy = next(answer for answer in answers if answer.end[0] == 451)
    assert "clamd: too busy" in busy.end[1]


# every step

@pytest.mark.parametrize("tcp,transfer,then", [
    (False, "fildes", "close"), (False, "auto", "close"), (False, "instream", "close"),
    (True, "instream", "reset")])
def test_cut_everywhere(cut, tcp, transfer, then):
    """The connection ends after each number of octets, there and back: a virus never gets
    through, and what is clean only with a whole answer."""
    c = cut("clamd", carrying(EICAR), tcp, transfer=transfer)
    up, down = c.octets()
    steps = [("cut_down", place) for place in range(down + 1)]
    steps += [("cut_up", place) for place in [*range(min(up, 60)), *range(60, up, 41), up]]
    codes = set()
    for side, place in steps:
        for ask_for in (c.bad, c.good):
            c.harm(**{side: place}, then=then)
            codes.add((side, ask_for()))
        c.harm()
        assert c.bad() == 250      # it is well again, and was not put out
    assert {("cut_down", 250), ("cut_down", 451), ("cut_up", 451)} <= codes
    assert c.middle.cuts > len(steps)


def test_stalls(cut):
    """It says no more, and the connection stays."""
    c = cut("clamd", carrying(EICAR), transfer="instream", timeout="1s")
    for step in ({"cut_up": 5}, {"cut_up": 25}, {"cut_up": 300}, {"cut_down": 0},
                 {"cut_down": 10}, {"cut_down": 25}):
        c.harm(**step, then="stall")
        assert c.bad() == 451
        c.harm()
        assert c.bad() == 250
    c.harm(cut_down=20, then="stall")
    assert c.good() == 451


GARBAGE = [
    b"\0", b"\n", b"OK\0", b"stream: OK\0", b"1: OK\0", b"2: stream: OK\0",
    b"1: stream: OK\0", b"fd[10]: OK\0", b"1: PONG\x002: PONG\0", b"1: ClamAV\n2: stream: OK\n",
    b"1: ClamAV 1.4.6\x003: stream: OK\0", b"1: ClamAV 1.4.6\x002: stream: ok\0",
    b"1: ClamAV 1.4.6\x002: stream: OK", b"1: ClamAV 1.4.6\x002: stream: OK\n",
    b"1: ClamAV 1.4.6\x002: stream: OK FOUND ERROR\0",
    b"1: ClamAV 1.4.6\x002: stream: \0", b"1: ClamAV 1.4.6\x002: OK\0",
    b"1: ClamAV 1.4.6/4294967295/invalid timestam\x002: stream: OK\0",
    b"1: ClamAV 1.4.6\x002: Error writing to temporary file ERROR\x002: stream: OK\0",
    b"COMMAND READ TIMED OUT\n", b"HTTP/1.1 200 OK\r\n\r\n", b"220 mail ESMTP\r\n",
    b"SPAMD/1.1 0 EX_OK\r\n\r\n", bytes(range(256)) * 8, b"x" * 100_000,
    b"1: ClamAV " + b"9" * 100_000 + b"\x002: stream: OK\0"]


@pytest.mark.parametrize("transfer", ["auto", "instream"])
def test_garbage(cut, transfer):
    """Nothing but its own plain word is clean."""
    c = cut("clamd", carrying(EICAR), transfer=transfer)
    for octets in GARBAGE:
        c.harm(garbage=octets, cut_down=len(octets))
        assert c.good() == 451, octets
        c.harm(garbage=octets, cut_down=len(octets))
        assert c.bad() == 451, octets
        c.harm()
        assert c.bad() == 250


def test_killed_at_every_step(cut):
    """clamd itself dies after so many octets, and is started again."""
    c = cut("clamd", carrying(EICAR))
    for step in [{"cut_up": place} for place in (0, 11, 19, 20, 28, 29)] + \
            [{"cut_down": place} for place in (0, 1, 16, 17, 30, 50)]:
        c.harm(**step, then=lambda _: c.scanner.kill())
        c.bad()
        c.harm()
        c.scanner.kill()
        c.scanner.start()
        wait_for("clamd to be asked again", lambda: c.bad() == 250)


# it may not, it cannot, it does not know

def test_descriptor_is_denied(clamd, door, between):
    """As AppArmor does it: the descriptor does not arrive.  The message is sent then."""
    scanner = clamd()
    middle = between(scanner.unix, no_descriptor=True)
    daemon, hop = door("clamd", middle.place)
    assert code_of(daemon, carrying(EICAR)) == 250 and daemon.quarantined("virus")
    assert "instream(" in scanner.log()
    daemon.wait_log("may not read the descriptors")
    assert code_of(daemon, make()) == 250 and len(hop.mails) == 1
    assert middle.descriptors == 1      # and it is remembered


def test_descriptor_is_denied_and_must_be(clamd, door, between):
    middle = between(clamd().unix, no_descriptor=True)
    daemon, hop = door("clamd", middle.place, transfer="fildes")
    answer = send(daemon.port, carrying(EICAR))
    assert answer.end[0] == 451 and "No file descriptor received" in answer.end[1]
    assert not hop.mails


def test_descriptor_is_cut_off_by_the_kernel(clamd, door):
    """clamd may open no more files: what it is passed is taken away, and it just
    closes, or it cannot unpack it."""
    scanner = clamd()
    daemon, hop = door("clamd", scanner.unix, transfer="fildes", canary="1ms")
    assert code_of(daemon, make()) == 250
    taken = {int(name) for name in os.listdir(f"/proc/{scanner.process.pid}/fd")}
    limit = next(number for number in range(1024) if number not in taken)
    subprocess.run(["prlimit", f"--pid={scanner.process.pid}", f"--nofile={limit}:1024"],
                   check=True)
    answer = send(daemon.port, carrying(EICAR))
    assert answer.end[0] == 451 and len(hop.mails) == 1, answer.end
    subprocess.run(["prlimit", f"--pid={scanner.process.pid}", "--nofile=1024:1024"],
                   check=True)
    wait_for("clamd to be asked again", lambda: code_of(daemon, carrying(EICAR)) == 250)
    assert len(hop.mails) == 1


def test_other_user(clamd, door):
    """It has no right to any of our files; descriptors and streams need none."""
    scanner = clamd(user="nobody")
    daemon, hop = door("clamd", scanner.unix, transfer="fildes")
    assert code_of(daemon, carrying(EICAR)) == 250
    assert daemon.quarantined("virus") and not hop.mails


def test_socket_is_closed_to_us(clamd, door):
    """Mode 0600 of another user."""
    scanner = clamd()
    scanner.socket.chmod(0o600)
    daemon, hop = door("clamd", scanner.unix)
    answer = send(daemon.port, carrying(EICAR))
    if answer.end[0] == 250:
        pytest.skip("the gateway runs as root")
    assert "Permission denied" in answer.end[1] and not hop.mails


def test_is_out_of_memory(clamd, door):
    """clamd may take no more memory, and the message is large."""
    scanner = clamd()
    daemon, hop = door("clamd", scanner.unix, timeout="10s", size_limit="100M")
    text = VIRUS.encode() + b"\n" + b"0123456789 abcdefghijklmnopqrstuvwxyz\n" * 1_000_000
    size, = (int(line.split()[1]) for line in
             open(f"/proc/{scanner.process.pid}/status", encoding="ascii")
             if line.startswith("VmSize"))
    subprocess.run(["prlimit", f"--pid={scanner.process.pid}",
                    f"--as={(size << 10) + (16 << 20)}:"], check=True)
    answer = send(daemon.port, make(text))
    assert answer.end[0] == 451 and not hop.mails, answer
    subprocess.run(["prlimit", f"--pid={scanner.process.pid}", "--as=unlimited:"], check=True)
    wait_for("clamd to be asked again", lambda: code_of(daemon, make(text)) == 250)
    assert not hop.mails and daemon.quarantined("virus")


def test_reload_without_signatures(clamd, door):
    """clamd keeps those that it had; with nothing to keep it does not start."""
    scanner = clamd()
    daemon, hop = door("clamd", scanner.unix)
    for text in ("this is : no signature\n", None):
        if text:
            scanner.write_signatures(text)
        else:
            (scanner.database / "test.ndb").unlink()
        scanner.reload()
        assert code_of(daemon, carrying(EICAR)) == 250
        assert daemon.quarantined("virus") and not hop.mails
    scanner.stop()
    scanner.start(wait=False)
    scanner.process.wait(10)
    assert code_of(daemon, carrying(EICAR)) == 451 and not hop.mails


def test_engine_is_lost(clamd, door):
    """ConcurrentDatabaseReload no: clamd lives on without any signature, and answers PING."""
    scanner = clamd(options="ConcurrentDatabaseReload no")
    (scanner.database / "test.ndb").unlink()
    scanner.reload()
    wait_for("clamd to lose it", lambda: "4294967295" in scanner.say("VERSION"))
    assert ask(scanner.unix, b"zPING\0") == b"PONG\0"
    daemon, hop = door("clamd", scanner.unix)
    for _ in range(5):
        answer = send(daemon.port, carrying(EICAR))
        assert answer.end[0] == 451, answer
    assert not hop.mails


@pytest.fixture
def tiny(tmp_path):
    """A temporary folder of 8 MB; in a much smaller one the kernel counts too roughly for
    it to be full."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m,mode=777", "tmpfs", folder],
                      check=False, stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("needs to mount a small file system")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


def fill(folder):
    with open(folder / "fill", "wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass


def test_its_disk_is_full(start_clamd, door, tiny):
    """It has no room to unpack an attachment in, and says so; where it does not:
    test_canary.py."""
    scanner = start_clamd(tiny)
    daemon, hop = door("clamd", scanner.unix, transfer="instream")
    assert code_of(daemon, carrying(EICAR)) == 250
    fill(tiny)
    for octets in (carrying(EICAR), make(EICAR)):
        answer = send(daemon.port, octets)
        assert answer.end[0] == 451 or daemon.explain(id_of(answer))["recipients"][0][
            "outcome"] == "quarantined", answer
        assert not hop.mails
    (tiny / "fill").unlink()
    wait_for("clamd to be asked again", lambda: code_of(daemon, carrying(EICAR)) == 250)
    assert not hop.mails


@pytest.fixture
def start_clamd(start_scanner):
    """With a temporary folder of the test."""
    def start(folder):
        class Here(Clamd):
            def configure(self):
                self.temporary = folder
                super().configure()
        return start_scanner(Here)
    return start
