"""test_content.py - what is in a mail decides what becomes of it."""
import base64
from email.message import EmailMessage

import pytest

from client import send
from mails import id_of, make, zipped

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-" + b"ANTIVIRUS-TEST-FILE!$H+H*"
RULES = """
rule virus   when any signature (name = "EICAR-Test-File")      then quarantine virus;
rule secret  when any attachment (encrypted)                    then quarantine secret;
rule double  when any attachment (double-extension)             then quarantine double;
rule banned  when any attachment (extension in @banned)         then reject "5.7.1 Banned";
rule phish   when any link (differs)                            then quarantine phish;
rule text    when pattern.overdue                               then quarantine text;
otherwise accept;
"""
SETTINGS = """
list banned inline exe scr;
pattern overdue /overdue\\s+invoice/i in text;
"""


def places(hop) -> str:
    return f"127.0.0.1:{hop.port}"


def with_file(content: bytes, name: str, text: str = "Text.\n") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.org", "file"
    mail.set_content(text)
    mail.add_attachment(content, "application", "octet-stream", filename=name)
    return mail


def with_html(html: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.org", "html"
    mail.set_content(html, "html", cte="quoted-printable")
    return mail


def forwarded(inner: EmailMessage) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@example.com", "b@example.org", "Fwd"
    mail.set_content("See below.\n")
    mail.add_attachment(inner)
    return mail


def octets_of(mail: EmailMessage) -> bytes:
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


PROGRAM = b"MZ" + bytes(200)
CASES = {
    "plain": (with_file(b"Some notes.\n", "notes.txt"), ""),
    "EICAR": (with_file(EICAR, "a.bin"), "virus"),
    "EICAR in a zip in a message": (
        forwarded(with_file(zipped(EICAR, "eicar.com"), "eicar.zip")), "virus"),
    "EICAR in a zip in a zip": (
        with_file(zipped(zipped(EICAR, "a.com"), "in.zip"), "out.zip"), "virus"),
    "encrypted": (with_file(zipped(b"x" * 99, "a.txt", encrypted=True), "a.zip"), "secret"),
    "double extension": (with_file(PROGRAM, "invoice.pdf.exe"), "double"),
    "extension": (with_file(PROGRAM, "setup.EXE"), "banned"),
    "extension in a zip": (with_file(zipped(PROGRAM, "setup.exe"), "setup.zip"), "banned"),
    "link": (with_html('<p>Go to <a href="http://evil.example/x">www.bank.example</a></p>'),
             "phish"),
    "honest link": (with_html('<p>Go to <a href="http://www.bank.example/x">'
                              'www.bank.example</a></p>'), ""),
    "pattern": (with_html("<p>Your <b>over</b>due&#32;<i>invoice</i></p>"), "text"),
    "pattern in base64": (with_file(b"x", "a.txt", "Grüße, overdue invoice\n"), "text"),
}


@pytest.mark.parametrize("name", CASES)
def test_rule(sallyport, next_hop, name):
    mail, rule = CASES[name]
    hop = next_hop()
    daemon = sallyport(places(hop), queue="before", policy=RULES, settings=SETTINGS)
    answer = send(daemon.port, octets_of(mail))
    row, = daemon.explain(id_of(answer))["recipients"]
    assert row["rule"] == (rule or "otherwise")
    assert answer.end[0] == (554 if rule == "banned" else 250)
    assert len(hop.mails) == (not rule)
    assert len(daemon.quarantined(rule)) == (rule not in ("", "banned"))


# More findings than a packet takes

def many_links(count: int) -> bytes:
    links = "".join(f'<p><a href="http://host{n}.example/{"path/" * 15}{n}">to number {n}'
                    f'</a></p>\n' for n in range(count))
    return octets_of(with_html(links))


@pytest.mark.parametrize("host,rule", [("nowhere.example", "otherwise"),
                                       ("host899.example", "found")])
def test_many_links(sallyport, next_hop, host, rule):
    """What none of 900 links is, is known for certain."""
    hop = next_hop()
    daemon = sallyport(places(hop), queue="before", policy=f"""
        rule found when any link (host = "{host}") then quarantine found;
        rule none  when not any link (host = "{host}") then accept;""" + """
        otherwise defer;""")
    answer = send(daemon.port, many_links(900))
    row, = daemon.explain(id_of(answer))["recipients"]
    assert answer.end[0] == 250
    assert row["rule"] == ("found" if rule == "found" else "none")


def test_too_many_links(sallyport, next_hop):
    """Beyond the group's limit nobody can say what none of them is."""
    hop = next_hop()
    daemon = sallyport(places(hop), queue="before", policy="""
        rule none when not any link (host = "nowhere.example") then accept;
        otherwise discard;""")
    answer = send(daemon.port, many_links(1500))
    row, = daemon.explain(id_of(answer))["recipients"]
    assert row["rule"] == "otherwise" and not hop.mails


def test_many_links_again(sallyport, next_hop):
    """The same inspector goes on: short and long answers in turns."""
    hop = next_hop()
    daemon = sallyport(places(hop), queue="before", policy="""
        rule none when not any link (host = "nowhere.example") then accept;
        otherwise defer;""")
    for _ in range(50):
        assert send(daemon.port, many_links(900)).end[0] == 250
        assert send(daemon.port, make()).end[0] == 250
    assert daemon.status()
