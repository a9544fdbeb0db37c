"""test_postfix.py - more of what real MTAs do with Sallyport among them.

That mail passes at all, in every place, is tested in test_mta.py.  Here: what the MTA makes
of our replies, what it tells us about its client, what comes back when we fail.
"""
import pytest

from client import Client, send, swaks
from mails import make, to
from private_net import free_port
from test_mta import around     # noqa: F401 (a fixture)

EACH = """
rule kept  when recipient = kept@example.org  then quarantine kept;
rule trash when recipient = trash@example.org then discard;
rule once  when recipient = later@example.org then defer;
otherwise accept;"""
OUT = ["a@example.org", "kept@example.org", "trash@example.org"]


@pytest.fixture
def stranger():
    """stranger(mta): a client that Postfix takes for one from outside."""
    made = []

    def make_client(mta):
        client = Client(mta.entry)
        made.append(client)
        assert client.say("XCLIENT ADDR=192.0.2.7 NAME=far.example.net")[0] == 220
        client.ehlo("far.example.net")
        return client
    yield make_client
    for client in made:
        client.close()


@pytest.mark.parametrize("by", ["smtp", "lmtp", "proxy"])
def test_client_is_known(around, stranger, by):
    mta, daemon, hop = around("postfix", by, queue="before" if by == "proxy" else "after")
    client = stranger(mta)
    assert client.message(make(), client.mail_from("s@x.org", ["a@example.org"])).code == 250
    line = daemon.wait_log(" mail id=")
    assert "client=192.0.2.7" in line and len(hop.wait(1)) == 1
    mail_id = line.split(" mail id=")[1].split()[0]
    record = daemon.explain(mail_id)
    assert (record["client_name"], record["client_helo"]) == ("far.example.net",) * 2
    if by != "proxy":                   # before its queue the mail has no id yet
        assert f"{record['client_queue_id']}: " in mta.log() and record["client_queue_id"]
    queued = record["recipients"][0]["queue_id"]
    assert queued and f"{queued}: " in mta.log()


@pytest.mark.parametrize("by", ["smtp", "lmtp"])
def test_mixed_fates_behind_queue(around, by):
    mta, daemon, hop = around("postfix", by, policy=EACH)
    assert send(mta.entry, make(), recipients=OUT).code == 250
    mta.wait_empty()
    assert to(hop.wait(1)) == ["a@example.org"] and len(daemon.quarantined("kept")) == 1


def test_deferred_recipient_of_lmtp_stays_queued(around):
    """The others are done with; SMTP would keep all of them."""
    mta, daemon, hop = around("postfix", "lmtp", policy=EACH)
    assert send(mta.entry, make(), recipients=[*OUT, "later@example.org"]).code == 250
    assert to(hop.wait(1)) == ["a@example.org"]
    mta.wait_log("Deferred by rule once")
    mail, = mta.queue()
    assert [row["address"] for row in mail["recipients"]] == ["later@example.org"]
    daemon.policy = "otherwise accept;"
    assert daemon.reload().returncode == 0
    mta.flush()
    assert to(hop.wait(2)) == ["a@example.org", "later@example.org"]
    mta.wait_empty()


def test_daemon_is_away_for_a_while(around):
    """Postfix keeps the mail, and each arrives once."""
    mta, daemon, hop = around("postfix", "smtp")
    assert daemon.stop() == 0
    for i in range(5):
        assert send(mta.entry, make(), recipients=[f"r{i}@example.org"]).code == 250
    mta.wait_log("Connection refused")
    daemon.start()
    mta.flush()
    assert to(hop.wait(5)) == [f"r{i}@example.org" for i in range(5)]
    mta.wait_empty()
    assert len(hop.mails) == 5


def test_reentry_refuses_an_address(around):
    """What our next hop does not want, the sender hears once, and from one of us."""
    mta, daemon, hop = around("postfix", "smtp")
    mta.settings = {"smtpd_recipient_restrictions":
                    "check_recipient_access inline:{{bad@example.org=550 no such user}}, permit"}
    mta.reload()
    back = Client(mta.reentry)
    refused = back.mail_from("s@x.org", ["bad@example.org"]).recipients["bad@example.org"][0]
    back.close()
    assert refused == 550 or refused == 554
    assert send(daemon.port, make(), "s@x.org", ["a@example.org", "bad@example.org"]).code == 250
    mails = hop.wait(2)
    assert sorted((mail.sender, mail.recipients[0]) for mail in mails) == [
        ("", "s@x.org"), ("s@x.org", "a@example.org")]
    notice = next(mail for mail in mails if mail.sender == "")
    assert b"bad@example.org" in notice.data and b"multipart/report" in notice.data


def test_variants_through_postfix(around):
    mta, daemon, hop = around("postfix", "smtp", policy="".join(
        f'rule r{i} when recipient = r{i}@example.org then header add X-R "{i}";\n'
        for i in range(4)) + "otherwise accept;")
    names = [f"r{i}@example.org" for i in range(5)]
    assert send(mta.entry, make(), recipients=names).code == 250
    assert to(hop.wait(5)) == names
    for mail in hop.mails:
        for name in mail.recipients:
            assert (f"X-R: {name[1]}\r\n".encode() in mail.data) == (name[1] != "4")
    mta.wait_empty()


def test_authenticated_word_of_postfix(around):
    """Its own header, for a client that has given a password, is believed."""
    mta, daemon, hop = around("postfix", "smtp", policy="""
        rule own when client.authenticated then header add X-Own "1"; otherwise accept;""")
    octets = make(top="Received: from x (far [192.0.2.7])\n\t(Authenticated sender: amy)\n"
                  "\tby mail.example.com (Postfix) with ESMTPSA id 4A;\n"
                  "\tWed, 21 Jan 2026 10:00:00 +0000\n")
    with Client(mta.entry) as client:   # a stranger forges it: his own address is on top
        assert client.say("XCLIENT ADDR=192.0.2.8 NAME=far.example.net")[0] == 220
        client.ehlo("far.example.net")
        assert client.message(octets, client.mail_from("s@x.org", ["a@example.org"])).code == 250
    assert b"X-Own" not in hop.wait(1)[0].data
    assert send(daemon.port, octets, "s@x.org", ["a@example.org"]).code == 250
    assert b"X-Own" in hop.wait(2)[1].data


def test_before_queue_hears_everything(around):
    """Through smtpd_proxy_filter the client hears our 4xx and 5xx, and its mail is nowhere."""
    mta, daemon, hop = around("postfix", "proxy", queue="before", policy="""
        rule no when header.subject = "no" then reject "550 5.7.1 Not here";
        rule later when header.subject = "later" then defer;
        rule kept when header.subject = "kept" then quarantine kept;
        otherwise accept;""")
    assert send(mta.entry, make(subject="no")).end[0] == 550
    assert send(mta.entry, make(subject="later")).end[0] == 451
    assert send(mta.entry, make(subject="kept")).end[0] == 250
    answer = send(mta.entry, make(subject="bare"))
    assert answer.end[0] == 250 and "queued as" in answer.end[1]
    assert len(hop.wait(1)) == 1 and not mta.queue_ids() and len(daemon.quarantined("kept")) == 1


def test_many_mails_by_lmtp(around):
    mta, daemon, hop = around("postfix", "lmtp")
    mta.smtp_source("-m", "100", "-s", "10", "-l", "3000", "-r", "3", "-t", "rcpt@example.org")
    mta.wait_empty(60)
    assert len(to(hop.mails)) == 300


def test_smtp_source_to_us(sallyport, next_hop, postfix):
    """Postfix's load generator at our own door, by SMTP and LMTP."""
    hop = next_hop()
    daemon = sallyport(f"127.0.0.1:{hop.port}")
    mta = postfix(f"127.0.0.1:{free_port()}")
    for option in ([], ["-L"]):
        before = len(hop.mails)
        mta.run("smtp-source", *option, "-m", "100", "-s", "10", "-l", "5000", "-f", "s@x.org",
                "-t", "a@x.org", f"inet:127.0.0.1:{daemon.port}")
        assert len(hop.wait(before + 100)) == before + 100


def test_swaks_to_us(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(f"127.0.0.1:{hop.port}")
    try:
        for options in ([], ["--protocol", "LMTP"], ["--pipeline"],
                        ["--to", "a@x.org,b@x.org", "--attach", "@/etc/passwd"]):
            done = swaks(daemon.port, "--to", "rcpt@example.org", "--body", "hello\n.dot", *options)
            assert done.returncode == 0, done.stdout
            assert "from MTA(smtp:[127.0.0.1]:" in done.stdout
    except FileNotFoundError:
        pytest.skip("no swaks")
    assert len(hop.mails) == 4


@pytest.mark.parametrize("server", ["exim", "opensmtpd"])
def test_other_servers_as_next_hop(request, sallyport, next_hop, server):
    """Delivered, refused and put off by another MTA than Postfix, to which we speak."""
    hop = next_hop()
    mta = request.getfixturevalue(server)(f"127.0.0.1:{hop.port}")
    daemon = sallyport(f"127.0.0.1:{mta.entry}")
    octets = make(bytes(range(128, 256)) + b"\n.\n..\n" + b"x" * 900 + b"\n")
    answer = send(daemon.port, octets, recipients=["a@example.org", "b@example.org"])
    assert answer.end[0] == 250, answer
    hop.wait(1)
    mta.wait_empty()
    assert to(hop.mails) == ["a@example.org", "b@example.org"]
    assert all(mail.data.endswith(octets.partition(b"\r\n\r\n")[2]) for mail in hop.mails)
    record = daemon.explain(answer.end[1].rpartition("id=")[2])
    queued = record["recipients"][0]["queue_id"]
    assert queued and queued in mta.log()
    mta.stop()
    answer = send(daemon.port, make())
    assert answer.end[0] == 451 and answer.end[1].startswith("4.4.1 ")


def test_postfix_is_told_no_bare_newlines(around):
    """Postfix's cleanup and we agree about what a line is."""
    mta, daemon, hop = around("postfix", "smtp")
    with Client(daemon.port) as client:
        answer = client.mail_from("s@x.org", ["a@example.org"])
        client.say("DATA")
        client.sock.sendall(b"Subject: x\r\n\r\nbody\n.\nMAIL FROM:<evil@x.org>\r\n.\r\n")
        client.ends(answer)
    assert answer.end[0] == 250
    mail, = hop.wait(1)
    assert mail.data.endswith(b"body\r\n.\r\nMAIL FROM:<evil@x.org>\r\n")

