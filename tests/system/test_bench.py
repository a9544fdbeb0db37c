"""test_bench.py - the tools that measure: what they send and take is what they say."""
import base64
import email
import json
import pathlib
import random
import signal
import subprocess

import pytest

from client import Client, dotted
from private_net import free_port, is_listening
from servers import end_process, wait_for

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
PIECES = [b".", b"\r", b"\n", b"\r\n", b"a", b"..\r\n", b"\r\n.", b"xyz"]


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tools")
    for name, sources in (("smtpload", ["smtpload.c", "mail.c"]),
                          ("smtpsinkd", ["smtpsinkd.c"])):
        subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-g", "-fsanitize=address",
                        "-o", folder / name, *sources], cwd=BENCH, check=True)
    return folder


@pytest.fixture
def sink(tools, tmp_path):
    """sink("-C"): a smtpsinkd that stores; with port, counts(), stored."""
    started = []

    class Sink:
        def __init__(self, *options):
            self.port = free_port()
            self.stored = tmp_path / "stored"
            self.stored.mkdir()
            self.process = subprocess.Popen(
                [tools / "smtpsinkd", "-p", str(self.port), "-s", self.stored, *options],
                stdout=subprocess.PIPE)
            started.append(self.process)
            wait_for("smtpsinkd to listen", lambda: is_listening(self.port))

        def counts(self):
            self.process.send_signal(signal.SIGUSR1)
            return json.loads(self.process.stdout.readline())

        def mails(self):
            return [path.read_bytes() for path in sorted(self.stored.iterdir())]
    yield Sink
    for process in started:
        assert end_process(process) == 0


def in_pieces(client, octets, sizes):
    while octets:
        size = sizes.randint(1, 9)
        client.sock.sendall(octets[:size])
        octets = octets[size:]


def random_mail(choice, number):
    body = b"".join(choice.choices(PIECES, k=choice.randint(0, 60)))
    return b"X-Load-Id: %08d\r\n\r\n" % number + body + b"\r\n"


@pytest.mark.parametrize("chunked", [False, True])
def test_sink_stores_octets(sink, chunked):
    choice = random.Random(7)
    target = sink("-u")
    mails = [random_mail(choice, number) for number in range(100)]
    with Client(target.port) as client:
        for mail in mails:
            answer = client.mail_from("a@x.org", ["b@x.org"])
            if chunked:
                client.chunks(mail, answer, choice.randint(1, 9))
            else:
                assert client.say("DATA")[0] == 354
                in_pieces(client, dotted(mail), choice)
                answer.end = client.reply()
            assert answer.end[0] == 250
    assert target.mails() == mails
    counts = target.counts()
    assert (counts["msgs"], counts["no_id"], counts["dup_ids"]) == (100, 0, 0)
    assert counts["bytes"] == sum(map(len, mails))


def test_sink_counts_ids(sink):
    target = sink("-u")
    with Client(target.port) as client:
        for octets in (b"X-Load-Id: 3\r\n", b"Subject: none\r\n", b"x-load-id: 3\r\n"):
            client.chunks(octets, client.mail_from("a@x.org", ["b@x.org"]), 2)
    counts = target.counts()
    assert (counts["msgs"], counts["no_id"], counts["dup_ids"]) == (3, 1, 1)


def test_sink_knows_the_order_of_chunks(sink):
    target = sink()
    with Client(target.port) as client:
        client.sock.sendall(b"BDAT 4 LAST\r\nMAILMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\n"
                            b"BDAT 2\r\nabRSET\r\nNOOP\r\n")
        assert [client.reply()[0] for _ in range(6)] == [503, 250, 250, 250, 250, 250]
    counts = target.counts()
    assert (counts["msgs"], counts["lost"]) == (0, 1) and not target.mails()


def test_sink_without_chunking(sink):
    target = sink("-C")
    with Client(target.port) as client:
        assert not client.has_extn("chunking")
        client.mail_from("a@x.org", ["b@x.org"])
        assert client.say("BDAT 0 LAST")[0] == 500


def leaves(octets):
    """The decoded parts of a message, after a check that it is one."""
    message = email.message_from_bytes(octets)
    parts = [part for part in message.walk() if not part.is_multipart()]
    assert not any(part.defects for part in parts)
    return message, parts


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("corpus")
    subprocess.run(["python3", BENCH / "gencorpus.py", folder, "40"], check=True)
    return folder


def test_load_sends_the_files(sink, tools, corpus):
    target = sink("-C")
    subprocess.run([tools / "smtpload", "-h", f"127.0.0.1:{target.port}", "-d", corpus,
                    "-n", "40", "-c", "1"], check=True, stdout=subprocess.DEVNULL)
    assert target.mails() == [path.read_bytes().replace(b"\n", b"\r\n")
                              for path in sorted(corpus.iterdir())]


def test_load_varies(sink, tools, corpus):
    """Twice the same files: all subjects, texts and attachments differ, and are sound."""
    target = sink()
    subprocess.run([tools / "smtpload", "-h", f"127.0.0.1:{target.port}", "-d", corpus,
                    "-n", "80", "-c", "3", "-V"], check=True, stdout=subprocess.DEVNULL)
    fields, texts, attachments = set(), set(), []
    for octets in target.mails():
        message, parts = leaves(octets)
        fields |= {message["Subject"], message["Message-ID"]}
        texts.add(next(part.get_payload(decode=True) for part in parts
                       if part.get_content_maintype() == "text"))
        attachments += [base64.b64decode(part.get_payload()) for part in parts
                        if part.get_filename()]
    assert len(fields) == 160 and len(texts) == 80
    assert len(attachments) > 20 and len(set(attachments)) == len(attachments)
