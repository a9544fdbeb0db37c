"""test_protocol.py - both sides' protocols: what clients and next hops do, well and badly."""
import contextlib
import re
import smtplib
import socket
import threading
import time

import pytest

from client import Client, dotted, send
from mails import OUTSIDE, id_of, make, send_as, to, untraced
from nexthop import EXTENSIONS, Close, Delay, Lost, Reset, Stall
from private_net import free_port
from servers import wait_for

SHORT = "connect-timeout 1s; command-timeout 1s; data-timeout 1s; end-timeout 1s;"
ONE = "gateways 1;"


def place(hop) -> str:
    return f"127.0.0.1:{hop.port}"


def without(*words: str) -> tuple[str, ...]:
    return tuple(e for e in EXTENSIONS if e.split()[0] not in words)


DATA_ONLY = without("CHUNKING")
BASIC = ("SIZE 0",)


# a next hop that fails

STEPS = ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "end"]
TEMPORARY = {"greeting", "EHLO"}        # whatever it says there, another try may do better


@pytest.mark.parametrize("extensions", [EXTENSIONS, DATA_ONLY, BASIC],
                         ids=["chunking", "data", "one by one"])
def test_next_hop_refuses(sallyport, next_hop, extensions):
    """4xx and 5xx at every step: the same class for the client, and nothing delivered."""
    hop = next_hop(extensions=extensions)
    daemon = sallyport(place(hop), settings=ONE, listener="cache-idle 0;")
    for step in STEPS:
        if step == "DATA" and extensions is EXTENSIONS:
            continue
        for reply in ("452 4.3.1 full", "554 5.7.1 no", "421 4.3.2 down", "450 what"):
            hop.clear()
            hop.when(step, reply)
            answer = send(daemon.port, make())
            want = 5 if reply[0] == "5" and step not in TEMPORARY else 4
            assert answer.end[0] // 100 == want, (step, reply, answer)
            assert answer.end[0] != 421 and "from MTA" in answer.end[1] or \
                answer.end[1].startswith("4.4."), (step, reply, answer)
            assert not hop.mails
    hop.clear()
    assert send(daemon.port, make()).end[0] == 250


def test_chunk_refused(sallyport, next_hop):
    """BDAT refused before LAST, where variants are held back."""
    hop = next_hop()
    daemon = sallyport(place(hop), listener="cache-idle 0;", policy="""
        rule one when recipient = r1@x.org then header add X-R "1"; otherwise accept;""")
    for reply, code in (("452 4.3.1 full", 4), ("554 5.6.0 no", 5)):
        hop.clear()
        hop.when("BDAT", reply)
        answer = send_as(daemon.port, make(), recipients=["r1@x.org", "r2@x.org"])
        assert answer.end[0] // 100 == code, answer
        assert not hop.mails
    hop.clear()
    assert send(daemon.port, make(), recipients=["r1@x.org", "r2@x.org"]).end[0] == 250


@pytest.mark.parametrize("extensions", [EXTENSIONS, DATA_ONLY, BASIC],
                         ids=["chunking", "data", "one by one"])
@pytest.mark.parametrize("step", [*STEPS, "body"])
def test_next_hop_breaks_off(sallyport, next_hop, step, extensions):
    """Closed, reset, and silent at every step: 451, and the next mail goes."""
    hop = next_hop(extensions=extensions)
    daemon = sallyport(place(hop), settings=ONE, listener=SHORT)
    if step == "DATA" and extensions is EXTENSIONS:
        step = "MAIL"
    octets = make("x" * 70 + "\n") if step != "body" else make(("x" * 70 + "\n") * 150000)
    for action in (Close(), Reset(), Stall()):
        hop.clear()
        hop.when(step, action)
        answer = send(daemon.port, octets)
        assert answer.end[0] == 451 and re.match(r"4\.4\.[12] ", answer.end[1]), answer
        assert not hop.mails
    hop.clear()
    assert send(daemon.port, octets).end[0] == 250
    assert untraced(hop.wait(1)[0].data) == octets
    assert daemon.status()["counters"]["next-hop-failures"] >= 3


def test_lost_reply_is_in_doubt(sallyport, next_hop):
    """The one way to a duplicate: it was taken, and nobody said so."""
    hop = next_hop()
    hop.when("end", Lost(), times=1)
    daemon = sallyport(place(hop))
    octets = make()
    answer = send(daemon.port, octets)
    assert answer.end[0] == 451 and answer.end[1].startswith("4.4.2 "), answer
    assert send(daemon.port, octets).end[0] == 250
    assert [mail.replied for mail in hop.wait(2)] == [False, True]


def test_nobody_listens(sallyport, next_hop):
    port = free_port()
    daemon = sallyport(f"127.0.0.1:{port}")
    answer = send(daemon.port, make())
    assert answer.end[0] == 451 and answer.end[1].startswith("4.4.1 ")
    hop = next_hop(port=port)
    assert send(daemon.port, make()).end[0] == 250 and len(hop.wait(1)) == 1


def test_nobody_accepts(sallyport):
    """A next hop that takes connections in its queue only, and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        daemon = sallyport(f"127.0.0.1:{silent.getsockname()[1]}", listener=SHORT)
        began = time.monotonic()
        answer = send(daemon.port, make())
        assert answer.end[0] == 451 and answer.end[1].startswith("4.4.1 "), answer
        assert time.monotonic() - began < 6


def test_deadline_of_the_whole(sallyport, next_hop):
    """Before the client gives up, it is told 451, whatever is still going on."""
    hop = next_hop()
    hop.when("MAIL", Stall())
    daemon = sallyport(place(hop), listener="deadline 1s;")
    answer = send(daemon.port, make())
    assert answer.end[0] == 451 and answer.end[1].startswith("4.4.7 "), answer


def test_slow_next_hop_is_waited_for(sallyport, next_hop):
    hop = next_hop()
    for step in ("greeting", "EHLO", "MAIL", "RCPT", "end"):
        hop.when(step, Delay(0.3))
    daemon = sallyport(place(hop))
    assert send(daemon.port, make()).end[0] == 250


@pytest.mark.parametrize("reply,want", [
    ("250 " + "x" * 1500, r"2\.0\.0 from MTA\(smtp:\[127\.0\.0\.1\]:\d+\): 250 x{200,}\.*, id=\w+$"),
    ("250-2.0.0 first\r\n250-2.0.0 second\r\n250 2.0.0 third",
     r"2\.0\.0 from MTA\(smtp:\[127\.0\.0\.1\]:\d+\): 250 2\.0\.0 first.*third, id=\w+$"),
    ("250 2.0.0 tab\there \x01\x7f\\ back", r".*tab\\+x09here \\+x01\\+x7f\\+ back, id=\w+$"),
    ("250 2.0.0 gr\xfc\xdfe", r".*gr\\+x.*, id=\w+$"),
    ("250", r".*: 250 ?, id=\w+$"),
    ("250 queued as <4XYZ>, id=fake", r".*, id=\w+$"),
])
def test_replies_are_tamed(sallyport, next_hop, reply, want):
    hop = next_hop()
    hop.when("end", reply)
    daemon = sallyport(place(hop))
    with Client(daemon.port) as client:
        client.message(b"", client.mail_from("a@x.org", ["b@x.org"]))
        client.mail_from("a@x.org", ["b@x.org"])
        client.say("DATA")
        client.sock.sendall(b".\r\n")
        octets = client.file.readline()
        assert octets.endswith(b"\r\n") and len(octets) <= 512 and octets.isascii()
        text = octets.decode()[4:].rstrip("\r\n")
        assert octets[:4] == b"250 " and text.isprintable() and re.match(want, text), text
        assert client.say("NOOP")[0] == 250        # and there is nothing more to read
    mail_id = text.rpartition("id=")[2]
    assert daemon.explain(mail_id)["id"] == mail_id


def test_garbage_from_next_hop(sallyport, next_hop):
    for garbage in ("what?", "2", "250_x", "99 x", "250-never\r\n251 mixed", "\x00" * 99):
        hop = next_hop()
        hop.when("end", garbage)
        daemon = sallyport(place(hop), listener=SHORT)
        assert send(daemon.port, make()).end[0] == 451, garbage
    hop = next_hop()
    hop.when("MAIL", "250-endless\r\n" * 100000 + "250 end")
    daemon = sallyport(place(hop), listener=SHORT)
    assert send(daemon.port, make()).end[0] in (250, 451)


# fail-over, kept connections

@pytest.mark.parametrize("how", ["refused", "greets 5xx", "closes", "silent"])
def test_fail_over_and_back(sallyport, next_hop, how):
    """The second takes over with the very first mail; later the first comes back."""
    port, second = free_port(), next_hop()
    first = None if how == "refused" else next_hop(port=port)
    if first:
        first.when("greeting", {"greets 5xx": "554 no", "closes": Close(),
                                "silent": Stall()}[how])
    daemon = sallyport(f"127.0.0.1:{port} 127.0.0.1:{second.port}", settings=ONE,
                       listener=SHORT)
    for count in (1, 2):
        answer = send(daemon.port, make())
        assert answer.end[0] == 250 and f":{second.port})" in answer.end[1]
        assert len(second.mails) == count
    if first:
        first.clear()
    else:
        first = next_hop(port=port)
    if how != "refused":
        return                          # it is asked again after ten seconds only

    def is_back():
        send(daemon.port, make())
        return first.mails
    wait_for("the first next hop to be used again", is_back, every=1)


def test_both_down_tries_each_once(sallyport, next_hop):
    hops = [next_hop(), next_hop(), next_hop()]
    for hop in hops:
        hop.when("greeting", "421 4.3.2 no")
    daemon = sallyport(" ".join(place(hop) for hop in hops), settings=ONE)
    assert send(daemon.port, make()).end[0] == 451
    assert [len(hop.sessions) for hop in hops] == [1, 1, 1]


def test_refusal_is_no_reason_to_fail_over(sallyport, next_hop):
    """4xx to RCPT is an answer; asking another next hop would not be one."""
    first, second = next_hop(), next_hop()
    first.when("RCPT", "450 4.2.1 later")
    daemon = sallyport(f"{place(first)} {place(second)}")
    assert send(daemon.port, make()).end[0] == 450 and not second.sessions


def test_connection_is_kept(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), settings=ONE)
    for _ in range(5):
        assert send(daemon.port, make()).end[0] == 250
    assert len(hop.sessions) == 1 and len({mail.session for mail in hop.mails}) == 1
    hop.when("RCPT", "550 5.1.1 no", times=1)
    assert send(daemon.port, make()).end[0] == 550
    assert send(daemon.port, make()).end[0] == 250 and len(hop.sessions) == 1


def test_no_cache(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), settings=ONE, listener="cache-count 0;")
    for _ in range(3):
        assert send(daemon.port, make()).end[0] == 250
    assert len(hop.sessions) == 3
    wait_for("QUIT", lambda: all(s.ended == "QUIT" for s in hop.sessions))


@pytest.mark.parametrize("how", ["seen", "unseen", "421", "at MAIL"])
def test_kept_connection_is_gone(sallyport, next_hop, how):
    """It is no reason for 451: a fresh one is made."""
    hop = next_hop(extensions=DATA_ONLY)    # BDAT goes with the envelope, and is in doubt
    daemon = sallyport(place(hop), settings=ONE)
    assert send(daemon.port, make()).end[0] == 250
    session, = hop.sessions
    if how == "at MAIL":
        hop.when("MAIL", Close(), times=1)
    elif how == "421":
        session.socket.sendall(b"421 4.4.2 idle for too long\r\n")
        with contextlib.suppress(OSError):      # the other side may be faster
            session.socket.shutdown(socket.SHUT_RDWR)
    else:
        session.socket.shutdown(socket.SHUT_RDWR)
        if how == "seen":
            time.sleep(0.2)
    assert send(daemon.port, make()).end[0] == 250
    assert len(hop.sessions) == 2 and len(hop.mails) == 2


def test_idle_connection_ends(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), settings=ONE, listener="cache-idle 1s;")
    assert send(daemon.port, make()).end[0] == 250
    wait_for("QUIT", lambda: hop.sessions[0].ended, timeout=5)
    assert hop.sessions[0].ended == "QUIT"


# bodies

BODIES = {
    "empty": b"", "newline": b"\r\n", "no end": b"Subject: x\r\n\r\nno end",
    "dot": make(".\n"), "dots": make("." * 99 + "\n..\n.\n"),
    "many dots": make(".x\n" * 100), "dots at buffer ends": make((".\n" * 32767) * 3),
    "8 bit": make(bytes(range(128, 256)) * 3 + b"\n"), "zero": make(b"a\0b\n"),
    "long line": make("x" * 500000 + "\n"), "dot first": b".first: line\r\n\r\n.\r\n",
    "header only": b"A: b\r\n", "dot at the very end": make("x\n") + b".",
}


@pytest.mark.parametrize("extensions", [
    EXTENSIONS, without("PIPELINING"), DATA_ONLY, without("CHUNKING", "PIPELINING")],
    ids=["chunking", "chunking one by one", "data", "data one by one"])
@pytest.mark.parametrize("chunked", [False, True], ids=["by DATA", "by BDAT"])
def test_bodies_arrive(sallyport, next_hop, extensions, chunked):
    """Byte for byte; DATA adds a missing last line end."""
    hop = next_hop(extensions=extensions)
    daemon = sallyport(place(hop))
    for name, octets in BODIES.items():
        answer = send(daemon.port, octets, chunked=chunked)
        assert answer.end[0] == 250, (name, answer)
        want = octets
        if octets and not octets.endswith(b"\r\n") and not (
                chunked and "CHUNKING" in extensions):
            want += b"\r\n"
        assert untraced(hop.mails[-1].data) == want, name
        assert bool(hop.mails[-1].chunks) == ("CHUNKING" in extensions)
    assert len(hop.mails) == len(BODIES)


@pytest.mark.parametrize("size", [1, 7, 100])
def test_chunks_of_any_size(sallyport, next_hop, size):
    hop = next_hop()
    daemon = sallyport(place(hop))
    octets = make(".\r\n\r\n.\r\n..\nend.")
    with Client(daemon.port) as client:
        assert client.chunks(octets, client.mail_from("a@x.org", ["b@x.org"]),
                             size).end[0] == 250
    assert untraced(hop.wait(1)[0].data) == octets


@pytest.mark.parametrize("extensions", [EXTENSIONS, DATA_ONLY], ids=["chunking", "data"])
def test_fifty_mebibytes(sallyport, next_hop, extensions):
    hop = next_hop(extensions=extensions)
    daemon = sallyport(place(hop))
    octets = make((b"x" * 997 + b"\n.") * (53 << 10))
    assert len(octets) > 50 << 20
    assert send(daemon.port, octets, chunked=True).end[0] == 250
    mail, = hop.wait(1, timeout=60)
    assert untraced(mail.data) == octets + b"\r\n" * (extensions is DATA_ONLY)


def test_dribbled_body(sallyport, next_hop):
    """A byte at a time, and pipelined all at once: the same."""
    hop = next_hop()
    daemon = sallyport(place(hop))
    octets = make(".\n..\n")
    lines = b"MAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\n" + dotted(octets)
    with Client(daemon.port) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in lines:
            client.sock.sendall(bytes([byte]))
        assert [client.reply()[0] for _ in range(4)] == [250, 250, 354, 250]
        client.sock.sendall(lines + lines + b"QUIT\r\n")
        codes = [client.reply()[0] for _ in range(9)]
        assert codes == [250, 250, 354, 250] * 2 + [221]
    assert [untraced(mail.data) for mail in hop.wait(3)] == [octets] * 3


def test_many_mails_many_sessions(sallyport, next_hop):
    """Each mail once, none mixed up with another."""
    hop = next_hop()
    daemon = sallyport(place(hop))
    sent = {i: make(f"{i} " * (i * 37 % 500) + "\n", message_id=f"<many{i}@x>")
            for i in range(200)}

    def some(part):
        with Client(daemon.port) as client:
            for i in range(part, 200, 8):
                assert client.message(sent[i], client.mail_from(
                    "a@x.org", [f"r{i}@x.org"])).end[0] == 250
    threads = [threading.Thread(target=some, args=(part,)) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    got = {mail.recipients[0]: untraced(mail.data) for mail in hop.wait(200)}
    assert got == {f"r{i}@x.org": octets for i, octets in sent.items()}
    assert len(hop.mails) == 200


# the client's word, and ours

def xforward(hop) -> dict:
    return hop.mails[-1].xforward


def test_xforward_goes_through(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop))
    said = {"NAME": "far.example.net", "ADDR": "192.0.2.7", "PORT": "4321", "PROTO": "ESMTP",
            "HELO": "far+2Bx.example.net", "IDENT": "4ABC", "SOURCE": "REMOTE"}
    line = "XFORWARD " + " ".join(f"{k}={v}" for k, v in said.items())
    answer = send_as(daemon.port, make(), xforward=line)
    assert answer.end[0] == 250
    got = xforward(hop)
    assert {k: got.get(k) for k in said if k != "HELO"} == \
        {k: v for k, v in said.items() if k != "HELO"}
    assert got["HELO"] in ("far+2Bx.example.net", "far+x.example.net")
    record = daemon.explain(id_of(answer))
    assert record["client_address"] == "192.0.2.7" and record["client_queue_id"] == "4ABC"
    assert record["client_name"] == "far.example.net"
    assert record["client_helo"] == "far+x.example.net"
    assert "qid=4ABC" in daemon.wait_log(f"mail id={id_of(answer)}")
    # it was said for that one mail
    assert send(daemon.port, make()).end[0] == 250
    assert xforward(hop)["ADDR"] == "127.0.0.1" and xforward(hop)["IDENT"] != "4ABC"


def test_xforward_in_pieces(sallyport, next_hop):
    """As Postfix says it: two commands, [UNAVAILABLE], IPV6: before an address."""
    hop = next_hop(extensions=without("XFORWARD"))
    daemon = sallyport(place(hop))
    with Client(daemon.port) as client:
        assert client.has_extn("xforward")
        assert client.say("XFORWARD NAME=[UNAVAILABLE] ADDR=IPV6:2001:db8::7")[0] == 250
        assert client.say("XFORWARD PORT=25 HELO=x.example PROTO=SMTP")[0] == 250
        answer = client.message(make(), client.mail_from("a@x.org", ["b@x.org"]))
    assert answer.end[0] == 250 and not xforward(hop)
    assert daemon.explain(id_of(answer))["client_address"] == "2001:db8::7"


def test_stranger_is_not_believed(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), listener="clients 192.0.2.1;",
                       settings="trusted-relays 192.0.2.1;")
    with Client(daemon.port) as client:
        assert not client.has_extn("xforward")
        assert client.say(OUTSIDE)[0] // 100 == 5
        answer = client.message(make(), client.mail_from("a@x.org", ["b@x.org"]))
    assert answer.end[0] == 250
    assert daemon.explain(id_of(answer))["client_address"] == "127.0.0.1"
    assert xforward(hop)["ADDR"] == "127.0.0.1"


def facts(daemon, answer) -> dict[str, str]:
    return {row["name"]: row["value"] for row in daemon.explain(id_of(answer))["facts"]
            if row["state"] == "known"}


def received(who: str, by: str = "mx.example.com", more: str = "") -> str:
    return (f"Received: from {who}\n\tby {by} (Postfix) with ESMTP id 4ABC{more};\n"
            "\tWed, 21 Jan 2026 10:00:00 +0000 (UTC)\n")


@pytest.mark.parametrize("top,address,authenticated", [
    ("", None, False),
    (received("far.example.net (far.example.net [192.0.2.7])"), "192.0.2.7", False),
    (received("localhost (localhost [127.0.0.1])") + received("a (a [192.0.2.9])"),
     "192.0.2.9", False),
    (received("relay (relay [198.51.100.3])") + received("x (x [192.0.2.8])", "relay"),
     "192.0.2.8", False),
    (received("far (far [192.0.2.7])") + received("forged (forged [203.0.113.1])"),
     "192.0.2.7", False),
    (received("far (far [IPv6:2001:db8::9])"), "2001:db8::9", False),
    ("Received: from [10.1.2.3] (far [192.0.2.7])\n\t(Authenticated sender: amy)\n"
     "\tby mx.example.com (Postfix) with ESMTPSA id 4A;\n\tWed, 21 Jan 2026 10:00:00 +0000\n",
     "192.0.2.7", True),
    (received("far (far [192.0.2.7])") + received("y (y [203.0.113.1])").replace(
        "ESMTP", "ESMTPSA").replace("\tby", "\t(Authenticated sender: bob)\n\tby"),
     "192.0.2.7", False),
])
def test_client_is_found_in_received(sallyport, next_hop, top, address, authenticated):
    hop = next_hop()
    daemon = sallyport(place(hop), settings="trusted-relays 127.0.0.0/8 ::1 198.51.100.0/24;")
    answer = send(daemon.port, make(top=top))
    got = facts(daemon, answer)
    assert got.get("client.address") == address, got
    assert got["client.authenticated"] == str(authenticated).lower()
    assert got["client.trusted"] == str(address is None).lower()
    assert got["received.count"] == str(top.count("Received:"))


def test_received_is_added(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop))
    with Client(daemon.port, name="my(odd)name.example") as client:
        assert client.say("EHLO my(odd)name\"x.example")[0] == 250
        for names in (["a@x.org"], ["a@x.org", "b@x.org"]):
            answer = client.message(make(), client.mail_from("s@x.org", names))
            assert answer.end[0] == 250
            field = hop.mails[-1].data.partition(b"\r\nFrom:")[0].decode()
            assert field.count("Received:") == 1 and f"id {id_of(answer)}" in field
            assert ("for <a@x.org>" in field) == (len(names) == 1)
            assert field.startswith("Received: from my?odd?name?x.example ([127.0.0.1])\r\n")
            assert re.search(r";\r\n\t\w{3}, \d+ \w{3} \d{4} [\d:]{8} [+-]\d{4}$", field)
    for lmtp, word in ((False, b" with SMTP id"), (True, b" with LMTP id")):
        with Client(daemon.port, lmtp, greet=lmtp) as client:
            if not lmtp:
                assert client.say("HELO x.example")[0] == 250
            client.message(make(), client.mail_from("s@x.org", ["a@x.org"]))
        assert word in hop.mails[-1].data


@pytest.mark.parametrize("count,code", [(99, 250), (100, 250), (101, 554), (2000, 554)])
def test_too_many_received(sallyport, next_hop, count, code):
    hop = next_hop()
    daemon = sallyport(place(hop), policy="otherwise quarantine all;" if code == 554
                       else "otherwise accept;")
    answer = send(daemon.port, make(top="Received: from a by b; now\n" * count))
    assert answer.end[0] == code and (code == 250 or answer.end[1].startswith("5.4.6 "))
    assert len(hop.mails) == (code == 250) and not daemon.quarantined()


def test_mail_loop(sallyport, next_hop):
    """Our own listener's sixth pass is one too many; another's do not count."""
    hop = next_hop()
    daemon = sallyport(place(hop))
    octets = make()
    for _ in range(6):
        assert send(daemon.port, octets).end[0] == 250
        octets = hop.mails[-1].data
    answer = send(daemon.port, octets)
    assert answer.end[0] == 554 and answer.end[1].startswith("5.4.6 ")
    assert len(hop.mails) == 6 and daemon.status()["counters"]["loops"] == 1
    other = octets.replace(b"(Sallyport main)", b"(Sallyport other)")
    assert send(daemon.port, other).end[0] == 250


# what is offered

def test_offers_mirror_next_hop(sallyport, next_hop):
    """All are offered until the next hop was asked; then what it offered last."""
    hop = next_hop(extensions=("PIPELINING", "SIZE 100000"))
    daemon = sallyport(place(hop), settings=ONE, listener="cache-count 0; size-limit 1M;")
    with Client(daemon.port) as client:
        assert client.has_extn("dsn") and client.has_extn("smtputf8")
        assert client.esmtp_features["size"] == str(1 << 20)
        assert client.message(make(), client.mail_from("a@x.org", ["b@x.org"])).end[0] == 250
    with Client(daemon.port) as client:
        assert not client.has_extn("dsn") and not client.has_extn("smtputf8")
        assert client.esmtp_features["size"] == "100000"
        for word in ("pipelining", "8bitmime", "chunking", "enhancedstatuscodes"):
            assert client.has_extn(word)
        assert client.say("MAIL FROM:<a@x.org> SIZE=100001")[0] == 552
        assert client.say("MAIL FROM:<a@x.org> RET=FULL")[0] // 100 == 5
    hop.extensions = ("PIPELINING", "DSN", "SMTPUTF8", "SIZE")
    assert send(daemon.port, make()).end[0] == 250
    with Client(daemon.port) as client:
        assert client.has_extn("dsn") and client.has_extn("smtputf8")
        assert client.esmtp_features["size"] == str(1 << 20)


def test_dsn_parameters_go_through(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop))
    with Client(daemon.port) as client:
        answer = client.mail_from("a@x.org", [], " BODY=8BITMIME RET=HDRS ENVID=q+2B1")
        assert client.say("RCPT TO:<b@x.org> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B+2Bc@x.org")[0] == 250
        assert client.say("RCPT TO:<c@x.org> NOTIFY=NEVER")[0] == 250
        assert client.message(make(), answer).end[0] == 250
    mail, = hop.wait(1)
    for word in ("BODY=8BITMIME", "RET=HDRS", "ENVID=q+2B1"):
        assert word in mail.sender_options.split()
    assert sorted(mail.recipient_options[0].split()) == [
        "NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;B+2Bc@x.org"]
    assert mail.recipient_options[1] == "NOTIFY=NEVER"
    size, = (w for w in mail.sender_options.split() if w.startswith("SIZE="))
    assert size == f"SIZE={len(mail.data)}"


UTF8 = {"address": ("gr\xfc\xdfe@x.org", "5.6.7"), "header": ("a@x.org", "5.6.9")}


@pytest.mark.parametrize("where", UTF8)
@pytest.mark.parametrize("offered", [True, False])
def test_smtputf8(sallyport, next_hop, where, offered):
    hop = next_hop(extensions=EXTENSIONS if offered else without("SMTPUTF8"))
    daemon = sallyport(place(hop))
    recipient, status = UTF8[where]
    octets = make(subject="\xe4" if where == "header" else "plain")
    with Client(daemon.port) as client:
        client.command_encoding = "utf-8"
        answer = client.message(octets, client.mail_from("a@x.org", [recipient], " SMTPUTF8"))
    if offered:
        assert answer.end[0] == 250
        mail, = hop.wait(1)
        assert "SMTPUTF8" in mail.sender_options.split() and mail.recipients == [recipient]
        assert untraced(mail.data) == octets and b" with UTF8SMTP id " in mail.data
    else:
        assert answer.end[0] // 100 == 5 and answer.end[1].startswith(status), answer
        assert not hop.mails


def test_smtputf8_that_is_not_needed(sallyport, next_hop):
    """Marked so, plain ASCII: it goes without to a next hop that does not know it."""
    hop = next_hop(extensions=without("SMTPUTF8"))
    daemon = sallyport(place(hop))
    assert send(daemon.port, make(), options=" SMTPUTF8").end[0] == 250
    assert "SMTPUTF8" not in hop.wait(1)[0].sender_options


def test_utf8_address_needs_the_mark(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop))
    with Client(daemon.port) as client:
        client.command_encoding = "utf-8"
        answer = client.mail_from("gr\xfc\xdfe@x.org", ["b@x.org"])
        assert answer.sender[0] == 550 and answer.sender[1].startswith("5.6.7")
        answer = client.mail_from("a@x.org", ["gr\xfc\xdfe@x.org"])
        assert answer.recipients["gr\xfc\xdfe@x.org"][0] // 100 == 5


# limits

def test_size_limit(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), listener="size-limit 10K;")
    small, large = make("x" * 9000 + "\n"), make("x" * 11000 + "\n")
    with Client(daemon.port) as client:
        assert client.esmtp_features["size"] == "10240"
        answer = client.mail_from("a@x.org", ["b@x.org"], " SIZE=10241")
        assert answer.sender[0] == 552 and answer.sender[1].startswith("5.3.4")
        for send_it in (client.message, client.chunks):
            answer = send_it(large, client.mail_from("a@x.org", ["b@x.org"], " SIZE=5"))
            assert answer.code == 552, answer
            client.say("RSET")
        assert client.message(small, client.mail_from("a@x.org", ["b@x.org"])).end[0] == 250
        assert client.chunks(small, client.mail_from("a@x.org", ["b@x.org"])).end[0] == 250
    assert len(hop.wait(2)) == 2


def test_recipient_limit(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), listener="recipient-limit 3;")
    with Client(daemon.port) as client:
        answer = client.mail_from("a@x.org", [f"r{i}@x.org" for i in range(5)])
        codes = [reply[0] for reply in answer.recipients.values()]
        assert codes == [250, 250, 250, 452, 452]
        assert answer.recipients["r3@x.org"][1].startswith("4.5.3")
        assert client.message(make(), answer).end[0] == 250
    assert to(hop.wait(1)) == ["r0@x.org", "r1@x.org", "r2@x.org"]


def test_thousand_recipients(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop))
    names = [f"{'r' * 200}{i}@{'d' * 40}.example.org" for i in range(1000)]
    answer = send(daemon.port, make(), recipients=names)
    assert answer.end[0] == 250 and to(hop.wait(1)) == sorted(names)
    line = daemon.wait_log(f"mail id={id_of(answer)}")
    assert re.search(r" more-recipients=9\d\d size=\d+ .* reply=\"250 .*id=\w+\"", line)


@pytest.mark.parametrize("chunked", [False, True])
def test_line_limit(sallyport, next_hop, chunked):
    hop = next_hop()
    daemon = sallyport(place(hop), listener="line-limit 1000;")
    assert send(daemon.port, make("x" * 1000 + "\n"), chunked=chunked).end[0] == 250
    answer = send(daemon.port, make("x" * 1001 + "\n"), chunked=chunked)
    assert answer.code == 554 and len(hop.mails) == 1


def test_command_limit(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), listener="command-limit 512;")
    with Client(daemon.port) as client:
        assert client.say("NOOP " + "x" * 505)[0] == 250
        for size in (506, 100000, 3000000):
            code, text = client.say("NOOP " + "x" * size)
            assert code == 500 and text.startswith("5.5.2"), (size, code, text)
        assert client.message(make(), client.mail_from("a@x.org", ["b@x.org"])).end[0] == 250


def test_error_limit(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), listener="error-limit 5;")
    with contextlib.closing(socket.create_connection(("127.0.0.1", daemon.port))) as sock:
        sock.sendall(b"EHLO x\r\n" + b"WHAT\r\n" * 50)
        octets = b""
        while more := sock.recv(65536):
            octets += more
    assert octets.count(b"\r\n50") == 5 and b"\r\n421 4.7.0 " in octets


def test_sessions_of_a_client(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), settings=ONE, listener="sessions-per-client 3;")
    clients = [Client(daemon.port) for _ in range(3)]
    with socket.create_connection(("127.0.0.1", daemon.port)) as fourth:
        assert fourth.recv(999).startswith(b"421 4.7.0 ")
    clients.pop().quit()
    assert send(daemon.port, make()).end[0] == 250
    assert daemon.status()["counters"]["sessions-refused"] == 1
    for client in clients:
        client.quit()


def test_sessions_in_all(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), settings=ONE + "sessions 5;")
    clients = [Client(daemon.port) for _ in range(5)]
    with socket.create_connection(("127.0.0.1", daemon.port)) as sixth:
        assert sixth.recv(999).startswith(b"421 4.3.2 ")
    for client in clients:
        client.quit()
    wait_for("room again", lambda: send(daemon.port, make()).end[0] == 250)


@pytest.mark.parametrize("said", [b"", b"EHLO x\r\n", b"EHLO x\r\nMAIL FROM:<a@x.org>\r\n",
                                  b"EHLO x\r\nMAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\n"
                                  b"DATA\r\nSubject: x\r\n"])
def test_idle_timeout(sallyport, next_hop, said):
    hop = next_hop()
    daemon = sallyport(place(hop), listener="idle-timeout 1s;")
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=10) as sock:
        sock.sendall(said)
        octets = b""
        while more := sock.recv(65536):
            octets += more
    assert octets.splitlines()[-1].startswith(b"421 4.4.2 ") and not hop.mails
    daemon.wait_log("Idle for too long")


def test_session_timeout(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), listener="session-timeout 2s;")
    client = Client(daemon.port)
    with pytest.raises((smtplib.SMTPServerDisconnected, StopIteration)):
        for _ in range(80):
            if client.say("NOOP")[0] == 421:
                raise StopIteration
            time.sleep(0.05)


def test_no_room_for_messages(sallyport, next_hop):
    """Neither memory nor disk: 452, and nothing is lost or left over."""
    hop = next_hop()
    daemon = sallyport(place(hop), settings=ONE + "memory-budget 1M; spool-budget 2M; ")
    assert send(daemon.port, make("x" * 900 + "\n")).end[0] == 250
    for chunked in (False, True):
        assert send(daemon.port, make(("x" * 900 + "\n") * 5000), chunked=chunked).code == 452
    assert send(daemon.port, make(("x" * 900 + "\n") * 1500)).end[0] == 250     # spooled
    assert send(daemon.port, make(("x" * 900 + "\n") * 1500)).end[0] == 250
    status = daemon.status()["counters"]
    assert (status["memory"], status["spool"]) == (0, 0) and len(hop.mails) == 3
    with Client(daemon.port) as client:
        assert client.say("MAIL FROM:<a@x.org> SIZE=9000000")[0] in (250, 452, 552)


def test_disk_is_full(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), settings="minimum-free 900000G;")

    def is_refused():
        with Client(daemon.port) as client:
            return client.say("MAIL FROM:<a@x.org>")[0] == 452
    wait_for("452 for want of disk", is_refused)
    assert daemon.status()["counters"]["pressure"] > 0


# clients that leave

@pytest.mark.parametrize("step", ["MAIL", "RCPT", "greeting"])
@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("extensions", [EXTENSIONS, DATA_ONLY], ids=["chunking", "data"])
def test_client_leaves_before_the_reply(sallyport, next_hop, step, how, extensions):
    """Nothing is ended for a client that has left; and who sends again causes no second
    copy of what was under way already.  The record says what happened."""
    hop = next_hop(extensions=extensions)
    hop.when(step, Delay(1.0), times=1)
    daemon = sallyport(place(hop))
    octets = make()
    with socket.create_connection(("127.0.0.1", daemon.port)) as sock:
        sock.sendall(b"EHLO x\r\nMAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\n")
        while b"354" not in sock.recv(65536):
            pass
        sock.sendall(dotted(octets))
        wait_for("the next hop to be asked", lambda: hop.sessions)
        if how == "reset":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    line = daemon.wait_log("client left")
    delivered = len(hop.mails)
    assert not delivered or extensions is EXTENSIONS and step != "greeting"
    mail_id = re.search(r" id=(\w+)", line).group(1)
    outcome = daemon.explain(mail_id)["recipients"][0]["outcome"]
    assert (outcome == "delivered") == bool(delivered)
    assert daemon.status()["counters"]["client-gone"] == (not delivered)
    assert send(daemon.port, octets, "a@x.org", ["b@x.org"]).end[0] == 250
    assert len(hop.wait(1)) == 1


@pytest.mark.parametrize("end", [b"MAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\n",
                                 b"MAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\nx: y\r\n",
                                 b"MAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nBDAT 9\r\nx: y\r\n",
                                 b"MAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nBDAT 3\r\nx:y"])
def test_client_leaves_in_the_middle(sallyport, next_hop, end):
    hop = next_hop()
    daemon = sallyport(place(hop))
    with socket.create_connection(("127.0.0.1", daemon.port)) as sock:
        sock.sendall(b"EHLO x\r\n" + end)
        time.sleep(0.2)
    wait_for("nothing to be left", lambda: all(
        daemon.status()["counters"][name] == 0
        for name in ("sessions-open", "transactions-open", "memory")))
    assert not hop.mails and not any("C: MAIL" in line for s in hop.sessions for line in s.lines)


# listeners

def test_unix_sockets(sallyport, next_hop, tmp_path):
    """A unix listener, and a unix next hop by SMTP and LMTP."""
    for lmtp in (False, True):
        path = str(tmp_path / f"hop{lmtp}")
        hop = next_hop(path=path, lmtp=lmtp)
        tmp_path.chmod(0o755)
        daemon = sallyport(("lmtp:" if lmtp else "") + f"unix:{path}",
                           address=f"unix:{tmp_path}/in{lmtp}")
        octets = make()
        for as_lmtp in (False, True):
            answer = send(f"{tmp_path}/in{lmtp}", octets, lmtp=as_lmtp)
            assert answer.code == 250 and f"unix:{path}" in answer.end[1]
            assert untraced_unix(hop.mails[-1].data) == octets


def untraced_unix(octets: bytes) -> bytes:
    assert octets.startswith(b"Received: from client.example.com\r\n\tby ")
    return octets[re.match(rb"(?:[^\r]*\r\n\t)*[^\r]*\r\n", octets).end():]


def test_two_listeners(sallyport, next_hop):
    """Each with its own policy, next hop and protocol; two addresses of one."""
    one, two = next_hop(), next_hop(lmtp=True)
    port, other = free_port(), free_port()
    daemon = sallyport(place(one), policy='otherwise accept;\n}\npolicy other {\n'
                       'rule r when message.size > 0 then header add X-Other "1";\n'
                       'otherwise accept;')
    daemon.settings = (f"listener other {{ address 127.0.0.1:{port} 127.0.0.2:{other}; "
                       f"protocol lmtp; policy other; next-hop lmtp:{place(two)}; }}")
    assert daemon.reload().returncode == 0
    assert send(daemon.port, make()).end[0] == 250 and len(one.wait(1)) == 1
    wait_for("the new listener", lambda: send_or_none(port))
    assert b"X-Other: 1" in two.wait(1)[0].data and b"X-Other" not in one.mails[0].data
    with Client(port, lmtp=True) as client:
        assert client.say("EHLO x")[0] == 500
    with socket.create_connection(("127.0.0.2", other)) as sock:
        assert sock.recv(999).startswith(b"220 ")


def send_or_none(port):
    try:
        return send(port, make(), lmtp=True).end[0] == 250
    except OSError:
        return None


def test_peer_next_hop(sallyport, next_hop):
    """peer:PORT is the address that the client came from."""
    port = free_port()
    hops = {host: next_hop(host=host, port=port) for host in ("127.0.0.1", "127.0.0.3")}
    daemon = sallyport(f"peer:{port}")
    assert send(daemon.port, make()).end[0] == 250
    with socket.socket() as sock:
        sock.bind(("127.0.0.3", 0))
        sock.connect(("127.0.0.1", daemon.port))
        sock.sendall(b"EHLO x\r\nMAIL FROM:<a@x.org>\r\nRCPT TO:<b@x.org>\r\nDATA\r\n.\r\nQUIT\r\n")
        while sock.recv(65536):
            pass
    assert [len(hop.mails) for hop in hops.values()] == [1, 1]


def test_chain(sallyport, next_hop):
    """10024 -> 20024 -> 20025: the client's address is known at both."""
    hop = next_hop()
    second = sallyport(place(hop), policy='rule r when client.address = 192.0.2.7 '
                       'then header add X-Second "1"; otherwise accept;')
    first = sallyport(place(second), policy='rule r when message.size > 0 '
                      'then header add X-First "1"; otherwise accept;')
    octets = make()
    answer = send_as(first.port, octets)
    mail, = hop.wait(1)
    assert answer.end[0] == 250 and answer.end[1].count("from MTA(") == 2
    inner = untraced(mail.data)
    assert inner.startswith(b"X-Second: 1\r\n")
    assert untraced(inner[len(b"X-Second: 1\r\n"):]) == b"X-First: 1\r\n" + octets
    assert mail.xforward["ADDR"] == "192.0.2.7"
    reply = daemon_ids(answer.end[1])
    assert second.explain(reply[0])["client_address"] == "192.0.2.7"
    assert first.explain(reply[1])["recipients"][0]["outcome"] == "delivered"
    hop.when("end", "550 5.7.1 no")
    assert send_as(first.port, octets).end[0] == 550


def daemon_ids(text: str) -> list[str]:
    return re.findall(r"id=(\w+)", text)


# commands

def test_small_commands(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop))
    with Client(daemon.port) as client:
        for line, code in (("NOOP", 250), ("HELP", 214), ("VRFY <a@x.org>", 252),
                           ("RCPT TO:<b@x.org>", 503), ("DATA", 503), ("WHAT", 500),
                           ("MAIL FROM:a b", 501), ("MAIL FROM:<a@x.org>", 250),
                           ("MAIL FROM:<a@x.org>", 503), ("DATA", 503),
                           ("RCPT TO:<b@x.org> WHAT=1", 555), ("RCPT TO:<b@x.org>", 250),
                           ("RSET", 250), ("RCPT TO:<b@x.org>", 503), ("EHLO y", 250)):
            got = client.say(line)
            assert got[0] == code or (code // 100 == 5 and got[0] // 100 == 5), (line, got)


def test_chunks_and_data_do_not_mix(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop))
    with Client(daemon.port) as client:
        client.mail_from("a@x.org", ["b@x.org"])
        client.sock.sendall(b"BDAT 4\r\na: b")
        assert client.reply()[0] == 250
        assert client.say("DATA")[0] == 503
        client.say("RSET")
        client.sock.sendall(b"BDAT 10 LAST\r\nRSET\r\nQUIT")      # refused: read and dropped
        assert client.reply()[0] == 503
        assert client.chunks(b"x: y\r\n", client.mail_from("a@x.org", ["b@x.org"])).end[0] == 250
    assert untraced(hop.wait(1)[0].data) == b"x: y\r\n" and len(hop.mails) == 1


def test_lmtp_by_chunks(sallyport, next_hop):
    hop = next_hop(lmtp=True)
    hop.when("end", "550 5.1.1 no", match="c@")
    daemon = sallyport(f"lmtp:{place(hop)}")
    octets = make("x" * 5000 + "\n")
    with Client(daemon.port, lmtp=True) as client:
        answer = client.chunks(octets, client.mail_from(
            "a@x.org", ["b@x.org", "c@x.org", "d@x.org"]), 1000)
    assert [answer.ends[n][0] for n in ("b@x.org", "c@x.org", "d@x.org")] == [250, 550, 250]
    assert untraced(hop.wait(1)[0].data) == octets


def test_null_sender(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), policy='rule r when sender = "" then header add X-Null "1"; '
                       'otherwise accept;')
    assert send(daemon.port, make(), sender="").end[0] == 250
    mail, = hop.wait(1)
    assert mail.sender == "" and b"X-Null: 1" in mail.data

