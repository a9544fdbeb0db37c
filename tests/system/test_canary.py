"""test_canary.py - a clamd that says OK to what it could not look at is found out.

The real clamd has its temporary directory filled up, taken away, given back, and loses the
signature that the canary is about.  A mail with EICAR as an attachment must never arrive,
a clean one only while clamd finds the canary.
"""
import threading
import time

import pytest

from client import send
from mails import make
from scanners import EICAR, VIRUS, VIRUS_NAME, block, carrying, code_of, ndb_line
from servers import wait_for
from test_clamd import fill, start_clamd, tiny      # noqa: F401

WAYS = ["fildes", "instream"]
MISSED = "clamd does not find the EICAR test file (no signatures, or no room for temporary files"


def server_of(daemon) -> dict:
    return daemon.status()["scanners"][0]["servers"][0]


def deferred(daemon, octets) -> str:
    """The reply to a mail that is not taken."""
    answer = send(daemon.port, octets)
    assert answer.end[0] == 451, answer
    return answer.end[1]


def wait_well(daemon) -> None:
    wait_for("clamd to be well again", lambda: code_of(daemon, make()) == 250, 20)


@pytest.mark.parametrize("way", WAYS)
def test_disk_is_full(start_clamd, door, tiny, way):        # noqa: F811
    """Full: nothing passes.  With room again clamd still takes for clean what it could not
    unpack, and so the canary; not before it has loaded its signatures anew it is believed."""
    scanner = start_clamd(tiny)
    daemon, hop = door("clamd", scanner.unix, transfer=way, canary="1ms")
    assert code_of(daemon, make()) == 250
    fill(tiny)
    bad = carrying(EICAR)
    for octets in (bad, make(), carrying("hello"), bad):
        assert "clamd" in deferred(daemon, octets)
    if way == "fildes":
        assert MISSED in server_of(daemon)["problem"]
        assert MISSED in daemon.run("status").stdout
    (tiny / "fill").unlink()
    if way == "fildes":
        for _ in range(20):             # probes are among them
            assert MISSED in deferred(daemon, bad)
            time.sleep(0.2)
    scanner.reload()
    wait_well(daemon)
    assert code_of(daemon, bad) == 250 and daemon.quarantined("virus")
    assert all(EICAR[:10].encode() not in mail.data for mail in hop.mails)
    assert len(hop.mails) == 2


@pytest.mark.parametrize("way", WAYS)
def test_folder_is_gone(start_clamd, door, tmp_path, way):  # noqa: F811
    folder = tmp_path / "gone"
    folder.mkdir()
    scanner = start_clamd(folder)
    daemon, hop = door("clamd", scanner.unix, transfer=way, canary="1ms")
    assert code_of(daemon, make()) == 250
    folder.rmdir()
    for octets in (carrying(EICAR), make(), make(EICAR)):
        assert "clamd: " in deferred(daemon, octets)
    folder.mkdir()
    wait_well(daemon)
    assert code_of(daemon, carrying(EICAR)) == 250 and daemon.quarantined("virus")
    assert len(hop.mails) == 2


@pytest.mark.parametrize("way", WAYS)
def test_signatures_without_eicar(clamd, door, way):
    """Every clean is a failure, what is found is found; a probe says so before any mail."""
    scanner = clamd()
    scanner.write_signatures(ndb_line(VIRUS_NAME, VIRUS))
    scanner.reload()
    daemon, hop = door("clamd", scanner.unix, transfer=way)
    wait_for("it to be out", lambda: server_of(daemon)["state"] == "down", 20)
    assert MISSED in daemon.run("status").stdout and daemon.run("status").returncode != 0
    wait_for("one more chance", lambda: "not asked" not in deferred(daemon, make()) or True, 5)
    assert "EICAR test file" in deferred(daemon, carrying("hello"))
    daemon.settings = "gateways 1;\n" + block("clamd", "clamd", scanner.unix, transfer=way,
                                              canary="0")
    assert daemon.reload().returncode == 0
    wait_well(daemon)
    assert code_of(daemon, make(VIRUS)) == 250 and daemon.quarantined("virus")
    assert len(hop.mails) == 1


@pytest.mark.parametrize("way", WAYS)
def test_reload_takes_eicar_away(clamd, door, way):
    scanner = clamd()
    daemon, hop = door("clamd", scanner.unix, transfer=way)
    assert code_of(daemon, make()) == 250
    scanner.write_signatures(ndb_line(VIRUS_NAME, VIRUS))
    scanner.reload()
    time.sleep(1.1)
    assert MISSED in deferred(daemon, carrying(EICAR))
    assert code_of(daemon, make(VIRUS)) == 250 and daemon.quarantined("virus")
    assert MISSED in deferred(daemon, make())
    scanner.write_signatures()
    scanner.reload()
    wait_well(daemon)
    assert code_of(daemon, carrying(EICAR)) == 250 and len(hop.mails) == 2


def scans(scanner) -> tuple[int, int]:
    """Clean, and found: nothing but canaries is found here."""
    lines = [line for line in scanner.log().splitlines() if " -> " in line]
    return (sum(line.endswith(": OK") for line in lines),
            sum(line.endswith(" FOUND") for line in lines))


@pytest.mark.parametrize("canary,least,most", [("0", 0, 0), ("1h", 1, 1), ("1ms", 20, 23)])
def test_how_often(clamd, door, canary, least, most):
    scanner = clamd(options="LogClean yes")
    daemon, hop = door("clamd", scanner.unix, canary=canary)
    for _ in range(20):
        assert code_of(daemon, make()) == 250
        time.sleep(0.005)
    wait_for("clamd's log", lambda: scans(scanner)[0] == 20, 5)
    assert least <= scans(scanner)[1] <= most and len(hop.mails) == 20


def test_side_by_side(clamd, door):
    """Many at the same time share canaries."""
    scanner = clamd(options="LogClean yes")
    daemon, hop = door("clamd", scanner.unix, canary="200ms", timeout="10s")
    began = time.monotonic()
    codes = []
    clients = [threading.Thread(target=lambda: codes.extend(
        code_of(daemon, make()) for _ in range(10))) for _ in range(10)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    seconds = time.monotonic() - began
    assert codes == 100 * [250] and len(hop.mails) == 100
    wait_for("clamd's log", lambda: scans(scanner)[0] == 100, 5)
    assert 1 <= scans(scanner)[1] <= 3 + seconds / 0.2


def test_slow_clamd_is_not_asked_twice_as_much(fake_clamd, door):
    """It needs longer than a canary counts: one at a time, for all that wait."""
    fake = fake_clamd(0.3)
    daemon, hop = door("clamd", fake.place, slots=30, canary="10ms", timeout="20s")
    codes = []
    clients = [threading.Thread(target=lambda: codes.extend(
        code_of(daemon, make()) for _ in range(3))) for _ in range(20)]
    began = time.monotonic()
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert codes == 60 * [250] and len(hop.mails) == 60 and fake.scans == 60
    assert fake.canaries <= 3 + (time.monotonic() - began) / 0.3


@pytest.mark.parametrize("transfer", WAYS)
def test_cut_everywhere(cut, transfer):
    """The connection ends after each octet of a clean mail's answer and the canary's: it is
    taken only with both whole."""
    c = cut("clamd", carrying(EICAR), transfer=transfer, canary="1ms")
    assert c.good() == 250
    c.harm()
    up, down = c.middle.octets_up, c.middle.octets_down
    assert c.good() == 250
    up, down = c.middle.octets_up - up, c.middle.octets_down - down
    assert down > 70                # VERSION, OK and FOUND
    for place in range(down + 1):
        c.harm(cut_down=place)
        assert c.good() == (250 if place == down else 451), place
        c.harm()
        assert c.bad() == 250       # it is well again, and was not put out
    for place in [*range(20, up, 37), up - 1]:
        c.harm(cut_up=place)
        assert c.good() == 451, place
        c.harm()
        assert c.bad() == 250
