"""test_rspamd.py - the real rspamd behind Sallyport: scores, symbols, and all that fails."""
import os
import signal
import threading
import time

import pytest

from client import send
from mails import OUTSIDE, id_of, make, send_as
from private_net import free_port
from scanners import GTUBE, code_of, fact_of
from servers import wait_for

GRADED = """
rule spam when spam.score >= 8 then quarantine spam;
rule more when spam.score >= 5 then header add X-Test "more";
rule less when spam.score < 0 then header add X-Test "less";
otherwise accept;"""
# Symbols that tell the test what rspamd was told.
TOLD = """
rspamd_config:register_symbol({ name = 'TOLD', score = 0.0, callback = function(task)
	local ip, from = task:get_from_ip(), task:get_from('smtp')
	local rcpt = {}
	for _, one in ipairs(task:get_recipients('smtp') or {}) do
		table.insert(rcpt, one.addr)
	end
	task:insert_result('TOLD', 1.0, table.concat({ ip and ip:to_string() or '-',
		task:get_helo() or '-', from and from[1].addr or '-', table.concat(rcpt, '+'),
		task:get_hostname() or '-' }, ' '))
end })
rspamd_config:register_symbol({ name = 'SOFT', type = 'prefilter', score = 0.0,
	callback = function(task)
		if task:get_header('X-Soft') then
			task:set_pre_result('soft reject', 'try later', 'test')
		end
	end })
"""


@pytest.mark.parametrize("way", ["unix", "tcp"])
def test_scores(rspamd, door, way):
    daemon, hop = door("rspamd", getattr(rspamd(), way), policy=GRADED)
    for grade, score, mark in (("6.31", "6.31", b"more"), ("-2.5", "-2.5", b"less"),
                               ("4.9", "4.9", None), ("5", "5", b"more"), (None, "0", None)):
        answer = send(daemon.port, make(x_grade=grade))
        assert answer.end[0] == 250
        assert fact_of(daemon.explain(id_of(answer)), "spam.score") == score
        assert (b"X-Test: " + (mark or b"?") in hop.mails[-1].data) == (mark is not None)
    assert len(hop.mails) == 5
    for octets in (make(x_grade="8"), make(x_grade="12"), make(GTUBE)):
        assert code_of(daemon, octets) == 250
    assert len(daemon.quarantined("spam")) == 3 and len(hop.mails) == 5


def test_gtube_counts(rspamd, door):
    """rspamd says of it that it was skipped; its score and its symbol count."""
    daemon, hop = door("rspamd", rspamd().tcp, policy="""
        rule test when any symbol (name = GTUBE) and spam.score >= 15 then quarantine gtube;
        otherwise accept;""")
    assert code_of(daemon, make(GTUBE)) == 250
    assert daemon.quarantined("gtube") and not hop.mails


def test_symbols_decide(rspamd, door):
    daemon, hop = door("rspamd", rspamd().unix, policy="""
        rule part when any symbol (name = GRADE and score > 6 and score < 7
                                   and text matches /6\\.31/) then quarantine part;
        otherwise accept;""")
    assert code_of(daemon, make(x_grade="6.31")) == 250 and daemon.quarantined("part")
    assert code_of(daemon, make(x_grade="5")) == 250 and len(hop.mails) == 1


def test_is_told_the_envelope(rspamd, door):
    daemon, hop = door("rspamd", rspamd(rules=TOLD).unix, policy="""
        rule told when any symbol (name = TOLD and text matches
            /192\\.0\\.2\\.7 far\\.example\\.net s@x\\.org a@example\\.org\\+b@example\\.org far\\.example\\.net/)
            then header add X-Test "told";
        otherwise accept;""")
    answer = send_as(daemon.port, make(), "s@x.org", ["a@example.org", "b@example.org"],
                     xforward=OUTSIDE)
    assert answer.end[0] == 250
    assert b"X-Test: told" in hop.wait(1)[0].data


def test_soft_reject_is_no_score_of_zero(rspamd, door):
    """rspamd wants the mail later: then, or when it ran out of time, it has not looked."""
    daemon, hop = door("rspamd", rspamd(rules=TOLD).unix)
    answer = send(daemon.port, make(x_soft="1"))
    assert answer.end[0] == 451 and not hop.mails, answer


def test_password(rspamd, door):
    """The controller wants one; without it there is no score."""
    port = free_port()
    scanner = rspamd(more=f'worker "controller" {{ bind_socket = "127.0.0.1:{port}"; '
                          'password = "secret"; secure_ip = []; count = 1; }')
    daemon, hop = door("rspamd", f"127.0.0.1:{port}", password='"wrong"')
    answer = send(daemon.port, make(GTUBE))
    assert answer.end[0] == 451 and "401" in answer.end[1] and not hop.mails
    daemon, hop = door("rspamd", f"127.0.0.1:{port}", password='"secret"')
    wait_for("the controller", lambda: code_of(daemon, make(GTUBE)) == 250)
    assert daemon.quarantined("spam") and not hop.mails
    assert scanner.process.poll() is None


def test_too_large_for_it(rspamd, door):
    """It closes without a word."""
    daemon, hop = door("rspamd", rspamd(more="options { max_message = 10k; }").unix)
    assert code_of(daemon, make(3000 * (60 * "x" + "\n"), x_grade="12")) == 451
    assert not hop.mails


def test_large_message(rspamd, door):
    daemon, hop = door("rspamd", rspamd().unix, settings="spool-from 100K;\n",
                       timeout="20s")
    assert code_of(daemon, make(40_000 * (60 * "x" + "\n"), x_grade="12")) == 250
    assert daemon.quarantined("spam") and not hop.mails


def test_is_away(rspamd, door):
    scanner = rspamd()
    daemon, hop = door("rspamd", scanner.unix)
    scanner.kill()
    for _ in range(5):
        answer = send(daemon.port, make())
        assert answer.end[0] == 451 and answer.end[1].startswith("4.7.1 rspamd: ")
    assert "not asked, down for" in answer.end[1]
    scanner.start()
    wait_for("rspamd to be asked again", lambda: code_of(daemon, make(GTUBE)) == 250)
    assert daemon.quarantined("spam") and not hop.mails


def test_hangs(rspamd, door):
    scanner = rspamd()
    daemon, hop = door("rspamd", scanner.unix, timeout="1s")
    scanner.pause()
    began = time.monotonic()
    answer = send(daemon.port, make(GTUBE))
    assert answer.end[0] == 451 and "no answer within 1 s" in answer.end[1]
    assert time.monotonic() - began < 4
    scanner.resume()
    wait_for("rspamd to be asked again", lambda: code_of(daemon, make(GTUBE)) == 250)
    assert not hop.mails


def test_worker_is_killed(rspamd, door):
    """In the middle of a scan; its master starts another."""
    scanner = rspamd()
    daemon, hop = door("rspamd", scanner.unix, timeout="10s")
    pid = scanner.process.pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        workers = [int(word) for word in children.read().split()]
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    answers = []
    client = threading.Thread(target=lambda: answers.append(send(daemon.port, make(GTUBE))))
    client.start()
    wait_for("rspamd to be asked", lambda: daemon.status()["scanners"][0]["running"] == 1)
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    client.join()
    assert answers[0].end[0] == 451 or daemon.quarantined("spam")
    wait_for("rspamd to be asked again", lambda: code_of(daemon, make(GTUBE)) == 250)
    assert not hop.mails


def test_restarts_between_two_mails(rspamd, door):
    scanner = rspamd()
    daemon, hop = door("rspamd", scanner.unix)
    for _ in range(3):
        assert code_of(daemon, make(GTUBE)) == 250
        scanner.restart()
    assert not hop.mails and daemon.status()["counters"]["deferred"] == 0


@pytest.mark.parametrize("tcp,then", [(False, "close"), (True, "reset")])
def test_cut_everywhere(cut, tcp, then):
    """After each number of octets, there and back: no score without a whole answer."""
    c = cut("rspamd", make(GTUBE), tcp)
    up, down = c.octets()
    steps = [("cut_down", place) for place in [*range(0, down, 3), down - 1, down]]
    steps += [("cut_up", place) for place in [*range(0, up, 29), up]]
    codes = set()
    for side, place in steps:
        for mail in (c.bad, c.good):
            c.harm(**{side: place}, then=then)
            codes.add((side, mail()))
        c.harm()
        assert c.bad() == 250           # it is well again, and was not put out
    assert {("cut_down", 250), ("cut_down", 451), ("cut_up", 451)} <= codes


def test_stalls(cut):
    c = cut("rspamd", make(GTUBE), timeout="1s")
    for step in ({"cut_up": 5}, {"cut_up": 300}, {"cut_down": 0}, {"cut_down": 200}):
        c.harm(**step, then="stall")
        assert c.bad() == 451
        c.harm()
        assert c.bad() == 250


def http(body: bytes, status: str = "200 OK", length: int | None = None) -> bytes:
    return (f"HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body) if length is None else length}\r\n\r\n").encode() + body


GARBAGE = [
    b"\0", b"\r\n", b"HTTP/1.1 200 OK\r\n\r\n", http(b""), http(b"{}"), http(b"null"),
    http(b"[]"), http(b'"score"'), http(b'{"score":0'), http(b'{"score":null}'),
    http(b'{"score":"0","action":"no action"}'), http(b'{"action":"no action"}'),
    http(b'{"error":"overload"}'), http(b'{"score":1e999,"action":"no action"}'),
    http(b'{"score":0.0,"action":"no action"}', "500 Oops"),
    http(b'{"score":0.0,"action":"no action"}', "403 No"),
    http(b'{"score":0.0,"action":"no action"}', "302 Found"),
    http(b'{"score":0.0,"action":"no action"}', length=100),
    http(b'{"symbols":' + b"[" * 100_000), b"HTTP/1.1 100 Continue\r\n\r\n",
    b"SPAMD/1.1 0 EX_OK\r\nSpam: False ; 0.0 / 5.0\r\n\r\n", bytes(range(256)) * 8,
    b"x" * 2_000_000, b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 300_000]


def test_garbage(cut):
    """Nothing but a whole answer is a score."""
    c = cut("rspamd", make(GTUBE))
    for octets in GARBAGE:
        c.harm(garbage=octets, cut_down=len(octets))
        assert c.good() == 451, octets[:200]
        c.harm(garbage=octets, cut_down=len(octets))
        assert c.bad() == 451, octets[:200]
        c.harm()
        assert c.bad() == 250


def test_killed_at_every_step(cut):
    c = cut("rspamd", make(GTUBE))
    for step in ({"cut_up": 0}, {"cut_up": 100}, {"cut_up": 400}, {"cut_down": 0},
                 {"cut_down": 50}, {"cut_down": 200}):
        c.harm(**step, then=lambda _: c.scanner.kill())
        c.bad()
        c.harm()
        c.scanner.kill()
        c.scanner.start()
        wait_for("rspamd to be asked again", lambda: c.bad() == 250)
