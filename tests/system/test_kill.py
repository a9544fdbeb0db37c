"""test_kill.py - each process is killed in turn under load, and no mail is lost.

A client that insists (load/insist.c) sends mails with an id each; a next hop (load/keep.c)
notes those it takes, and fails at times.  Every 5th mail goes to quarantine.  At the end
every id that was answered 250 is at the next hop or in quarantine, and more than once
only where a reply was lost.  SALLYPORT_LONG=1 makes more of it.
"""
import collections
import os
import re
import signal
import threading
import time

import pytest

from client import Client, crlf
from load import Insist, Keep, compile_tools, ids_in
from nexthop import Delay
from servers import wait_for

LONG = os.environ.get("SALLYPORT_LONG") == "1"
MAILS = 200000 if LONG else 20000
KILLS = 100 if LONG else 20
KINDS = ("gateway", "inspector", "store", "reader")
# A process that dies younger than five seconds waits longer and longer for its restart.
GROWN_MS = 5100
HOP_TROUBLE_SECONDS = 9
POLICY = ('rule fifth when sender = "q@example.com" then quarantine fifth;\n'
          "otherwise accept;")
SETTINGS = "spool-from 64K;\ngateways 2;"


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    return compile_tools(tmp_path_factory.mktemp("tools"))


@pytest.fixture
def keep(tools, tmp_path):
    hops = []

    def make(share=0):
        hops.append(Keep(tools, tmp_path / "taken", share))
        return hops[-1]
    yield make
    for hop in hops:
        hop.kill()


class Killer:
    """Kills what is old enough, a kind after the other."""

    def __init__(self, daemon, kills: int, kinds=KINDS):
        self.daemon = daemon
        self.left = {kind: kills for kind in kinds}
        self.killed = collections.Counter()

    def turn(self) -> None:
        grown = [(row["process"].split("/")[0], row["age_ms"], row["pid"])
                 for row in self.daemon.status()["processes"]
                 if row["state"] == "running" and row["age_ms"] > GROWN_MS]
        for kind in [kind for kind, left in self.left.items() if left]:
            found = [(age, pid) for name, age, pid in grown if name == kind]
            if found:
                self.kill(kind, max(found)[1])
                time.sleep(0.1)

    def kill(self, kind: str, pid: int) -> None:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return                      # an inspector that was just renewed
        self.left[kind] -= 1
        self.killed[kind] += 1

    def done(self) -> bool:
        return not any(self.left.values())


def trouble(hop, number: int) -> None:
    """The next hop is killed and comes back, or stops for a while."""
    if number % 2:
        hop.signal(signal.SIGSTOP)
        time.sleep(2)
        hop.signal(signal.SIGCONT)
    else:
        hop.kill()
        time.sleep(0.5)
        hop.start()


def check_exact(fates, taken, kept, report, breaks: int = 0) -> None:
    """Nothing missing, nothing twice that need not be.  breaks: how often a process or
    the next hop was killed: then one copy too many each needs no other reason."""
    copies = collections.Counter({number: len(what) for number, what in taken.items()})
    assert not [n for n, what in taken.items() if "cut" in what], "a message was not whole"
    assert not [n for n in taken if n % 5 == 0], "what was to be quarantined was delivered"
    assert not [n for n in kept if n % 5], "quarantined without a rule"
    copies.update(kept)
    assert not set(copies) - set(fates), "mails that nobody sent"
    missing = [n for n, fate in fates.items() if fate.code == 250 and not copies[n]]
    assert not missing, f"{len(missing)} answered 250 and gone: {missing[:20]}"
    doubles = [n for n in copies if copies[n] > 1]
    # A reply of the next hop that was lost may be behind one copy each: the gateway tries
    # again where a kept connection was closed without a word, else the client does.
    answered = {n: copies[n] - taken.get(n, []).count("lost") for n in copies}
    extra = {n: (taken.get(n), kept.get(n), fates[n]) for n in answered
             if answered[n] > (fates[n].code == 250) + fates[n].lost}
    assert len(extra) <= breaks, \
        f"{len(extra)} with copies for no reason: {list(extra.items())[:20]}"
    report(f"{len(fates)} mails, {sum(f.code == 250 for f in fates.values())} answered 250, "
           f"{sum(f.code > 250 for f in fates.values())} refused; "
           f"{sum(f.lost for f in fates.values())} replies lost, "
           f"{sum(f.deferred for f in fates.values())} deferred at the end; "
           f"{len(taken)} at the next hop, {len(kept)} in quarantine, {len(doubles)} twice "
           f"or more ({len(extra)} by a kill and no lost reply)")


def check_log(log: str) -> None:
    """Nobody ended but by our hand."""
    ends = re.findall(r"was ended by signal (?!9\b)\d+|ended with status [1-9]\d*", log)
    assert not ends, collections.Counter(ends)
    for text in ("Sanitizer", "runtime error", "assertion"):
        assert text not in log, log[log.index(text) - 200:][:2000]


@pytest.fixture
def report(capsys):
    def say(text):
        with capsys.disabled():
            print(f"\n  {text}")
    return say


def test_nothing_is_lost(sallyport, keep, tools, report):
    hop = keep(share=150)
    daemon = sallyport(f"127.0.0.1:{hop.port}", policy=POLICY, settings=SETTINGS)
    killer = Killer(daemon, KILLS)
    began = last = time.monotonic()
    troubles = 0
    with Insist(tools, daemon.port, MAILS) as load:
        while not killer.done() or load.done() < MAILS:
            assert load.process.poll() is None
            killer.turn()
            if time.monotonic() - last > HOP_TROUBLE_SECONDS:
                troubles += 1
                trouble(hop, troubles)
                last = time.monotonic()
            time.sleep(0.2)
    report(f"killed in {time.monotonic() - began:.0f} s: {dict(killer.killed)}, and "
           f"{troubles} times the next hop had its troubles")
    check_exact(load.fates, hop.taken(), ids_in(daemon.quarantined("fifth")), report,
                killer.killed.total() + troubles)
    wait_for("all to be well again", lambda: daemon.run("status").returncode in (0, 1) and
             daemon.status()["counters"]["transactions-open"] == 0, 60)
    check_log(daemon.log())
    assert len(daemon.track()) > 0


# two variants

TWO = ('rule one when recipient = one@example.org then header add X-Variant "1";\n'
       "otherwise accept;")
VARIED = crlf("From: <sender@example.com>\nMessage-ID: <varied@example.com>\n"
              "Subject: varied\n\nText.\n")


def send_varied(port: int) -> int:
    """To both; the code of the reply, 0 if none came."""
    try:
        with Client(port) as client:
            answer = client.mail_from("sender@example.com",
                                      ["one@example.org", "two@example.org"])
            return client.message(VARIED, answer).end[0]
    except (OSError, EOFError):
        return 0


def retry(daemon, hop, tries: int = 40) -> list[int]:
    """Until it is taken; the codes."""
    codes = []
    while len(codes) < tries and 250 not in codes:
        codes.append(send_varied(daemon.port))
    return codes


def copies_of(hop) -> collections.Counter:
    return collections.Counter(name for mail in hop.mails for name in mail.recipients)


def test_variants_with_kills_between_tries(sallyport, next_hop):
    """The second variant fails at its dot, three times; the ledger outlives the gateway."""
    hop = next_hop()
    daemon = sallyport(f"127.0.0.1:{hop.port}", policy=TWO, settings="gateways 1;")
    hop.when("end", "451 4.3.0 later", skip=1, times=3)
    for _ in range(3):
        assert send_varied(daemon.port) == 451
        old = daemon.kill("gateway")
        wait_for("another gateway", lambda: daemon.children("gateway") not in ([], [old]))
    assert send_varied(daemon.port) == 250
    assert copies_of(hop) == {"one@example.org": 1, "two@example.org": 1}


@pytest.mark.parametrize("process", ["gateway", "store"])
def test_variants_with_a_kill_between_dots(sallyport, next_hop, process):
    """After the first dot, before the second is answered: a gateway can note nothing any
    more, so there is one copy more for each such kill, and none for the store's."""
    hop = next_hop()
    daemon = sallyport(f"127.0.0.1:{hop.port}", policy=TWO, settings="gateways 1;")
    hop.when("end", Delay(1, "451 4.3.0 later"), skip=1, times=1)
    killing = threading.Timer(0.5, daemon.kill, [process])
    killing.start()
    first = send_varied(daemon.port)
    killing.join()
    wait_for("another one", lambda: daemon.run("status").returncode == 0 or
             all(row["state"] == "running" for row in daemon.status()["processes"]))
    assert first in (0, 451)
    assert retry(daemon, hop)[-1] == 250
    # The dots are sent together: either can be the first.
    assert sorted(copies_of(hop).values()) == [1, 2 if process == "gateway" else 1]


def test_variants_under_kills(sallyport, next_hop):
    """Dots that fail and gateways that die, for long: no more copies of a recipient than
    tries without a reply and one."""
    hop = next_hop()
    daemon = sallyport(f"127.0.0.1:{hop.port}", policy=TWO, settings="gateways 2;")
    killer = Killer(daemon, 4, ("gateway",))
    unanswered = mails = 0
    while not killer.done():
        hop.when("end", Delay(0.02, "451 4.3.0 later"), skip=1, times=3)
        codes = retry(daemon, hop)
        assert codes[-1] == 250
        mails += 1
        unanswered += codes.count(0)
        hop.clear()
        killer.turn()
    copies = copies_of(hop)
    for name in ("one@example.org", "two@example.org"):
        assert mails <= copies[name] <= mails + unanswered, (copies, mails, unanswered)
