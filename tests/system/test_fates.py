"""test_fates.py - everything that can become of a mail, and of each of its recipients."""
import email
import email.policy
import json
import re

import pytest

from client import Client, send
from mails import OUTSIDE, id_of, make, send_as, to, untraced
from nexthop import Close, Stall

# A fate for each recipient, by its name.
FATES = """
rule no      when recipient = no@example.org      then reject "550 5.1.1 No such user";
rule virus   when recipient = virus@example.org   then reject "5.7.1 Infected";
rule later   when recipient = later@example.org   then defer;
rule trash   when recipient = trash@example.org   then discard;
rule kept    when recipient = kept@example.org    then quarantine kept;
rule other   when recipient = other@example.org   then quarantine other;
otherwise accept;
"""


def places(hop) -> str:
    return f"127.0.0.1:{hop.port}"


def block_and_message(path) -> tuple[list[str], bytes]:
    """A quarantined file: its own lines, and the message."""
    block, _, message = path.read_bytes().partition(b"\n\n")
    return block.decode().split("\n"), message


# one recipient

def test_accepted(sallyport, next_hop):
    hop = next_hop()
    hop.when("end", "250 2.0.0 Ok: queued as 4XYZ")
    daemon = sallyport(places(hop))
    octets = make()
    answer = send(daemon.port, octets)
    mail, = hop.wait(1)
    assert answer.end[0] == 250 and answer.end[1] == (
        f"2.0.0 from MTA(smtp:[127.0.0.1]:{hop.port}): 250 2.0.0 Ok: queued as 4XYZ, "
        f"id={id_of(answer)}")
    assert untraced(mail.data) == octets
    assert (mail.sender, mail.recipients) == ("sender@example.com", ["rcpt@example.org"])
    record = daemon.explain(id_of(answer))
    row, = record["recipients"]
    assert (row["outcome"], row["queue_id"], row["rule"]) == ("delivered", "4XYZ",
                                                              "otherwise")
    assert not daemon.quarantined()


@pytest.mark.parametrize("recipient,code,text", [
    ("no@example.org", 550, "5.1.1 No such user"),
    ("virus@example.org", 554, "5.7.1 Infected"),
    ("later@example.org", 451, "4.7.1 Deferred by rule later, try again later"),
    ("trash@example.org", 250, "2.7.0 Ok, discarded"),
    ("kept@example.org", 250, "2.0.0 Ok"),
])
@pytest.mark.parametrize("lmtp", [False, True])
def test_not_delivered(sallyport, next_hop, recipient, code, text, lmtp):
    hop = next_hop()
    daemon = sallyport(places(hop), queue="before", policy=FATES)
    octets = make()
    answer = send(daemon.port, octets, recipients=[recipient], lmtp=lmtp)
    assert answer.end == (code, f"{text}, id={id_of(answer)}")
    kept = daemon.quarantined()
    assert len(kept) == (recipient == "kept@example.org")
    daemon.explain(id_of(answer))
    assert not hop.mails and not any("C: MAIL" in s for h in hop.sessions for s in h.lines)


def test_refusal_behind_queue_needs_own_client(sallyport, next_hop):
    """Ours hear 5xx from our own MTA; a stranger is never bounced to."""
    hop = next_hop()
    daemon = sallyport(places(hop), policy="""
        rule own when header.subject = "virus" and client.local then reject "5.7.1 No";
        rule all when header.subject = "virus" then quarantine virus;
        otherwise accept;""")
    assert send_as(daemon.port, make(subject="virus"), xforward="").end[0] == 554
    assert send_as(daemon.port, make(subject="virus")).end[0] == 250
    assert len(daemon.quarantined("virus")) == 1 and not hop.mails


def test_quarantine_holds_all(sallyport, next_hop):
    """The file is the envelope and then the message, byte for byte."""
    hop = next_hop()
    daemon = sallyport(places(hop), queue="before", policy=FATES)
    octets = make(bytes(range(256)).replace(b"\r", b"").replace(b"\n", b"") + b"\n.\n\n")
    with Client(daemon.port) as client:
        assert client.say(OUTSIDE + " IDENT=4ABC")[0] == 250
        answer = client.mail_from('"sen der"@example.com', [],
                                  " BODY=8BITMIME RET=HDRS ENVID=q+2Bx")
        assert client.say("RCPT TO:<kept@example.org> NOTIFY=FAILURE,DELAY "
                          "ORCPT=rfc822;Kept@Example.org")[0] == 250
        client.message(octets, answer)
    assert answer.end[0] == 250
    path, = daemon.quarantined("kept")
    lines, message = block_and_message(path)
    assert message == octets
    assert path.stem == id_of(answer) and path.stat().st_mode & 0o007 == 0
    fields = dict(line.split(": ", 1) for line in lines)
    assert fields["X-Sallyport-Id"] == id_of(answer)
    assert fields["X-Envelope-From"].startswith('<"sen der"@example.com> BODY=8BITMIME RET=HDRS')
    assert "ENVID=" in fields["X-Envelope-From"]
    assert fields["X-Envelope-To"].startswith("<kept@example.org> NOTIFY=FAILURE,DELAY ORCPT=")
    assert fields["X-Sallyport-Class"] == fields["X-Sallyport-Rule"] == "kept"
    assert fields["X-Sallyport-Client"] == "192.0.2.7"
    assert fields["X-Sallyport-Size"] == str(len(octets))
    assert "IDENT=4ABC" in fields["X-Sallyport-Xforward"]


def test_quarantine_is_a_file_each_class(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(places(hop), queue="before", policy=FATES)
    answer = send(daemon.port, make(), recipients=[
        "kept@example.org", "other@example.org", "rcpt@example.org"])
    assert answer.end[0] == 250 and "but 2 quarantined" in answer.end[1]
    kept, = daemon.quarantined("kept")
    other, = daemon.quarantined("other")
    assert "X-Envelope-To: <kept@example.org>" in block_and_message(kept)[0]
    assert "X-Envelope-To: <other@example.org>" in block_and_message(other)[0]
    assert to(hop.mails) == ["rcpt@example.org"]


@pytest.mark.parametrize("break_store", ["kill", "folder"])
def test_quarantine_fails(sallyport, next_hop, break_store):
    """What cannot be kept is not answered 250."""
    hop = next_hop()
    daemon = sallyport(places(hop), queue="before", policy=FATES)
    folder = daemon.home / "state/quarantine"
    if break_store == "folder":
        for path in (folder / "kept").rglob("*"):
            path.unlink()
        folder.chmod(0o500)
        (folder / "kept").write_text("in the way")
    else:
        daemon.kill("store")
    answer = send(daemon.port, make(), recipients=["kept@example.org", "rcpt@example.org"])
    if answer.end[0] == 250:            # the store was back already
        assert break_store == "kill" and len(daemon.quarantined("kept")) == 1
    else:
        assert answer.end[0] == 451 and not hop.mails and not daemon.quarantined("kept")


# changes

def test_header_changes(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(places(hop), policy="""
        rule a when sender = "sender@example.com"
            then header add X-One "1", header remove X-Spam, header add X-Two "two words";
        rule b when message.size > 1 then header add X-Three "3", header remove To;
        otherwise accept;""")
    octets = make(x_spam="yes\n\tindeed", top="X-SPAM: first\nX-Spammer: no\n")
    assert send(daemon.port, octets).end[0] == 250
    got = untraced(hop.wait(1)[0].data)
    header, _, body = got.partition(b"\r\n\r\n")
    added = [b"X-One: 1", b"X-Two: two words", b"X-Three: 3"]
    lines = header.split(b"\r\n")
    assert sorted(lines[:3]) == sorted(added)
    rest = octets.partition(b"\r\n\r\n")[0].split(b"\r\n")
    assert lines[3:] == [line for line in rest if line not in (
        b"X-SPAM: first", b"X-Spam: yes", b"\tindeed", b"To: rcpt@example.org")]
    assert body == octets.partition(b"\r\n\r\n")[2]


def test_changes_then_fate(sallyport, next_hop):
    """A final action behind collected ones; what is quarantined is as it came."""
    hop = next_hop()
    daemon = sallyport(places(hop), policy="""
        rule a when recipient = kept@example.org then header add X-A "1", quarantine kept;
        rule b when recipient = rcpt@example.org then header add X-B "2", accept;
        rule c when message.size > 0 then header add X-C "3";
        otherwise discard;""")
    octets = make()
    answer = send(daemon.port, octets, recipients=[
        "kept@example.org", "rcpt@example.org", "nobody@example.org"])
    assert answer.end[0] == 250 and "1 quarantined, 1 discarded" in answer.end[1]
    assert block_and_message(daemon.quarantined("kept")[0])[1] == octets
    mail, = hop.wait(1)
    assert untraced(mail.data) == b"X-B: 2\r\n" + octets
    assert mail.recipients == ["rcpt@example.org"]


def test_header_of_strange_messages(sallyport, next_hop):
    """Changes to messages without header, without body, with 8-bit, huge fields."""
    hop = next_hop()
    daemon = sallyport(places(hop), policy="""
        rule a when message.size >= 0 then header add X-A "1", header remove X-B;
        otherwise accept;""")
    shapes = [b"", b"\r\n", b"X-B: only\r\n", b"\r\nX-B: body\r\n", b"X-B: x\r\n\r\nbody",
              b"From x\r\nX-B: x\r\n\r\n", b"no header\r\n", b"A: \xff\xfe\r\nx-b: \x80\r\n\r\n\xff",
              b"L: " + b"x" * 100000 + b"\r\nX-B: " + b"y" * 100000 + b"\r\n\r\nend\r\n",
              b"".join(b"N%d: x\r\n" % i for i in range(1500)) + b"X-B: z\r\n\r\n."]
    for shape in shapes:
        answer = send(daemon.port, shape, chunked=True)
        assert answer.end[0] == 250, (shape[:50], answer, daemon.log()[-500:])
        got = hop.mails[-1].data
        assert got.count(b"X-A: 1\r\n") == 1
        body = shape.partition(b"\r\n\r\n")[2] if not shape.startswith(b"\r\n") else shape
        assert got.endswith(body)
        assert (b"X-B: body" in shape) == (b"X-B: body" in got)
        assert b"X-B: x" not in got and b"x-b: \x80" not in got and b"X-B: yy" not in got


def test_monitor_rule_changes_nothing(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(places(hop), policy="""
        monitor rule would when sender = "sender@example.com" then quarantine kept;
        monitor rule edit when message.size > 0 then header add X-A "1";
        monitor rule not when recipient = nobody@example.org then discard;
        otherwise accept;""")
    octets = make()
    answer = send(daemon.port, octets)
    assert untraced(hop.wait(1)[0].data) == octets and not daemon.quarantined()
    walk, = daemon.explain(id_of(answer))["walks"]
    would = {row["rule"]: (row["monitor"], row["result"], row["would"]) for row in walk}
    assert would["would"] == (True, "fired", "quarantine")
    assert would["not"] == (True, "no", "")
    assert would["otherwise"][:2] == (False, "fired")
    rows = {row["rule"]: row["hits"] for row in daemon.status()["rules"]}
    assert rows["would"] == 1 and rows["not"] == 0


# mixed fates

ALL = ["rcpt@example.org", "no@example.org", "later@example.org", "trash@example.org",
       "kept@example.org", "fine@example.org"]


@pytest.mark.parametrize("hop_lmtp", [False, True])
def test_lmtp_tells_each_recipient(sallyport, next_hop, hop_lmtp):
    hop = next_hop(lmtp=hop_lmtp)
    place = places(hop) if not hop_lmtp else f"lmtp:{places(hop)}"
    daemon = sallyport(place, queue="before", policy=FATES)
    answer = send(daemon.port, make(), recipients=ALL, lmtp=True)
    assert [answer.ends[name][0] for name in ALL] == [250, 550, 451, 250, 250, 250]
    assert to(hop.mails) == ["fine@example.org", "rcpt@example.org"]
    assert len(daemon.quarantined("kept")) == 1
    assert len({id_of(reply) for reply in answer.ends.values()}) == 1


def test_lmtp_next_hop_decides_about_each(sallyport, next_hop):
    hop = next_hop(lmtp=True)
    hop.when("RCPT", "550 5.1.1 unknown", match="bob@")
    hop.when("end", "451 4.2.2 full", match="cat@")
    hop.when("end", "552 5.2.2 too much", match="dan@")
    daemon = sallyport(f"lmtp:{places(hop)}")
    names = [f"{name}@example.org" for name in ("amy", "bob", "cat", "dan")]
    answer = send(daemon.port, make(), recipients=names, lmtp=True)
    assert [answer.ends[name][0] for name in names] == [250, 550, 451, 552]
    assert f"5.1.1 from MTA(lmtp:[127.0.0.1]:{hop.port}): 550 5.1.1 unknown" in \
        answer.ends[names[1]][1]
    assert to(hop.mails) == ["amy@example.org"]


def test_lmtp_client_smtp_next_hop(sallyport, next_hop):
    hop = next_hop()
    hop.when("RCPT", "450 4.2.1 later", match="bob@")
    daemon = sallyport(places(hop))
    answer = send(daemon.port, make(), recipients=["amy@x.org", "bob@x.org"], lmtp=True)
    assert [answer.ends[n][0] for n in ("amy@x.org", "bob@x.org")] == [250, 450]
    assert to(hop.mails) == ["amy@x.org"]


def test_lmtp_variants_go_on_their_own(sallyport, next_hop):
    """One variant that fails does not keep the others back."""
    hop = next_hop()
    hop.when("end", "451 4.3.0 later", times=1, skip=1)
    daemon = sallyport(places(hop), settings="gateways 1;", policy=EDITS)
    names = [f"r{i}@example.org" for i in range(3)]
    answer = send(daemon.port, make(), recipients=names, lmtp=True)
    assert sorted(answer.ends[name][0] for name in names) == [250, 250, 451]
    late = next(name for name in names if answer.ends[name][0] == 451)
    assert to(hop.mails) == sorted(set(names) - {late})


def test_one_deferred_defers_all(sallyport, next_hop):
    """SMTP has one reply, and nothing may have happened when it is 451."""
    hop = next_hop()
    daemon = sallyport(places(hop), queue="before", policy=FATES)
    answer = send(daemon.port, make(), recipients=ALL)
    assert answer.end[0] == 451 and not hop.mails and not daemon.quarantined()


def test_all_refused_is_refused(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(places(hop), queue="before", policy=FATES)
    answer = send(daemon.port, make(), recipients=["no@example.org", "virus@example.org"])
    assert answer.end[0] // 100 == 5 and not hop.mails and not daemon.quarantined()


def parse_notice(octets: bytes):
    """A delivery status notification: message, text, fields a recipient, original."""
    message = email.message_from_bytes(octets, policy=email.policy.SMTP)
    assert message.get_content_type() == "multipart/report"
    assert message.get_param("report-type") == "delivery-status"
    text, status, original = message.iter_parts()
    assert text.get_content_type() == "text/plain"
    assert status.get_content_type() == "message/delivery-status"
    assert not message.defects and not any(part.defects for part in message.walk())
    assert all(len(line) <= 998 for line in octets.split(b"\r\n"))
    return message, text.get_content(), status.get_payload(), original


@pytest.mark.parametrize("chunking", [True, False])
def test_own_sender_is_notified(sallyport, next_hop, chunking):
    hop = next_hop() if chunking else next_hop(extensions=("PIPELINING", "DSN"))
    daemon = sallyport(places(hop), queue="before", policy=FATES)
    octets = make(subject="Invoice")
    answer = send(daemon.port, octets, options=" ENVID=env1 RET=HDRS", recipients=[
        "no@example.org", "rcpt@example.org", "virus@example.org"])
    assert answer.end[0] == 250 and "but 2 notified" in answer.end[1]
    notice, mail = sorted(hop.wait(2), key=lambda mail: mail.sender != "")
    assert untraced(mail.data) == octets and mail.recipients == ["rcpt@example.org"]
    assert notice.sender == "" and notice.recipients == ["sender@example.com"]
    message, text, (about, *each), original = parse_notice(notice.data)
    assert message["To"].addresses[0].addr_spec == "sender@example.com"
    assert message["From"].addresses[0].addr_spec == "postmaster@sallyport.example.com"
    assert message["Auto-Submitted"] == "auto-replied" and message["Date"]
    assert about["Reporting-MTA"] == "dns; sallyport.example.com"
    assert about["Original-Envelope-Id"] == "env1"
    fields = {part["Final-Recipient"]: part for part in each}
    assert sorted(fields) == ["rfc822;no@example.org", "rfc822;virus@example.org"]
    row = fields["rfc822;no@example.org"]
    assert (row["Action"], row["Status"]) == ("failed", "5.1.1")
    assert "no@example.org" in text and "rcpt@example.org" not in text
    assert original.get_content_type() == "text/rfc822-headers"
    assert "Subject: Invoice" in original.get_payload()
    outcomes = [row["outcome"] for row in daemon.explain(id_of(answer))["recipients"]]
    assert outcomes == ["notified", "delivered", "notified"]


def test_authenticated_sender_is_notified(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(places(hop), policy="""
        rule no when recipient = no@example.org and client.authenticated
            then reject "5.7.1 Not that one";
        otherwise accept;""")
    octets = make(top="Received: from [10.1.2.3] (far.example.net [192.0.2.7])\n"
                  "\t(Authenticated sender: amy)\n"
                  "\tby mx.example.com (Postfix) with ESMTPSA id 4ABC;\n"
                  "\tWed, 21 Jan 2026 10:00:00 +0000 (UTC)\n")
    answer = send_as(daemon.port, octets, recipients=["no@example.org", "rcpt@example.org"])
    assert answer.end[0] == 250 and "1 notified" in answer.end[1]
    assert sorted(mail.sender for mail in hop.wait(2)) == ["", "sender@example.com"]


@pytest.mark.parametrize("why", ["stranger", "null sender", "never", "delay"])
def test_refused_is_kept_where_nobody_is_told(sallyport, next_hop, why):
    hop = next_hop()
    daemon = sallyport(places(hop), queue="before", policy=FATES)
    octets = make()
    with Client(daemon.port) as client:
        if why == "stranger":
            assert client.say(OUTSIDE)[0] == 250
        answer = client.mail_from("" if why == "null sender" else "sender@example.com",
                                  ["rcpt@example.org"])
        notify = {"never": " NOTIFY=NEVER", "delay": " NOTIFY=DELAY"}.get(why, "")
        assert client.say("RCPT TO:<no@example.org>" + notify)[0] == 250
        client.message(octets, answer)
    assert answer.end[0] == 250 and "but 1 quarantined" in answer.end[1]
    mail, = hop.wait(1)
    assert mail.recipients == ["rcpt@example.org"]
    lines, message = block_and_message(daemon.quarantined("refused")[0])
    assert message == octets and any(
        line.startswith("X-Envelope-To: <no@example.org>") for line in lines)
    assert "X-Sallyport-Reason: 550 5.1.1 No such user" in lines


@pytest.mark.parametrize("queue,outside,notified", [
    ("after", True, True), ("after", False, True), ("before", False, True),
    ("before", True, False)])
@pytest.mark.parametrize("step", ["RCPT", "end"])
def test_next_hop_refuses_one_of_two(sallyport, next_hop, queue, outside, notified, step):
    """An address that we had taken from a queue: its sender is told."""
    hop = next_hop(lmtp=step == "end")
    hop.when(step, "550 5.1.1 unknown here", match="bob@")
    place = f"lmtp:{places(hop)}" if step == "end" else places(hop)
    daemon = sallyport(place, queue=queue)
    answer = send_as(daemon.port, make(), recipients=["amy@example.org", "bob@example.org"],
                     xforward=OUTSIDE if outside else "")
    assert answer.end[0] == 250, answer
    assert len(daemon.quarantined("refused")) == (not notified)
    mails = hop.wait(2 if notified else 1)
    assert [m.recipients for m in mails if m.sender] == [["amy@example.org"]]
    if notified:
        notice, = (m for m in mails if m.sender == "")
        row = parse_notice(notice.data)[2][1]
        assert (row["Final-Recipient"], row["Status"]) == ("rfc822;bob@example.org", "5.1.1")
        assert "550 5.1.1 unknown here" in row["Diagnostic-Code"]
        assert row["Remote-MTA"]


def test_notice_cannot_be_sent(sallyport, next_hop):
    """Then nothing is delivered either, and the client hears 451."""
    hop = next_hop()
    hop.when("MAIL", "451 4.3.0 not now", match="<>")
    daemon = sallyport(places(hop), queue="before", policy=FATES)
    octets = make()
    for _ in range(2):
        answer = send(daemon.port, octets, recipients=["no@example.org", "rcpt@example.org"])
        assert answer.end[0] == 451 and not hop.mails
    hop.clear()
    answer = send(daemon.port, octets, recipients=["no@example.org", "rcpt@example.org"])
    assert answer.end[0] == 250
    assert to(hop.wait(2)) == ["rcpt@example.org", "sender@example.com"]


def test_sender_does_not_exist(sallyport, next_hop):
    """A notice that the next hop refuses for good: nobody is left to tell."""
    hop = next_hop()
    hop.when("RCPT", "550 5.1.1 unknown", match="sender@example.com")
    daemon = sallyport(places(hop), queue="before", policy=FATES)
    assert send(daemon.port, make(), recipients=["no@example.org", "rcpt@example.org"]).end[0] == 250
    assert to(hop.wait(1)) == ["rcpt@example.org"]


# variants

EDITS = "".join(f'rule r{i} when recipient = r{i}@example.org then header add X-R "{i}";\n'
                for i in range(12)) + "otherwise accept;"


@pytest.mark.parametrize("extensions", [("PIPELINING", "CHUNKING"), ("CHUNKING",),
                                        ("PIPELINING",), ()])
@pytest.mark.parametrize("count", [2, 8])
def test_variants(sallyport, next_hop, extensions, count):
    hop = next_hop(extensions=extensions)
    daemon = sallyport(places(hop), policy=EDITS)
    octets = make()
    names = [f"r{i}@example.org" for i in range(count)] * 1
    answer = send(daemon.port, octets, recipients=names)
    assert answer.end[0] == 250
    got = {mail.recipients[0]: mail for mail in hop.wait(count)}
    assert sorted(got) == sorted(names) and len(hop.mails) == count
    for i in range(count):
        mail = got[f"r{i}@example.org"]
        assert untraced(mail.data) == b"X-R: %d\r\n" % i + octets
        assert len(mail.recipients) == 1


def test_no_more_than_eight_variants(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(places(hop), policy=EDITS)
    octets = make()
    names = [f"r{i}@example.org" for i in range(12)]
    assert send(daemon.port, octets, recipients=names).end[0] == 250
    assert len(hop.wait(8)) == 8 and to(hop.mails) == sorted(names)
    assert all(untraced(mail.data).startswith(b"X-R: ") for mail in hop.mails)


def test_variants_above_eight_take_the_strictest(sallyport, next_hop):
    """The rest get the changes of the recipient with most of them."""
    hop = next_hop()
    daemon = sallyport(places(hop), policy='rule most when recipient = r3@example.org '
                       'then header add X-Most "1", header add X-R "3";\n' + EDITS)
    names = [f"r{i}@example.org" for i in range(11)]
    assert send(daemon.port, make(), recipients=names).end[0] == 250
    mails = hop.wait(8)
    strict, = (mail for mail in mails if b"\r\nX-Most: 1\r\n" in mail.data)
    assert sorted(strict.recipients) == sorted(
        ["r3@example.org", "r8@example.org", "r9@example.org", "r10@example.org"])


def test_variant_refused_before_first_dot(sallyport, next_hop):
    """A failure before any end defers all, and nothing is anywhere."""
    hop = next_hop()
    hop.when("RCPT", "451 4.3.0 later", match="r1@")
    daemon = sallyport(places(hop), policy=EDITS)
    names = [f"r{i}@example.org" for i in range(3)]
    assert send(daemon.port, make(), recipients=names).end[0] == 451
    assert not hop.mails
    hop.clear()
    assert send(daemon.port, make(), recipients=names).end[0] == 250
    assert to(hop.wait(3)) == names


@pytest.mark.parametrize("failure", ["451 4.3.0 later", Close()], ids=["451", "close"])
@pytest.mark.parametrize("key", ["message-id", "queue id"])
def test_delivered_ledger(sallyport, next_hop, failure, key):
    """Two variants, the second fails at its dot, three retries: one copy each."""
    hop = next_hop()
    daemon = sallyport(places(hop), policy=EDITS)
    octets = make(message_id="<ledger@example.com>" if key == "message-id" else None)
    names = ["r1@example.org", "r2@example.org"]
    hop.when("end", failure, skip=1, times=1)

    def attempt():
        return send_as(daemon.port, octets, recipients=names,
                       xforward=OUTSIDE + ("" if key == "message-id" else " IDENT=4ABC"))
    assert attempt().end[0] == 451 and len(hop.mails) == 1
    for _ in range(2):                  # only the second is tried again, and fails
        hop.clear()
        hop.when("end", failure, times=1)
        assert attempt().end[0] == 451 and len(hop.mails) == 1
    hop.clear()
    last = attempt()
    assert last.end[0] == 250 and to(hop.wait(2)) == names
    assert "already" in last.end[1]
    daemon.wait_log("did=skipped")
    # the entries are gone with the 250: the same mail once more is a new mail
    assert attempt().end[0] == 250 and to(hop.wait(4)) == sorted(names * 2)


def test_ledger_knows_the_message(sallyport, next_hop):
    """The same Message-ID with another text or sender is another mail."""
    hop = next_hop()
    daemon = sallyport(places(hop), policy=EDITS)
    names = ["r1@example.org", "r2@example.org"]
    hop.when("end", "451 4.3.0 later", skip=1, times=1)
    assert send(daemon.port, make("one\n", message_id="<1@x>"), recipients=names).end[0] == 451
    assert len(hop.mails) == 1
    assert send(daemon.port, make("two\n", message_id="<1@x>"), recipients=names).end[0] == 250
    assert len(hop.wait(3)) == 3
    assert send(daemon.port, make("one\n", message_id="<1@x>"), recipients=names,
                sender="other@example.com").end[0] == 250
    assert len(hop.wait(5)) == 5
    assert send(daemon.port, make("one\n", message_id="<1@x>"), recipients=names).end[0] == 250
    assert len(hop.wait(6)) == 6


def test_ledger_outlives_a_restart(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(places(hop), policy=EDITS)
    octets, names = make(), ["r1@example.org", "r2@example.org"]
    hop.when("end", "451 4.3.0 later", skip=1, times=1)
    assert send(daemon.port, octets, recipients=names).end[0] == 451
    assert daemon.stop() == 0
    daemon.start()
    assert send(daemon.port, octets, recipients=names).end[0] == 250
    assert to(hop.wait(2)) == names


def test_ledger_covers_quarantine_and_notices(sallyport, next_hop):
    """Kept and notified in the first try, not again in the second."""
    hop = next_hop()
    daemon = sallyport(places(hop), queue="before", policy=FATES)
    octets = make()
    names = ["kept@example.org", "no@example.org", "rcpt@example.org"]
    hop.when("end", "451 4.3.0 later", skip=1, times=1)      # the notice goes first
    first = send(daemon.port, octets, recipients=names)
    assert first.end[0] == 451
    assert send(daemon.port, octets, recipients=names).end[0] == 250
    assert to(hop.wait(2)) == ["rcpt@example.org", "sender@example.com"]
    assert len(daemon.quarantined("kept")) == 1


@pytest.mark.parametrize("chunking", [True, False])
def test_second_variant_stalls(sallyport, next_hop, chunking):
    """Held before its end, the first variant is given up when the second never gets there."""
    hop = next_hop() if chunking else next_hop(extensions=("PIPELINING",))
    hop.when("RCPT", Stall(), match="r2@")
    daemon = sallyport(places(hop), policy=EDITS, listener="command-timeout 1s;")
    answer = send(daemon.port, make(), recipients=["r1@example.org", "r2@example.org"])
    assert answer.end[0] == 451 and not hop.mails


def test_variant_refused_for_good_at_its_dot(sallyport, next_hop):
    """One taken, one refused with 5xx: the refused one is kept or its sender told."""
    hop = next_hop()
    hop.when("end", "554 5.7.1 no", skip=1, times=1)
    daemon = sallyport(places(hop), policy=EDITS)
    answer = send_as(daemon.port, make(), recipients=["r1@example.org", "r2@example.org"])
    assert answer.end[0] == 250
    mails = hop.wait(2)
    assert sorted(mail.sender for mail in mails) == ["", "sender@example.com"]
    taken, = (m.recipients[0] for m in mails if m.sender)
    notice, = (m for m in mails if not m.sender)
    rows = parse_notice(notice.data)[2][1:]
    assert [row["Final-Recipient"] for row in rows] == [
        "rfc822;" + ("r2@example.org" if taken == "r1@example.org" else "r1@example.org")]


# maildir

@pytest.mark.parametrize("lmtp", [False, True])
def test_maildir(sallyport, tmp_path, lmtp):
    folder = tmp_path / "sallyport0/state/mail"
    daemon = sallyport(f"maildir:{folder}", policy=EDITS, queue="before")
    octets = make()
    names = ["r1@example.org", "r2@example.org", "rcpt@example.org"]
    answer = send(daemon.port, octets, recipients=names, lmtp=lmtp)
    assert answer.code == 250
    paths = list((folder / "new").iterdir())
    assert len(paths) == 3 and not list((folder / "tmp").iterdir())
    found = {re.search(rb"X-Envelope-To: <?([^>\r\n]*)|Delivered-To: ([^\r\n]*)", p.read_bytes())
             is not None for p in paths}
    texts = [p.read_bytes() for p in paths]
    assert found and all(octets in t.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
                         for t in texts)
    assert sum(b"X-R: 1" in t for t in texts) == 1


def test_maildir_gets_notices(sallyport, tmp_path):
    folder = tmp_path / "sallyport0/state/mail"
    daemon = sallyport(f"maildir:{folder}", policy=FATES, queue="before")
    answer = send(daemon.port, make(), recipients=["no@example.org", "rcpt@example.org"])
    assert answer.end[0] == 250 and "1 notified" in answer.end[1]
    texts = [p.read_bytes() for p in (folder / "new").iterdir()]
    assert len(texts) == 2 and sum(b"multipart/report" in t for t in texts) == 1


# the record

def test_record_of_mixed_fates(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(places(hop), queue="before", policy=FATES)
    names = ["rcpt@example.org", "kept@example.org", "trash@example.org"]
    answer = send_as(daemon.port, make(subject="a \\ \"b\" \x1b"), recipients=names)
    record = daemon.explain(id_of(answer))
    assert [(row["address"], row["outcome"], row["rule"]) for row in record["recipients"]] \
        == [(names[0], "delivered", "otherwise"), (names[1], "quarantined", "kept"),
            (names[2], "discarded", "trash")]
    assert record["client_address"] == "192.0.2.7" and record["reply"].endswith(id_of(answer))
    text = daemon.run("explain", id_of(answer)).stdout
    assert "\x1b" not in text and "rule kept: yes" in text
    line, = daemon.track("kept@example.org")
    assert id_of(answer) in line
    assert [row["id"] for row in json.loads("".join(
        daemon.track("--json", "--outcome", "discarded")))] == [id_of(answer)]
    line = daemon.wait_log(f" mail id={id_of(answer)}")
    for part in ("client=192.0.2.7", "from=sender@example.com", "quarantined/kept:kept",
                 "size=", "deliver-ms="):
        assert part in line
