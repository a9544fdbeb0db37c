"""test_hold.py - mail that is held while a scanner is down, and what becomes of it then."""
import os
import pathlib
import re
import time

import pytest

from client import Client, send
from conftest import reachable
from mails import TRACE, id_of, make, send_as, to
from nexthop import Delay, Lost
from servers import wait_for
from test_pressure import tmpfs     # noqa: F401 (a fixture)
from test_scanner import Fake

RULES = "rule virus when virus.found then quarantine virus; otherwise accept;"
SETTINGS = "gateways 1;\nhold-retry 1s;\nhold-rate 100;\n"


class Site:
    """A daemon that holds what its clamd does not answer about; up() and down()."""

    def __init__(self, tmp_path, sallyport, hop, settings=SETTINGS, policy=RULES,
                 listener="", next_hop=None):
        self.path = reachable(tmp_path) / "clamd"
        self.hop, self.fake = hop, None
        self.scanner = (f"scanner clamd {{ type clamd; at unix:{self.path}; timeout 2s; "
                        "connect-timeout 1s; on-failure hold; canary 0; }\n")
        self.daemon = sallyport(next_hop or f"127.0.0.1:{hop.port}", queue="before",
                                policy=policy, listener=listener,
                                settings=settings + self.scanner)
        self.port = self.daemon.port

    def up(self, usual="clean"):
        self.fake = Fake("clamd", self.path, usual=usual)
        return self.fake

    def down(self):
        if self.fake:
            self.fake.close()
        self.path.unlink(missing_ok=True)

    def held(self):
        return self.daemon.quarantined("hold")

    def hold(self, octets=None, **options):
        """Sends a mail that is held; its id."""
        count = len(self.held())
        reply = send_as(self.port, octets or make(), **options)
        assert reply.end[0] == 250 and "held for later" in reply.end[1], reply
        assert len(self.held()) == count + 1
        return id_of(reply)

    def wait_none(self, timeout=30):
        wait_for("no mail to be held", lambda: not self.held(), timeout)


@pytest.fixture
def site(tmp_path, sallyport, next_hop):
    made = []

    def start(hop=None, **options):
        made.append(Site(tmp_path, sallyport, hop or next_hop(), **options))
        return made[-1]
    yield start
    for one in made:
        one.down()


def body_of(mail) -> bytes:
    """Below our Received, and X-Virus-Scanned."""
    match = TRACE.match(mail.data)
    assert match, mail.data[:400]
    return re.sub(rb"^X-Virus-Scanned: [^\r\n]*\r\n", b"", mail.data[match.end():])


def test_held_and_released(site):
    """The same bytes, the same envelope, once; the record tells the whole story."""
    s = site()
    octets = make("Text.\n.dot\n..two\n\n.\n" + "x" * 70 + "\n")
    with Client(s.port, name="mx.client.example") as client:
        client.say("XFORWARD ADDR=192.0.2.7 NAME=far.example.net HELO=far.example.net "
                   "PROTO=ESMTP IDENT=Q17")
        client.say("MAIL FROM:<amy@example.com> BODY=8BITMIME RET=HDRS ENVID=env+2B1")
        client.say("RCPT TO:<rcpt@example.org> NOTIFY=NEVER")
        client.say('RCPT TO:<"odd \\"one"@example.org> NOTIFY=SUCCESS,FAILURE '
                   "ORCPT=rfc822;other+40example.org")
        reply = client.data(octets)
    print(reply)
    assert reply[0] == 250
    first = re.search(rb"id=(\w+)", reply[1] if isinstance(reply[1], bytes)
                      else reply[1].encode()).group(1).decode()
    assert len(s.held()) == 1 and not s.hop.mails
    assert "held          1 mails" in s.daemon.run("status").stdout or wait_for(
        "status", lambda: "held          1 mails" in s.daemon.run("status").stdout)
    s.up()
    mail, = s.hop.wait(1)
    s.wait_none()
    assert body_of(mail) == octets
    trace = TRACE.match(mail.data)
    assert trace.group(3).decode() == first and trace.group(2) == b"ESMTP"
    assert b"from mx.client.example ([127.0.0.1])" in mail.data
    assert mail.sender == "amy@example.com"
    assert mail.recipients == ["rcpt@example.org", '"odd \\"one"@example.org']
    assert "RET=HDRS" in mail.sender_options and "ENVID=env+2B1" in mail.sender_options
    assert "NOTIFY=NEVER" in mail.recipient_options[0]
    assert "ORCPT=rfc822;other+40example.org" in mail.recipient_options[1]
    assert "NOTIFY=SUCCESS,FAILURE" in mail.recipient_options[1]
    assert mail.xforward["ADDR"] == "192.0.2.7" and mail.xforward["IDENT"] == "Q17"
    later = wait_for("its record", lambda: next(
        (line for line in s.daemon.track(first) if " delivered " in line), None))
    assert f"held-as {first}" in later
    explained = s.daemon.run("explain", first).stdout
    assert "held in class hold" in explained and "clamd" in explained
    assert "Examined again" in explained and "delivered" in explained
    again = s.daemon.explain(later.split()[1])
    assert {"name": "held-as", "state": "known", "value": first} in again["facts"]
    assert s.daemon.wait_log(f"held-released id={first}")
    time.sleep(2)
    assert len(s.hop.mails) == 1


def quarantined(s, name):
    """The one file of that class, its fields and its message."""
    path, = wait_for(f"class {name}", lambda: s.daemon.quarantined(name))
    fields, _, message = path.read_bytes().partition(b"\n\n")
    return path, fields.decode(), message


def test_infected_when_examined_again(site):
    s = site()
    octets = make()
    first = s.hold(octets)
    s.up("infected")
    s.wait_none()
    path, fields, message = quarantined(s, "virus")
    assert message == octets and "X-Envelope-To: <rcpt@example.org>" in fields
    assert f"held-as={first}" in s.daemon.log()
    assert not s.hop.mails


REJECT = ('rule far-too-bad when virus.found then reject "5.7.1 infected"; '
          "otherwise accept;")


def test_refused_by_a_rule(site):
    """Quarantine of that rule under the first id: no bounce, for the sender heard 250."""
    s = site(policy=REJECT)
    octets = make()
    first = s.hold(octets, sender="amy@example.com")
    s.up("infected")
    s.wait_none()
    path, fields, message = quarantined(s, "far-too-bad")
    assert path.stem == first and message == octets
    assert "X-Sallyport-Rule: far-too-bad" in fields and "5.7.1 infected" in fields
    time.sleep(1)
    assert not s.hop.mails
    assert any("quarantined" in line for line in s.daemon.track(first))


def test_next_hop_defers(site):
    """4xx, at MAIL and at the end: it stays, and is delivered once."""
    s = site()
    octets = make()
    first = s.hold(octets)
    s.hop.when("end", "451 4.3.0 not now", times=1)
    s.hop.when("MAIL", "450 4.7.1 later", times=1)
    s.up()
    mail, = s.hop.wait(1)
    s.wait_none()
    assert body_of(mail) == octets
    assert "not now" in s.daemon.log() and "did=stays" in s.daemon.log()
    time.sleep(2)
    assert len(s.hop.mails) == 1 and s.daemon.log().count(f"held-released id={first}") == 1


def test_next_hop_says_nothing(site):
    """It took the mail, and the reply was lost: rather twice than never."""
    s = site()
    octets = make()
    s.hold(octets)
    s.hop.when("end", Lost(), times=1)
    s.up()
    s.hop.wait(2)
    s.wait_none()
    time.sleep(1)
    assert [body_of(mail) for mail in s.hop.mails] == [octets] * 2


def test_next_hop_refuses(site):
    s = site()
    octets = make()
    first = s.hold(octets, sender="amy@example.com")
    s.hop.when("RCPT", "550 5.1.1 unknown")
    s.up()
    s.wait_none()
    path, fields, message = quarantined(s, "refused")
    assert path.stem == first and message == octets and "5.1.1 unknown" in fields
    time.sleep(1)
    assert not s.hop.mails


def test_next_hop_down(site, next_hop):
    s = site()
    octets = make()
    s.hold(octets)
    s.hop.close()
    s.up()
    s.daemon.wait_log("did=stays")
    time.sleep(1)
    again = next_hop(port=s.hop.port)
    mail, = again.wait(1)
    s.wait_none()
    assert body_of(mail) == octets


def test_reject_a_second_time_keeps_order(site):
    """A mail that came before it was held does not wait for one that cannot go."""
    s = site()
    s.hop.when("RCPT", "450 4.2.1 full", match="full@")
    s.hold(recipients=["full@example.org"])
    s.hold(recipients=["free@example.org"])
    s.up()
    mail, = s.hop.wait(1)
    assert mail.recipients == ["free@example.org"]
    assert len(s.held()) == 1 or wait_for("one", lambda: len(s.held()) == 1)


def test_recipients_with_fates_of_their_own(site):
    """One delivered, one refused, one put off: nobody twice, the rest waits alone."""
    s = site()
    octets = make()
    first = s.hold(octets, recipients=["good@example.org", "gone@example.org",
                                       "full@example.org"])
    s.hop.when("RCPT", "550 5.1.1 unknown", match="gone@")
    s.hop.when("RCPT", "452 4.2.2 full", match="full@", times=2)
    s.up()
    one, = s.hop.wait(1)
    assert one.recipients == ["good@example.org"]
    path, fields, message = quarantined(s, "refused")
    assert message == octets and path.stem == first
    assert re.findall(r"X-Envelope-To: (.*)", fields) == ["<gone@example.org>"]
    held, = s.held()
    wait_for("the file to be about the rest", lambda: re.findall(
        r"X-Envelope-To: (.*)", next(iter(s.held()), held).read_bytes().decode()
    ) == ["<full@example.org>"] if s.held() else True)
    both = s.hop.wait(2)
    assert both[1].recipients == ["full@example.org"] and body_of(both[1]) == octets
    s.wait_none()
    time.sleep(1)
    assert to(s.hop.mails) == ["full@example.org", "good@example.org"]


def test_one_recipient_is_held(site):
    """Whose rules ask for no scanner gets it at once."""
    s = site(policy='rule trusting when recipient = "trusting@example.org" then accept; '
             + RULES)
    octets = make()
    reply = send(s.port, octets, recipients=["trusting@example.org", "rcpt@example.org"])
    assert reply.end[0] == 250 and "1 quarantined" in reply.end[1]
    assert to(s.hop.wait(1)) == ["trusting@example.org"]
    assert len(s.held()) == 1
    s.up()
    s.hop.wait(2)
    s.wait_none()
    assert to(s.hop.mails) == ["rcpt@example.org", "trusting@example.org"]


def test_lmtp(site, next_hop):
    """Held in LMTP: each recipient hears so; LMTP behind it as well."""
    hop = next_hop(lmtp=True)
    s = site(hop=hop, next_hop=f"lmtp:127.0.0.1:{hop.port}")
    octets = make()
    with Client(s.port, lmtp=True) as client:
        reply = client.message(octets, client.mail_from(
            "amy@example.com", ["a@example.org", "b@example.org"]))
    assert all(code == 250 and "held for later" in str(text)
               for code, text in reply.ends.values()), reply
    hop.when("end", "452 4.2.2 full", match="b@", times=1)
    s.up()
    wait_for("both", lambda: to(hop.mails) == ["a@example.org", "b@example.org"])
    s.wait_none()
    assert all(body_of(mail) == octets for mail in hop.mails)
    assert TRACE.match(hop.mails[0].data).group(2) == b"LMTP"


@pytest.mark.parametrize("octets", [
    pytest.param(make("no end of line")[:-2], id="no newline at the end"),
    pytest.param(make(b"\xe4\xff" * 40), id="eight bits"),
    pytest.param(make("y" * 76 + "\n" * 3 + ("z" * 76 + "\n") * 300000), id="23 MB"),
    pytest.param(make("..\n.\n..\n" * 3000), id="dots"),
])
def test_bytes(site, octets):
    s = site()
    with Client(s.port) as client:
        reply = client.chunks(octets, client.mail_from(
            "amy@example.com", ["rcpt@example.org"], " BODY=8BITMIME"))
    assert reply.end[0] == 250, reply
    s.up()
    mail, = s.hop.wait(1)
    s.wait_none()
    assert body_of(mail) == octets


def test_many(site):
    """500 of them, at a bounded rate, each once; ordinary mail does not wait for them."""
    s = site(settings=SETTINGS.replace("hold-rate 100", "hold-rate 50"))
    for i in range(500):
        reply = send(s.port, make(), recipients=[f"r{i}@example.org"])
        assert "held for later" in reply.end[1]
    assert len(s.held()) == 500
    s.up()
    s.hop.wait(1, 30)
    begun = time.monotonic()
    slowest = 0.0
    while len(s.hop.mails) < 500 and time.monotonic() - begun < 60:
        before = time.monotonic()
        assert send(s.port, make(), recipients=["now@example.net"]).end[0] == 250
        slowest = max(slowest, time.monotonic() - before)
        time.sleep(0.5)
    took = time.monotonic() - begun
    s.wait_none(60)
    names = [name for name in to(s.hop.mails) if name.endswith("example.org")]
    assert names == sorted(f"r{i}@example.org" for i in range(500))
    print(f"500 released in {took:.1f} s; ordinary mail took {slowest:.3f} s at most")
    assert took >= 8 and slowest < 2
    assert s.daemon.status()["counters"]["held-released"] == 500


def test_reload_in_between(site, next_hop):
    """It is examined by the rules and goes to the next hop of that day."""
    s = site()
    octets = make()
    s.hold(octets)
    other = next_hop()
    s.daemon.next_hop = f"127.0.0.1:{other.port}"
    assert s.daemon.reload().returncode == 0
    s.up()
    mail, = other.wait(1)
    s.wait_none()
    assert body_of(mail) == octets and not s.hop.mails


def test_disk_full(site):
    """What cannot be kept is not taken."""
    s = site()
    folder = s.daemon.home / "state/quarantine"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "hold").write_text("in the way")
    assert send(s.port, make()).end[0] == 451
    (folder / "hold").unlink()
    s.hold()


@pytest.fixture
def full_disk(tmpfs, tmp_path):         # noqa: F811
    """The daemon's state on a disk that can be filled, and be given room again."""
    disk = tmpfs(tmp_path / "sallyport0/state", 32 << 20, "sallyport-store")
    filler = disk / "filler"

    def fill(full=True):
        if not full:
            filler.unlink()
            return
        with open(filler, "wb", buffering=0) as out:
            try:
                while out.write(b"x" * 4096):
                    pass
            except OSError:
                pass
    return fill


LARGE = "x" * 70 + "\n"


@pytest.mark.parametrize("answer", ["clean", "infected"])
def test_disk_runs_full(full_disk, site, answer):
    """Nothing new is held; what was goes out, or stays until it can be kept elsewhere."""
    s = site(settings=SETTINGS + "minimum-free 0;\n")
    octets = make(LARGE * 1000)
    s.hold(octets)
    full_disk()
    assert send(s.port, make(LARGE * 1000)).end[0] == 451
    s.up(answer)
    if answer == "clean":
        mail, = s.hop.wait(1)
        assert body_of(mail) == octets
    else:
        s.daemon.wait_log("did=stays")
        assert s.held() and not s.daemon.quarantined("virus")
    full_disk(False)
    s.wait_none()
    if answer == "infected":
        assert quarantined(s, "virus")[2] == octets
    time.sleep(1.5)
    assert len(s.hop.mails) == (answer == "clean")


def test_expiry(site):
    """It is kept, never tried again, and the postmaster is told, once."""
    s = site(settings=SETTINGS + "hold-lifetime 4s;\npostmaster root@example.com;\n")
    octets = make()
    ids = sorted([s.hold(octets), s.hold(octets)])
    s.wait_none(40)
    assert sorted(path.stem for path in s.daemon.quarantined("hold-expired")) == ids
    text = wait_for("the notice", lambda: (
        found := b"".join(mail.data for mail in s.hop.mails)) and
        all(one.encode() in found for one in ids) and found.decode())
    assert {tuple(mail.recipients) for mail in s.hop.mails} == {("root@example.com",)}
    assert all(mail.sender == "" for mail in s.hop.mails)
    assert all(text.count(one) == 1 for one in ids) and len(s.hop.mails) <= 2
    assert "Auto-Submitted: auto-generated" in text
    assert "did=expired" in s.daemon.log()
    s.up()
    time.sleep(4)
    assert len(s.hop.mails) <= 2 and len(s.daemon.quarantined("hold-expired")) == 2
    assert all(message.endswith(octets) for message in
               (path.read_bytes() for path in s.daemon.quarantined("hold-expired")))


def test_expiry_is_told_when_the_next_hop_is_back(site, next_hop):
    s = site(settings=SETTINGS + "hold-lifetime 2s;\n")
    s.hop.when("MAIL", "450 4.3.0 later", times=1)
    s.hold()
    s.wait_none(40)
    s.daemon.wait_log("cannot be told yet")


KILLS = [(name, step) for name in ("gateway", "store", "inspector", "reader", "master")
         for step in ("waiting", "scanning", "sending", "ending")]


@pytest.mark.parametrize("name,step", KILLS)
def test_kill(site, name, step):
    """At any moment: nothing is lost; twice at worst, and then the log says so."""
    s = site()
    octets = make()
    s.hold(octets)
    if step == "scanning":
        s.up().do(("slow", 1.5))
    elif step == "sending":
        s.hop.when("RCPT", Delay(1.5), times=1)
        s.up()
    elif step == "ending":
        s.hop.when("end", Delay(1.5), times=1)
        s.up()
    if step == "scanning":
        wait_for("the scan", lambda: s.fake.running > 0)
    elif step != "waiting":
        wanted = "RCPT" if step == "sending" else "BDAT"
        wait_for("the delivery", lambda: wanted in s.hop.transcript())
    time.sleep(0.3)
    end(s.daemon, name)
    if step == "waiting":
        s.up()
    s.hop.wait(1, 60)
    s.wait_none(60)
    time.sleep(1)
    assert all(body_of(mail) == octets for mail in s.hop.mails)
    assert len(s.hop.mails) == 1 or "may get the mail twice" in s.daemon.log()
    assert len(s.hop.mails) <= 2


def end(daemon, name):
    if name != "master":
        for pid in daemon.children("store" if name == "reader" else name)[
                name == "reader":][:1]:
            os.kill(pid, 9)
        return
    daemon.process.kill()
    daemon.process.wait()
    wait_for("its children to end", lambda: not re.search(
        str(daemon.home), " ".join(all_commands())), 40)
    daemon.start()


def all_commands():
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            pass


def test_database_lost(site):
    """The files are the truth."""
    s = site()
    octets = make()
    first = s.hold(octets)
    assert s.daemon.stop() == 0
    for path in (s.daemon.home / "state").glob("store.db*"):
        path.unlink()
    s.daemon.start()
    s.up()
    mail, = s.hop.wait(1)
    s.wait_none()
    assert body_of(mail) == octets
    assert s.daemon.wait_log(f"held-released id={first}")


def test_stop_and_start(site):
    s = site()
    octets = make()
    s.hold(octets)
    assert s.daemon.stop() == 0
    s.up()
    s.daemon.start()
    mail, = s.hop.wait(1)
    s.wait_none()
    assert body_of(mail) == octets


def test_listener_gone(site):
    s = site()
    s.hold()
    held, = s.held()
    held.write_bytes(held.read_bytes().replace(b"X-Sallyport-Listener: main",
                                               b"X-Sallyport-Listener: gone"))
    s.up()
    s.daemon.wait_log("no such listener")
    assert s.held()


PATIENT = SETTINGS.replace("hold-retry 1s", "hold-retry 1h")


def test_at_once_when_the_scanner_is_back(site):
    s = site(settings=PATIENT)
    for _ in range(5):
        s.hold()
    s.daemon.wait_log("state=down")
    s.up()
    s.hop.wait(5, 30)
    s.wait_none()


def test_held_by_a_rule(site):
    """Until the rules are others; then at once."""
    s = site(settings=PATIENT, policy='rule odd when header.subject = "test" then hold; '
             "otherwise accept;")
    octets = make()
    reply = send(s.port, octets)
    assert reply.end[0] == 250 and "held for later" in reply.end[1]
    assert "by rule odd" in reply.end[1]
    s.daemon.policy = "otherwise accept;"
    assert s.daemon.reload().returncode == 0
    mail, = s.hop.wait(1)
    s.wait_none()
    assert body_of(mail) == octets


def test_several_gateways(site):
    """One asks, whoever has held it."""
    s = site(settings=SETTINGS.replace("gateways 1", "gateways 3"))
    for i in range(30):
        s.hold(recipients=[f"r{i}@example.org"])
    s.up()
    s.hop.wait(30, 60)
    s.wait_none()
    time.sleep(1)
    assert to(s.hop.mails) == sorted(f"r{i}@example.org" for i in range(30))
