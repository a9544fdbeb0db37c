"""test_mta.py - mail through Sallyport between real servers, in every place it can have.

    client -> server -> Sallyport -> server (re-entry) -> next hop that keeps it
"""
import pytest

from client import crlf, send
from private_net import free_port

MAIL = crlf("From: Amy <sender@example.com>\nTo: <rcpt@example.org>\nSubject: test\n"
            "Date: Wed, 21 Jan 2026 10:00:00 +0000\nMessage-ID: <1@example.com>\n\n"
            "Text.\n.dot\n..two\n\n.\n")
BODY = MAIL.partition(b"\r\n\r\n")[2]


@pytest.fixture
def around(request, sallyport, next_hop):
    """around("postfix", "smtp", policy="..."): server, daemon and next hop, connected."""
    def make(server, by, **options):
        hop = next_hop()
        back = free_port()
        daemon = sallyport(f"127.0.0.1:{back}", **options)
        mta = request.getfixturevalue(server)(
            f"127.0.0.1:{hop.port}", filter=f"127.0.0.1:{daemon.port}", filter_by=by,
            reentry=back)
        return mta, daemon, hop
    return make


# OpenSMTPD's LMTP client gives up when replies to two recipients come in one packet, so
# it gets one recipient a mail.
PLACES = [("postfix", "smtp"), ("postfix", "lmtp"), ("postfix", "proxy"),
          ("exim", "smtp"), ("exim", "lmtp"), ("opensmtpd", "smtp"), ("opensmtpd", "lmtp")]


@pytest.mark.parametrize("server,by", PLACES)
def test_mail_passes(around, server, by):
    mta, _, hop = around(server, by, queue="before" if by == "proxy" else "after")
    recipients = ["a@example.org", "b@example.org"]
    if (server, by) == ("opensmtpd", "lmtp"):
        recipients.pop()
    for _ in range(3):
        assert send(mta.entry, MAIL, recipients=recipients).code == 250
    hop.wait(3)
    mta.wait_empty()
    assert sorted(name for mail in hop.mails for name in mail.recipients) == \
        sorted(3 * recipients)
    assert all(mail.data.endswith(BODY) for mail in hop.mails)
    assert all(mail.sender == "sender@example.com" for mail in hop.mails)


@pytest.mark.parametrize("server,by", PLACES)
def test_deferred_mail_stays_where_it_is(around, server, by):
    """In the MTA's queue; before that, with the client."""
    mta, _, hop = around(server, by, queue="before" if by == "proxy" else "after",
                              policy='rule later when sender = "later@example.com" '
                                     'then defer;\notherwise accept;')
    code = send(mta.entry, MAIL, sender="later@example.com").code
    assert code == (451 if by == "proxy" else 250)
    if by != "proxy":
        mta.wait_log("451")
        assert mta.queue_ids()
    assert not hop.mails


def test_before_queue_client_hears_refusal(around):
    mta, _, hop = around("postfix", "proxy", queue="before",
                         policy='rule no when sender = "bad@example.com" '
                                'then reject "5.7.1 Not here";\notherwise accept;')
    answer = send(mta.entry, MAIL, sender="bad@example.com")
    assert answer.end[0] == 554 and answer.end[1].startswith("5.7.1 Not here")
    assert not mta.queue_ids() and not hop.mails


def test_quarantine_behind_queue(around):
    mta, daemon, hop = around("postfix", "smtp",
                              policy='rule bad when sender = "bad@example.com" '
                                     'then quarantine bad;\notherwise accept;')
    assert send(mta.entry, MAIL, sender="bad@example.com").code == 250
    mta.wait_log("status=sent")
    mta.wait_empty()
    kept, = daemon.quarantined("bad")
    assert kept.read_bytes().endswith((BODY, BODY.replace(b"\r\n", b"\n")))
    assert not hop.mails


def test_load_from_smtp_source(around):
    mta, _, hop = around("postfix", "smtp")
    mta.smtp_source("-m", "100", "-s", "10", "-l", "20000", "-t", "rcpt@example.org")
    hop.wait(100, timeout=60)
    mta.wait_empty()
    assert len(hop.mails) == 100
