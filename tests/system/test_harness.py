"""test_harness.py - the harness itself: the next hop, the clients, the servers.

Where a filter is wanted, a relay of octets stands in its place.
"""
import smtplib
import socket
import threading

import pytest

from client import Client, crlf, send, swaks
from nexthop import Close, Delay, Lost, Reset, Stall
from private_net import free_port

MAIL = crlf("From: <sender@example.com>\nTo: <rcpt@example.org>\nSubject: test\n"
            "Date: Wed, 21 Jan 2026 10:00:00 +0000\nMessage-ID: <1@example.com>\n\n"
            "Text.\n.dot\n..two\n\n.\n")


def pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while octets := source.recv(65536):
            sink.sendall(octets)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


@pytest.fixture
def relay():
    """relay(port): a port of which all connections go on to that other port."""
    listeners = []

    def serve(listener, port):
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", port))
            for pair in ((near, far), (far, near)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    def make(port):
        listeners.append(socket.create_server(("127.0.0.1", 0)))
        threading.Thread(target=serve, args=(listeners[-1], port), daemon=True).start()
        return listeners[-1].getsockname()[1]
    yield make
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


# the next hop

@pytest.mark.parametrize("lmtp", [False, True])
@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("octets", [MAIL, b"", b".\r\n", b"a\nb\r\n.\nc\r\n",
                                    b".." * 99999 + b"\r\n"])
def test_next_hop_keeps_octets(next_hop, lmtp, chunked, octets):
    hop = next_hop(lmtp=lmtp)
    answer = send(hop.port, octets, recipients=["a@example.org", "b@example.org"],
                  lmtp=lmtp, chunked=chunked)
    mail, = hop.wait(1)
    assert answer.code == 250 and len(answer.ends) == (2 if lmtp else 0)
    assert mail.data == octets and bool(mail.chunks) == chunked
    assert mail.sender == "sender@example.com"
    assert mail.recipients == ["a@example.org", "b@example.org"]


def test_next_hop_over_unix_socket(next_hop, tmp_path):
    hop = next_hop(path=str(tmp_path / "hop"), lmtp=True)
    assert send(str(tmp_path / "hop"), MAIL, lmtp=True).code == 250
    assert hop.wait(1)[0].data == MAIL


@pytest.mark.parametrize("step,reply,code", [
    ("EHLO", "421 4.3.2 down", None), ("MAIL", "451 4.3.0 no", 451),
    ("RCPT", "550 5.1.1 no", 550), ("DATA", "452 4.3.1 full", 452),
    ("end", "554 5.7.1 no", 554), ("end", "250 fine", 250)])
def test_next_hop_refuses(next_hop, step, reply, code):
    hop = next_hop()
    hop.when(step, reply)
    if code is None:
        with pytest.raises((AssertionError, smtplib.SMTPException)):
            send(hop.port, MAIL)
    else:
        assert send(hop.port, MAIL).code == code
    assert len(hop.mails) == (1 if code == 250 else 0)


def test_next_hop_greets_badly(next_hop):
    hop = next_hop()
    hop.when("greeting", "554 no")
    assert socket.create_connection(("127.0.0.1", hop.port)).recv(99) == b"554 no\r\n"


def test_next_hop_knows_recipients(next_hop):
    hop = next_hop(lmtp=True)
    hop.when("RCPT", "550 5.1.1 unknown", match="bob@")
    hop.when("end", "451 4.2.2 full", match="amy@")
    answer = send(hop.port, MAIL, lmtp=True, recipients=["amy@x", "bob@x", "cat@x"])
    assert answer.recipients["bob@x"][0] == 550
    assert [answer.ends[name][0] for name in ("amy@x", "cat@x")] == [451, 250]
    assert hop.wait(1)[0].recipients == ["cat@x"]


@pytest.mark.parametrize("action", [Close(), Close("421 4.3.2 down"), Reset(), Lost()])
def test_next_hop_breaks_off_at_end(next_hop, action):
    hop = next_hop()
    hop.when("end", action, skip=1, times=1)
    assert send(hop.port, MAIL).code == 250
    if getattr(action, "reply", None):
        assert send(hop.port, MAIL).code == 421
    else:
        with pytest.raises((OSError, smtplib.SMTPException)):
            send(hop.port, MAIL)
    assert send(hop.port, MAIL).code == 250
    kept = [True, False, True] if isinstance(action, Lost) else [True, True]
    assert [mail.replied for mail in hop.wait(len(kept))] == kept


def test_next_hop_stalls(next_hop):
    hop = next_hop()
    hop.when("end", Stall())
    client = Client(hop.port, timeout=0.3)
    with pytest.raises(OSError):
        client.message(MAIL, client.mail_from("a@x", ["b@x"]))
    assert not hop.mails


def test_next_hop_delays(next_hop):
    hop = next_hop()
    hop.when("end", Delay(0.2, "451 4.3.0 late"))
    assert send(hop.port, MAIL).code == 451


def test_next_hop_breaks_off_in_body(next_hop):
    hop = next_hop()
    hop.when("body", Reset())
    with pytest.raises((OSError, smtplib.SMTPException)):
        send(hop.port, b"x" * 20_000_000)
    assert not hop.mails


# the servers

@pytest.fixture(params=["postfix", "exim", "opensmtpd"])
def server(request):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("by", ["smtp", "lmtp"])
def test_server_delivers(server, next_hop, by):
    hop = next_hop(lmtp=by == "lmtp")
    mta = server(f"127.0.0.1:{hop.port}", target_by=by)
    assert send(mta.entry, MAIL).code == 250
    mail, = hop.wait(1)
    assert mail.data.endswith(MAIL.partition(b"\r\n\r\n")[2])
    assert mail.recipients == ["rcpt@example.org"]
    mta.wait_empty()


def test_server_retries(server, next_hop):
    hop = next_hop()
    hop.when("end", "451 4.3.0 later", times=1)
    mta = server(f"127.0.0.1:{hop.port}")
    assert send(mta.entry, MAIL).code == 250
    mta.wait_log("451 4.3.0 later")
    mta.flush()
    assert len(hop.wait(1)) == 1


def test_server_filters_by_smtp(server, next_hop, relay):
    hop = next_hop()
    back = free_port()
    mta = server(f"127.0.0.1:{hop.port}", filter=f"127.0.0.1:{relay(back)}", reentry=back)
    assert send(mta.entry, MAIL).code == 250
    mail, = hop.wait(1)
    assert mail.data.count(b"\r\nReceived:") + mail.data.startswith(b"Received:") == 2
    mta.wait_empty()


def test_server_filters_by_lmtp(server, next_hop):
    hop = next_hop(lmtp=True)
    mta = server("127.0.0.1:1", filter=f"127.0.0.1:{hop.port}", filter_by="lmtp")
    assert send(mta.entry, MAIL).code == 250
    assert hop.wait(1)[0].data.endswith(MAIL.partition(b"\r\n\r\n")[2])
    mta.wait_empty()


# Postfix, at greater length

def test_postfix_before_its_queue(postfix, next_hop, relay):
    hop = next_hop()
    back = free_port()
    mta = postfix(f"127.0.0.1:{hop.port}", filter=f"127.0.0.1:{relay(back)}",
                  filter_by="proxy", reentry=back)
    assert send(mta.entry, MAIL).code == 250
    assert hop.wait(1)[0].recipients == ["rcpt@example.org"]


def test_postfix_before_its_queue_hears_no(postfix, next_hop):
    scanner = next_hop()
    scanner.when("end", "554 5.7.1 no thanks")
    mta = postfix("127.0.0.1:1", filter=f"127.0.0.1:{scanner.port}", filter_by="proxy")
    answer = send(mta.entry, MAIL)
    assert answer.end == (554, "5.7.1 no thanks") and not mta.queue_ids()
    assert not scanner.mails


def test_postfix_tells_the_client(postfix, next_hop):
    hop = next_hop()
    mta = postfix("127.0.0.1:1", filter=f"127.0.0.1:{hop.port}")
    with Client(mta.entry) as client:
        assert client.say("XCLIENT ADDR=192.0.2.7 NAME=far.example.net")[0] == 220
        client.ehlo("far.example.net")
        assert client.message(MAIL, client.mail_from("a@x.org", ["b@x.org"])).code == 250
    told = hop.wait(1)[0].xforward
    assert told["ADDR"] == "192.0.2.7" and told["NAME"] == "far.example.net"


def test_postfix_to_postfix(postfix, next_hop):
    hop = next_hop()
    inside = postfix(f"127.0.0.1:{hop.port}", name="inside.example.com")
    outside = postfix(f"127.0.0.1:{inside.entry}", name="outside.example.com")
    outside.smtp_source("-m", "50", "-s", "5", "-l", "5000", "-t", "rcpt@example.org")
    mails = hop.wait(50)
    assert all(mail.recipients == ["rcpt@example.org"] for mail in mails)
    outside.wait_empty()
    inside.wait_empty()
    assert len(hop.mails) == 50


def test_postfix_bounces(postfix, next_hop):
    hop = next_hop()
    hop.when("RCPT", "550 5.1.1 unknown", match="nobody@")
    mta = postfix(f"127.0.0.1:{hop.port}")
    assert send(mta.entry, MAIL, recipients=["nobody@example.org"]).code == 250
    bounce, = hop.wait(1)
    assert bounce.sender == "" and bounce.recipients == ["sender@example.com"]


def test_postfix_lmtp_by_unix_socket(postfix, next_hop):
    hop = next_hop(lmtp=True)
    mta = postfix(f"127.0.0.1:{hop.port}", target_by="lmtp")
    inner = next_hop(path=str(mta.home / "var/spool/postfix/public/hop"), lmtp=True)
    mta.target = "unix:/var/spool/postfix/public/hop"
    mta.reload()
    assert send(mta.entry, MAIL).code == 250
    assert len(inner.wait(1)) == 1


def test_swaks(next_hop):
    hop = next_hop()
    done = swaks(hop.port, "--to", "rcpt@example.org", "--body", "hello")
    assert done.returncode == 0, done.stdout
    assert b"hello" in hop.wait(1)[0].data
