"""test_scan.py - `sallyport scan`: verdict, reasons and status without a daemon."""
import base64
import json
import shutil
import subprocess

import pytest

from client import send
from mails import id_of, make, zipped

CONFIGURATION = """
hostname mx1.example.com;
local-domains example.com;
trusted-relays 198.51.100.0/24;
{settings}
listener inbound {{ address 127.0.0.1:10024; policy inbound; next-hop 127.0.0.1:10025;
\tsize-limit 1M; }}
listener outbound {{ address 127.0.0.1:10026; queue before; policy outbound;
\tnext-hop 127.0.0.1:10025; }}
policy inbound {{
\tmonitor rule watch when message.size > 1 then quarantine seen;
\trule test when any signature (kind = test) then quarantine virus;
\trule exe when any attachment (class = executable) then quarantine banned;
\trule joe when recipient = "joe@example.com" then quarantine joe;
\trule away when sender = "bad@example.net" then discard;
\trule outside when client.address in 192.0.2.0/24 and header.subject = "outside"
\t    then quarantine outside;
\tmonitor rule link when any link (differs) then quarantine link;
\totherwise header add X-Seen "yes", accept;
}}
policy outbound {{
\trule late when sender = "late@example.com" then defer;
\trule no when recipient = "no@example.net" then reject "5.7.1 not there";
\totherwise accept;
}}
"""
ENVELOPE = ("--from", "amy@example.net", "--to", "bob@example.com")
# In two pieces, so that no scanner takes this file for what it is about.
EICAR = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
PROGRAM = base64.b64encode(b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff" + bytes(50)).decode()


def attached(content: str, name: str) -> bytes:
    return make(f"--b\nContent-Type: text/plain\n\nSee http://example.org/a.\n--b\n"
                f"Content-Type: application/octet-stream\nContent-Disposition: attachment;"
                f" filename=\"{name}\"\nContent-Transfer-Encoding: base64\n\n{content}\n--b--\n",
                mime_version="1.0", content_type="multipart/mixed; boundary=b")


@pytest.fixture
def scan(tmp_path):
    """scan(mail, *options, status=0): stdout; mail as bytes, on standard input."""
    import conftest
    program = conftest.BUILD / "src/master/sallyport"
    if not program.exists():
        conftest.lacking(f"no {program}")

    def run(mail, *words, status=0, settings="", env=None, file="-", stderr=""):
        path = tmp_path / "sallyport.conf"
        path.write_text(CONFIGURATION.format(settings=settings))
        done = subprocess.run([program, "-c", path, "scan", *words, file], input=mail, env=env,
                              capture_output=True, timeout=120, check=False)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        assert stderr in done.stderr.decode(), done.stderr
        return done.stdout.decode()
    return run


def test_accept(scan):
    text = scan(make(), *ENVELOPE)
    assert "bob@example.com: accept by rule otherwise" in text
    assert "header add X-Seen: yes" in text
    assert "monitor rule watch: fired (message.size = " in text
    assert "would have given: quarantine" in text
    assert "sender.domain = 'example.net'" in text


@pytest.mark.parametrize("ends", [b"\n", b"\r\n"])
def test_virus(scan, ends):
    mail = attached(base64.b64encode(EICAR.encode()).decode(), "a.txt").replace(b"\r\n", ends)
    found = json.loads(scan(mail, "--json", *ENVELOPE, status=1))
    assert found["verdict"] == "quarantine"
    assert found["recipients"][0]["rule"] == "test"
    assert found["recipients"][0]["quarantine"] == "virus"
    assert found["recipients"][0]["decided_by"].startswith("any signature: ")
    assert found["signature"]["items"][0]["kind"] == "test"
    assert found["facts"]["message.size"] == len(mail)


def test_attachment_and_link(scan):
    text = scan(attached(PROGRAM, "a.pdf.exe"), *ENVELOPE, status=1)
    assert "Attachments (1)\n  'a.pdf.exe'" in text
    assert "Links (1)\n  'http://example.org/a'" in text
    found = json.loads(scan(attached(PROGRAM, "a.pdf.exe"), "--json", *ENVELOPE, status=1))
    item = found["attachment"]["items"][0]
    assert item["class"] == "executable" and item["double-extension"] is True


@pytest.mark.parametrize("options,verdict,status", [
    (("--from", "a@a.example", "--to", "joe@example.com"), "quarantine", 1),
    (("--from", "bad@example.net", "--to", "b@example.com"), "discard", 1),
    (("--from", "bad@example.net", "--to", "b@example.com", "--to", "joe@example.com"),
     "discard", 1),
    (("--listener", "outbound", "--from", "a@a.example", "--to", "no@example.net"), "reject", 2),
    (("--listener", "outbound", "--from", "late@example.com", "--to", "b@b.example"), "defer", 3),
    (("--listener", "outbound", "--from", "", "--to", "x@b.example", "--to", "no@example.net"),
     "reject", 2),
    (("--listener", "outbound", "--from", "<>", "--to", "x@b.example"), "accept", 0),
])
def test_verdicts(scan, options, verdict, status):
    assert json.loads(scan(make(), "--json", *options, status=status))["verdict"] == verdict


def test_what_is_not_said_is_unknown(scan):
    found = json.loads(scan(make(), "--json", "--from", "a@a.example", status=3))
    assert found["recipients"][0]["address"] is None and found["recipients"][0]["undecided"]
    assert found["recipients"][0]["rules"][3]["result"] == "unknown"
    text = scan(make(), "--to", "bob@example.com", status=3)
    assert "defer, for a rule could not be decided" in text
    assert "sender is unknown: no --from was given" in text


def test_client(scan):
    """Said, or from the Received fields behind trusted relays, as for mail."""
    mail = make(subject="outside")
    scan(mail, *ENVELOPE)
    scan(mail, "--client", "192.0.2.9", *ENVELOPE, status=1)
    scan(mail, "--client", "203.0.113.9", *ENVELOPE)
    hop = "Received: from x (x.example [%s])\n\tby mx.example with ESMTP id 1;\n\tdate\n"
    relayed = make(subject="outside", top=hop % "198.51.100.3" + hop % "192.0.2.9")
    text = scan(relayed, *ENVELOPE, status=1)
    assert "rule outside: fired" in text and "client.address = 192.0.2.9" in text


def test_escapes(scan):
    text = scan(make(subject="a\x1b[2Jb\x07"), *ENVELOPE)
    assert "\x1b" not in text and r"a\x1b[2Jb\x07" in text
    found = json.loads(scan(make(subject="a\x1b[2Jb"), "--json", *ENVELOPE))
    assert found["facts"]["header.subject"] == "a\x1b[2Jb"


@pytest.mark.parametrize("words,said", [
    (("--to", "@@"), "--to: no mail address"),
    (("--client", "1.2.3"), "--client: no IP address"),
    (("--listener", "other"), "no listener other"),
    (("--nonsense",), "--nonsense"),
    (("more",), "one file expected"),
])
def test_usage(scan, words, said):
    scan(b"", *words, status=64, stderr=said)


def test_configuration_error(scan):
    scan(make(), status=78, settings="nonsense yes;", stderr="nonsense")


def test_cannot_be_examined(scan, tmp_path):
    scan(b"", status=3, file=tmp_path / "none", stderr="cannot open")
    scan(b"", status=3, file=tmp_path, stderr="cannot read")
    scan(make("x" * 70 + "\n") + b"y" * (1 << 20), status=3, stderr="more than 1048576 bytes")


def test_inspector_dies(scan, tmp_path):
    for name in ("gateway", "inspector", "store", "runner"):
        shutil.copy("/bin/false", tmp_path / f"sallyport-{name}")
    scan(make(), *ENVELOPE, status=3, env={"SALLYPORT_LIBEXEC": str(tmp_path)},
         stderr="the inspector ended with status 1")


def test_file_and_empty_message(scan, tmp_path):
    (tmp_path / "mail").write_bytes(make())
    assert scan(None, *ENVELOPE, file=tmp_path / "mail").startswith(f"{tmp_path}/mail: accept\n")
    assert "message.size = 0" in scan(b"", *ENVELOPE)


def test_same_as_mail(sallyport, next_hop, scan, tmp_path):
    """What explain says of a mail that went through, scan says of its file: both look at
    what the rules ask for."""
    hop = next_hop()
    daemon = sallyport(f"127.0.0.1:{hop.port}", policy="""
        monitor rule names when any attachment (name = "nothing") then discard;
        otherwise accept;""")
    mail = attached(PROGRAM, "a.pdf.exe")
    answer = send(daemon.port, mail, recipients=["rcpt@example.org"])
    (tmp_path / "mail").write_bytes(mail)
    daemon.explain(id_of(answer))
    explained = daemon.run("explain", id_of(answer)).stdout.splitlines()
    scanned = daemon.run("scan", "--from", "sender@example.com", "--to", "rcpt@example.org",
                         str(tmp_path / "mail"))
    assert scanned.returncode == 0, scanned.stderr
    facts = scanned.stdout.split("\nFacts\n")[1].split("\n\n")[0].splitlines()
    assert len(facts) > 10
    assert not [line for line in facts if line not in explained], explained


def test_scanners_are_not_asked(scan):
    policy = """scanner clam { type clamd; at unix:/nowhere; }
scanner assassin { type spamd; at unix:/nowhere; }
listener third { address 127.0.0.1:10030; policy third; next-hop 127.0.0.1:10025; }
policy third {
\trule joe when recipient = "joe@example.com" then discard;
\trule virus when virus.found then quarantine virus;
\totherwise accept;
}"""
    options = ("--listener", "third", "--from", "amy@example.net")
    text = scan(make(), *options, "--to", "bob@example.com", status=3, settings=policy)
    assert "bob@example.com: defer or accept, as scanners say; would ask clam\n" in text
    assert "virus.found is unknown: scan asks no scanners" in text
    found = json.loads(scan(make(), "--json", *options, "--to", "joe@example.com", status=1,
                            settings=policy))
    assert found["recipients"][0]["would_ask"] == ""


def test_content_not_seen(scan):
    """As in the daemon: where a rule has judged what could not be seen, its accept stands;
    but not in place of scanners."""
    policy = """scanner clam { type clamd; at unix:/nowhere; }
listener third { address 127.0.0.1:10030; policy third; next-hop 127.0.0.1:10025; }
listener fourth { address 127.0.0.1:10031; policy fourth; next-hop 127.0.0.1:10025; }
policy third {
\trule exe when any attachment (class = executable) then quarantine banned;
\trule unseen when archive.encrypted then header add X-Not-Examined content, accept;
\totherwise accept;
}
policy fourth {
\trule virus when virus.found then quarantine virus;
\tinclude third;
\totherwise accept;
}"""
    mail = attached(base64.b64encode(zipped(b"x" * 99, "a.txt", encrypted=True)).decode(), "a.zip")
    text = scan(mail, "--listener", "third", *ENVELOPE, settings=policy)
    assert "rule exe: unknown" in text and ": accept by rule unseen" in text
    assert "header add X-Not-Examined: content" in text
    text = scan(mail, "--listener", "fourth", *ENVELOPE, status=3, settings=policy)
    assert ": defer or accept, as scanners say; would ask clam\n" in text
