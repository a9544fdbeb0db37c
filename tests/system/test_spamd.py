"""test_spamd.py - the real spamd behind Sallyport: scores, symbols, and all that fails."""
import os
import signal
import threading
import time

import pytest

from client import send
from mails import id_of, make
from scanners import GTUBE, block, code_of, connect, fact_of
from servers import wait_for

GRADED = """
rule spam when spam.score >= 8 then quarantine spam;
rule more when spam.score >= 5 then header add X-Test "more";
rule less when spam.score < 0 then header add X-Test "less";
otherwise accept;"""


@pytest.mark.parametrize("way", ["unix", "tcp"])
def test_scores(spamd, door, way):
    """Graded by rules; a score has one decimal in what spamd says."""
    daemon, hop = door("spamd", getattr(spamd(), way), policy=GRADED)
    for grade, score, mark in (("6.31", "6.3", b"more"), ("-2.5", "-2.5", b"less"),
                               ("4.9", "4.9", None), ("5", "5", b"more"), (None, "0", None)):
        answer = send(daemon.port, make(x_grade=grade))
        assert answer.end[0] == 250
        assert fact_of(daemon.explain(id_of(answer)), "spam.score") == score
        mail = hop.mails[-1]
        assert (b"X-Test: " + (mark or b"?") in mail.data) == (mark is not None)
    assert len(hop.mails) == 5
    for octets in (make(GTUBE), make(x_grade="8"), make(x_grade="12")):
        answer = send(daemon.port, octets)
        assert daemon.explain(id_of(answer))["recipients"][0]["outcome"] == "quarantined"
    assert len(daemon.quarantined("spam")) == 3 and len(hop.mails) == 5


def test_symbols_decide(spamd, door):
    daemon, hop = door("spamd", spamd().unix, policy="""
        rule test when any symbol (name = GTUBE and scanner = spamd) then quarantine gtube;
        rule part when any symbol (score > 6 and score < 7) then quarantine part;
        otherwise accept;""")
    assert code_of(daemon, make(GTUBE)) == 250 and daemon.quarantined("gtube")
    assert code_of(daemon, make(x_grade="6.31")) == 250 and daemon.quarantined("part")
    assert code_of(daemon, make(x_grade="5")) == 250 and len(hop.mails) == 1


def test_weight(spamd, door):
    daemon, hop = door("spamd", spamd().unix, weight="0.5")
    answer = send(daemon.port, make(x_grade="12"))
    assert answer.end[0] == 250 and len(hop.mails) == 1
    assert fact_of(daemon.explain(id_of(answer)), "spam.score") == "6"


def test_sum_with_rspamd(spamd, rspamd, door):
    """Two of a sort add up; one away makes the sum unknown."""
    other = rspamd()
    daemon, hop = door("spamd", spamd().unix, settings=block(
        "rspamd", "rspamd", other.tcp, timeout="2s"))
    answer = send(daemon.port, make(x_grade="-2.5"))
    assert fact_of(daemon.explain(id_of(answer)), "spam.score") == "-5"
    assert code_of(daemon, make(x_grade="5")) == 250
    assert daemon.quarantined("spam") and len(hop.mails) == 1
    other.kill()
    answer = send(daemon.port, make())
    assert answer.end[0] == 451 and answer.end[1].startswith("4.7.1 rspamd: ")
    assert len(hop.mails) == 1


def test_thresholds_of_recipients(spamd, door):
    daemon, hop = door("spamd", spamd().unix,
                       settings="list strict inline strict@example.org;\n", policy="""
        rule strict when recipient in @strict and spam.score >= 5 then quarantine strict;
        rule spam   when spam.score >= 8 then quarantine spam;
        otherwise accept;""")
    names = ["a@example.org", "strict@example.org"]
    for grade, strict, others in (("1", False, False), ("6.31", True, False),
                                  ("12", True, True)):
        before = len(hop.mails)
        answer = send(daemon.port, make(x_grade=grade), recipients=names)
        assert answer.end[0] == 250
        got = [name for mail in hop.mails[before:] for name in mail.recipients]
        assert got == (names if not strict else names[:1] if not others else [])
    assert len(daemon.quarantined("strict")) == 2 and len(daemon.quarantined("spam")) == 1


def test_too_large_adds_nothing(spamd, door):
    """A spam scanner does not look at large mail: that is no failure."""
    daemon, hop = door("spamd", spamd().unix, size_limit="100K")
    assert code_of(daemon, make(GTUBE + "\n" + 3000 * (60 * "x" + "\n"))) == 250
    assert len(hop.mails) == 1


def test_large_message(spamd, door):
    daemon, hop = door("spamd", spamd().unix, settings="spool-from 100K;\n", timeout="20s")
    assert code_of(daemon, make(40_000 * (60 * "x" + "\n"), x_grade="12")) == 250
    assert daemon.quarantined("spam") and not hop.mails


def test_child_limit(spamd, door):
    """All children are busy: the mail waits for one, or for its time-out."""
    scanner = spamd(children=1)
    daemon, hop = door("spamd", scanner.tcp, timeout="1s")
    with connect(scanner.tcp) as wire:
        wire.sendall(b"REPORT SPAMC/1.5\r\n")
        time.sleep(0.3)
        answer = send(daemon.port, make())
        assert answer.end[0] == 451 and "no answer within 1 s" in answer.end[1]
    wait_for("a child", lambda: code_of(daemon, make()) == 250)
    assert len(hop.mails) == 1


def test_is_away(spamd, door):
    scanner = spamd()
    daemon, hop = door("spamd", scanner.unix)
    scanner.kill()
    for _ in range(5):
        answer = send(daemon.port, make())
        assert answer.end[0] == 451 and answer.end[1].startswith("4.7.1 spamd: ")
    assert "not asked, down for" in answer.end[1]
    scanner.start()
    wait_for("spamd to be asked again", lambda: code_of(daemon, make(GTUBE)) == 250)
    assert daemon.quarantined("spam") and not hop.mails


def test_accept_is_marked(spamd, door):
    scanner = spamd()
    daemon, hop = door("spamd", scanner.unix, on_failure="accept")
    scanner.kill()
    assert code_of(daemon, make()) == 250
    assert b"X-Sallyport-Unscanned: spamd (" in hop.wait(1)[0].data
    assert daemon.status()["counters"]["unscanned"] == 1


def test_hangs(spamd, door):
    scanner = spamd()
    daemon, hop = door("spamd", scanner.unix, timeout="1s")
    scanner.pause()
    began = time.monotonic()
    answer = send(daemon.port, make(GTUBE))
    assert answer.end[0] == 451 and "no answer within 1 s" in answer.end[1]
    assert time.monotonic() - began < 4
    scanner.resume()
    wait_for("spamd to be asked again", lambda: code_of(daemon, make(GTUBE)) == 250)
    assert not hop.mails


def test_children_are_killed(spamd, door):
    """In the middle of a scan: its connection just ends."""
    scanner = spamd(children=1)
    daemon, hop = door("spamd", scanner.unix, timeout="10s")
    pid = scanner.process.pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        child = int(children.read().split()[0])
    os.kill(child, signal.SIGSTOP)
    answers = []
    client = threading.Thread(target=lambda: answers.append(send(daemon.port, make(GTUBE))))
    client.start()
    wait_for("spamd to be asked", lambda: daemon.status()["scanners"][0]["running"] == 1)
    time.sleep(0.2)
    os.kill(child, signal.SIGKILL)
    client.join()
    # either the child had it, or the next one was given it
    assert answers[0].end[0] == 451 or daemon.quarantined("spam")
    assert code_of(daemon, make(GTUBE)) == 250 and not hop.mails


def test_restarts_between_two_mails(spamd, door):
    scanner = spamd()
    daemon, hop = door("spamd", scanner.unix)
    for _ in range(3):
        assert code_of(daemon, make(GTUBE)) == 250
        scanner.restart()
    assert not hop.mails and daemon.status()["counters"]["deferred"] == 0


@pytest.mark.parametrize("tcp,then", [(False, "close"), (True, "reset")])
def test_cut_everywhere(cut, tcp, then):
    """After each number of octets, there and back: no score without a whole answer."""
    c = cut("spamd", make(GTUBE), tcp)
    up, down = c.octets()
    steps = [("cut_down", place) for place in range(0, down + 1, 2)] + [("cut_down", down)]
    steps += [("cut_up", place) for place in [*range(0, up, 17), up]]
    codes = set()
    for side, place in steps:
        for mail in (c.bad, c.good):
            c.harm(**{side: place}, then=then)
            codes.add((side, mail()))
        c.harm()
        assert c.bad() == 250           # it is well again, and was not put out
    assert {("cut_down", 451), ("cut_up", 451)} <= codes


def test_stalls(cut):
    c = cut("spamd", make(GTUBE), timeout="1s")
    for step in ({"cut_up": 5}, {"cut_up": 100}, {"cut_down": 0}, {"cut_down": 30}):
        c.harm(**step, then="stall")
        assert c.bad() == 451
        c.harm()
        assert c.bad() == 250


HEAD = b"SPAMD/1.1 0 EX_OK\r\n"
GARBAGE = [
    b"\0", b"\r\n", HEAD, HEAD + b"\r\n", HEAD + b"Spam: False ; 0.0 / 5.0\r\n",
    HEAD + b"Spam: maybe ; 0.0 / 5.0\r\n\r\n", HEAD + b"Spam: False ; nan / 5.0\r\n\r\n",
    HEAD + b"Spam: False ;\r\n\r\n", HEAD + b"Content-length: 100\r\nSpam: False ; 0.0 / 5.0\r\n\r\nshort",
    b"SPAMD/1.1 0 EX_OK Spam: False ; 0.0 / 5.0\r\n\r\n",
    b"SPAMD/1.0 76 Bad header line: x\r\n", b"SPAMD/1.0 79 Timeout: (2 second timeout)\r\n",
    b"SPAMD/1.1 75 EX_TEMPFAIL\r\nSpam: False ; 0.0 / 5.0\r\n\r\n", b"SPAMD/1.5 0 PONG\r\n",
    b"HTTP/1.1 200 OK\r\n\r\n", b"1: ClamAV 1.4.6\x002: stream: OK\0",
    bytes(range(256)) * 8, b"x" * 2_000_000, HEAD + b"X-A: b\r\n" * 100_000]


def test_garbage(cut):
    """Nothing but a whole answer is a score."""
    c = cut("spamd", make(GTUBE))
    for octets in GARBAGE:
        c.harm(garbage=octets, cut_down=len(octets))
        assert c.good() == 451, octets[:200]
        c.harm(garbage=octets, cut_down=len(octets))
        assert c.bad() == 451, octets[:200]
        c.harm()
        assert c.bad() == 250


def test_killed_at_every_step(cut):
    c = cut("spamd", make(GTUBE))
    for step in ({"cut_up": 0}, {"cut_up": 30}, {"cut_up": 200}, {"cut_down": 0},
                 {"cut_down": 20}, {"cut_down": 100}):
        c.harm(**step, then=lambda _: c.scanner.kill())
        c.bad()
        c.harm()
        c.scanner.kill()
        c.scanner.start()
        wait_for("spamd to be asked again", lambda: c.bad() == 250)
