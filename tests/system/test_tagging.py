"""test_tagging.py - tags of spam: fields, subjects and addresses, byte for byte; and fields
that others have forged.

The scanners are fakes that read the score from the mail's own field X-Grade.
"""
import contextlib
import json
import re

import pytest

from client import Client, send
from conftest import TOP, reachable
from mails import id_of, make, to, untraced
from nexthop import EXTENSIONS, shut
from test_fates import block_and_message
from test_scanner import Fake, Rspamd, Spamd, http

TAG = 'rule tag when spam.score >= 5 then tag;\notherwise accept;'
REPORT = ("Content analysis details:   ({score} points, 5.0 required)\r\n\r\n"
          " pts rule name              description\r\n"
          "---- ---------------------- --------------------------------\r\n"
          " {score} GRADE                  Graded by the test\r\n"
          " 0.0 OTHER_RULE             Costs nothing\r\n")
VERSION = re.search(r"version: '([^']+)'", (TOP / "meson.build").read_text()).group(1)
FORGED = [b"X-Spam-Flag: NO\r\n", b"x-spam-score: -99\r\n", b"X-Spam-Level:\r\n",
          b"X-Spam-Status: No, score=-99\r\n\trequired=5 tests=none\r\n", b"X-Spam-Report : x\r\n",
          b"X-Spam-Checker-Version: SpamAssassin 4\r\n", b"X-Spam-Bar: --\r\n",
          b"X-Virus-Scanned: by nobody\r\n", b"X-VIRUS-STATUS: Clean\r\n",
          b"X-Sallyport-Unscanned: clamd (forged)\r\n", b"X-Sallyport-X: y\r\n"]


def graded(octets: bytes) -> str:
    match = re.search(rb"\r\nX-Grade: (\S+)", octets)
    return match.group(1).decode() if match else "0.0"


class GradingSpamd(Spamd):
    def message(self) -> bytes:
        self.octets = super().message()
        return self.octets

    def answer(self, action) -> bytes:
        score = graded(self.octets)
        text = (self.fake.report or REPORT).format(score=score).encode("latin-1")
        spam = "True" if float(score) >= 5 else "False"
        return (f"SPAMD/1.1 0 EX_OK\r\nContent-length: {len(text)}\r\n"
                f"Spam: {spam} ; {score} / 5.0\r\n\r\n").encode() + text


class GradingRspamd(Rspamd):
    def message(self) -> bytes:
        self.octets = super().message()
        return self.octets

    def answer(self, action) -> bytes:
        score = float(graded(self.octets))
        symbols = {name: {"name": name, "score": value} for name, value in
                   (self.fake.symbols or {"GRADE": score}).items()}
        return http(json.dumps({"is_skipped": False, "score": score, "required_score": 15,
                                "action": "no action", "symbols": symbols}))


class Grader(Fake):
    report = ""
    symbols = None

    def _talk(self, wire):
        talk = {"spamd": GradingSpamd, "rspamd": GradingRspamd}[self.kind](self, wire)
        with contextlib.suppress(OSError, EOFError):
            while talk.step():
                pass
        shut(wire)


@pytest.fixture
def grader(tmp_path):
    made = []

    def make_one(kind="spamd", **options):
        made.append(Grader(kind, reachable(tmp_path) / f"scanner{len(made)}", **options))
        return made[-1]
    yield make_one
    for one in made:
        one.close()


@pytest.fixture
def site(sallyport, next_hop, grader):
    """site(policy, ...): a Sallyport that asks a grader, .hop and .scanner."""
    def start(policy=TAG, kind="spamd", hop=None, settings="", lists="", rows="", **options):
        hop = hop or next_hop()
        scanner = grader(kind)
        place = ("lmtp:" if hop.lmtp else "") + f"127.0.0.1:{hop.port}"
        daemon = sallyport(place, policy=policy, settings="gateways 1;\n"
                           f"local-domains example.org;\n{settings}{lists}"
                           + scanner.block("grader", rows), **options)
        daemon.hop, daemon.scanner = hop, scanner
        return daemon
    return start


def status(what: str) -> bytes:
    return f"X-Spam-Status: {what} autolearn=no\r\n version=Sallyport-{VERSION}\r\n".encode()


# fields

def test_fields_of_spamd(site):
    daemon = site()
    octets = make(x_grade="6.3")
    answer = send(daemon.port, octets)
    assert answer.code == 250
    assert untraced(daemon.hop.wait(1)[0].data) == (
        b"X-Spam-Flag: YES\r\nX-Spam-Score: 6.3\r\nX-Spam-Level: ******\r\n"
        b"X-Spam-Status: Yes, score=6.3 required=5.0 tests=[GRADE=6.3, OTHER_RULE=0]\r\n"
        b" autolearn=no version=Sallyport-" + VERSION.encode() + b"\r\n"
        b"X-Spam-Report: Content analysis details:   (6.3 points, 5.0 required)\r\n"
        b"\t pts rule name              description\r\n"
        b"\t---- ---------------------- --------------------------------\r\n"
        b"\t 6.3 GRADE                  Graded by the test\r\n"
        b"\t 0.0 OTHER_RULE             Costs nothing\r\n") + octets
    assert daemon.explain(id_of(answer))["changes"] == ["tag as spam, required 5"]
    octets = make(x_grade="4.9")
    assert send(daemon.port, octets).code == 250
    assert untraced(daemon.hop.wait(2)[1].data) == octets


def test_fields_of_rspamd(site):
    daemon = site('rule tag when spam.score >= 4.5 then tag, header add X-Own "yes";\n'
                  "otherwise accept;", kind="rspamd")
    octets = make(x_grade="6.31")
    assert send(daemon.port, octets).code == 250
    assert untraced(daemon.hop.wait(1)[0].data) == (
        b"X-Spam-Flag: YES\r\nX-Spam-Score: 6.31\r\nX-Spam-Level: ******\r\n"
        + status("Yes, score=6.31 required=4.5 tests=[GRADE=6.31]")
        + b"X-Own: yes\r\n") + octets


@pytest.mark.parametrize("grade,stars", [("0.9", 0), ("-3", 0), ("1.0", 1), ("64.0", 64),
                                         ("999.5", 64)])
def test_level(site, grade, stars):
    daemon = site("rule tag when spam.score >= -5 then tag;\notherwise accept;")
    assert send(daemon.port, make(x_grade=grade)).code == 250
    found = re.search(rb"\r\nX-Spam-Level: (\**)\r\n", daemon.hop.wait(1)[0].data)
    assert len(found.group(1) if found else b"") == stars


def test_status_and_scores_of_rules(site):
    """The score that a rule adds counts; the scanner's bound stands where no rule has one."""
    daemon = site("""
        rule known when sender = "sender@example.com" then score -3;
        rule tag   when spam.score >= 5 then tag;
        rule ham   when spam.score < 5 then tag status;
        otherwise accept;""", kind="rspamd")
    octets = make(x_grade="6.31")
    assert send(daemon.port, octets).code == 250
    assert untraced(daemon.hop.wait(1)[0].data) == (
        b"X-Spam-Score: 3.31\r\nX-Spam-Status: No, score=3.31 required=5.0 tests=[GRADE=6.31,"
        b"\r\n SALLYPORT_RULES=-3] autolearn=no version=Sallyport-" + VERSION.encode()
        + b"\r\n") + octets


def test_scanners_own_bound(site):
    daemon = site("rule tag when any symbol (name = GRADE) then tag;\notherwise accept;",
                  kind="rspamd")
    octets = make(x_grade="2.5")
    assert send(daemon.port, octets).code == 250
    assert status("Yes, score=2.5 required=15.0 tests=[GRADE=2.5]") in \
        daemon.hop.wait(1)[0].data


def test_score_that_nobody_asked_for(site):
    """A rule that needs no score asks for none; without any it is that of the rules."""
    late = "rule late when spam.score >= 5 then quarantine late;\n"
    rule = 'rule tag when sender = "sender@example.com" then score 1.5, tag, accept;\n'
    for rules, score in ((rule + late, "x"), (rule, "1.5")):
        daemon = site(rules + "otherwise accept;")
        octets = make(x_grade="9.0")
        assert send(daemon.port, octets).code == 250
        known = b"X-Spam-Score: 1.5\r\nX-Spam-Level: *\r\n" if score != "x" else b""
        assert untraced(daemon.hop.wait(1)[0].data) == (
            b"X-Spam-Flag: YES\r\n" + known
            + status(f"Yes, score={score} tests=[SALLYPORT_RULES=1.5]") + octets)
        assert daemon.scanner.scans == 0


def test_score_of_a_scanner_that_fails(site):
    daemon = site('rule tag when sender = "sender@example.com" then tag;\n'
                  "rule high when spam.score >= 8 then quarantine high;\notherwise accept;",
                  rows="on-failure accept;")
    daemon.scanner.do("garbage")
    octets = make(x_grade="9.0")
    assert send(daemon.port, octets).code == 250
    data = untraced(daemon.hop.wait(1)[0].data)
    assert data.startswith(b"X-Sallyport-Unscanned: grader (")
    assert data.endswith(b")\r\nX-Spam-Flag: YES\r\nX-Spam-Status: Yes, score=x tests=[] "
                         b"autolearn=no version=Sallyport-" + VERSION.encode() + b"\r\n" + octets)


def test_hostile_report(site):
    """Nothing of a report gets out of its field, and no line is too long."""
    daemon = site()
    daemon.scanner.report = (
        "\r\n\r\nSubject: evil\r\nX-Evil: 1\r\n \t \r\n.\r\n\x01\x7f\xe4\x1b[2J\rX-Evil: 2\n"
        + "l" * 3000 + "\r\n" + "many\r\n" * 5000 + REPORT)
    octets = make(x_grade="7.0")
    assert send(daemon.port, octets).code == 250
    data = untraced(daemon.hop.wait(1)[0].data)
    assert data.endswith(octets)
    added = data[:-len(octets)]
    names = [line.split(b":")[0] for line in added.split(b"\r\n")[:-1] if line[:1] not in b"\t "]
    assert names == [b"X-Spam-Flag", b"X-Spam-Score", b"X-Spam-Level", b"X-Spam-Status",
                     b"X-Spam-Report"]
    report = added[added.index(b"X-Spam-Report"):]
    assert report.startswith(b"X-Spam-Report: Subject: evil\r\n\tX-Evil: 1\r\n\t.\r\n"
                             b"\t\\x01\\x7f\\xe4\\x1b[2J\\x0dX-Evil: 2\r\n\tlll")
    assert len(report) <= 8192 and max(map(len, added.split(b"\r\n"))) <= 998
    assert not re.search(rb"[^\t\r\n -~]", added)


def test_hostile_symbols(site):
    daemon = site(kind="rspamd")
    daemon.scanner.symbols = {"A]\r\nX-Evil: 1": 5, "b c,d": 1, "\u00e4": 0,
                              **{"N" * 60 + str(i): 0.1 for i in range(400)}}
    octets = make(x_grade="6.0")
    assert send(daemon.port, octets).code == 250
    data = untraced(daemon.hop.wait(1)[0].data)
    added = data[:-len(octets)]
    assert data.endswith(octets) and b"\nX-Evil" not in added
    assert b", ...] autolearn=no" in re.sub(rb"\r\n ", b" ", added)
    assert len(added) < 5500 and max(map(len, added.split(b"\r\n"))) <= 78


def test_header_add_is_as_ever(site):
    daemon = site('rule a when spam.score >= 0 then header add X-One "1",\n'
                  f'header add X-Long "{"word " * 40}";\notherwise accept;')
    octets = make()
    answer = send(daemon.port, octets)
    assert answer.code == 250
    data = untraced(daemon.hop.wait(1)[0].data)
    assert data.startswith(b"X-One: 1\r\nX-Long: word word") and data.endswith(b"\r\n" + octets)
    added = data[:-len(octets)]
    assert max(map(len, added.split(b"\r\n"))) <= 78 and added.count(b"word") == 40
    assert "header add X-One: 1" in daemon.explain(id_of(answer))["changes"]


# forged fields

def test_forged_fields_go(site):
    daemon = site()
    kept = [b"X-Spam: yes\r\n", b"X-Spam-Flags: x\r\n", b"X-Spammer: y\r\n\tz\r\n", b"no field\r\n"]
    rows = [row for pair in zip(FORGED, kept * 3) for row in pair]
    below = make("X-Spam-Flag: NO\n\nbody\n")
    answer = send(daemon.port, b"".join(rows) + below)
    assert answer.code == 250
    left = [row for row in rows if row not in FORGED]
    assert untraced(daemon.hop.wait(1)[0].data) == b"".join(left) + below
    assert daemon.explain(id_of(answer))["changes"] == ["fields of other filters removed"]


def test_forged_fields_and_a_tag(site):
    """Ours stand alone, on top."""
    daemon = site('rule tag when spam.score >= 5 then tag subject "*S* ", header remove X-Own,\n'
                  'header add X-Own "b";\notherwise accept;', kind="rspamd")
    octets = make(x_grade="5.5", x_own="a")
    assert send(daemon.port, FORGED[0] + octets[:40] + octets[40:].replace(
        b"Subject: test\r\n", FORGED[3] + b"Subject: test\r\n")).code == 250
    expected = octets.replace(b"X-Own: a\r\n", b"").replace(b"Subject: ", b"Subject: *S* ")
    assert untraced(daemon.hop.wait(1)[0].data) == (
        b"X-Spam-Flag: YES\r\nX-Spam-Score: 5.5\r\nX-Spam-Level: *****\r\n"
        + status("Yes, score=5.5 required=5.0 tests=[GRADE=5.5]")
        + b"X-Own: b\r\n") + expected


def test_forged_fields_are_seen_by_rules(site):
    daemon = site("""
        rule seen when any header (name = "X-Spam-Flag" and value = "NO")
            then header add X-Seen "yes";
        otherwise accept;""")
    octets = make()
    assert send(daemon.port, FORGED[0] + octets).code == 250
    assert untraced(daemon.hop.wait(1)[0].data) == b"X-Seen: yes\r\n" + octets


def test_trusted_headers_stay(site):
    daemon = site(listener="\ttrust-headers yes;")
    octets = b"".join(FORGED) + make()
    assert send(daemon.port, octets).code == 250
    assert untraced(daemon.hop.wait(1)[0].data) == octets
    octets = b"".join(FORGED) + make(x_grade="5.0")
    assert send(daemon.port, octets).code == 250
    data = daemon.hop.wait(2)[1].data
    assert data.endswith(octets) and data.count(b"X-Spam-Flag: ") == 2


def test_forged_in_a_long_header(site):
    """As far as the header is looked at; the rest is as it was."""
    daemon = site()
    many = b"".join(b"N%d: x\r\n" % i for i in range(2500))
    octets = make()
    assert send(daemon.port, FORGED[0] + many + FORGED[1] + octets).code == 250
    assert untraced(daemon.hop.wait(1)[0].data) == many + FORGED[1] + octets


def test_loops_are_still_seen(site):
    """X-Sallyport goes, our Received stay."""
    daemon = site()
    octets = b"X-Sallyport-A: b\r\n" + make()
    for _ in range(6):
        assert send(daemon.port, octets).code == 250
        octets = daemon.hop.mails[-1].data
        assert b"X-Sallyport-A" not in octets
    answer = send(daemon.port, octets)
    assert answer.code == 554 and "loops" in answer.end[1]


# subjects

@pytest.mark.parametrize("before,after", [
    (b"Subject: test", b"Subject: *S* test"), (b"SUBJECT:test", b"SUBJECT: *S* test"),
    (b"Subject: =?utf-8?q?=c3=a4?=\r\n =?utf-8?q?b?=",
     b"Subject: *S* =?utf-8?q?=c3=a4?=\r\n =?utf-8?q?b?="),
    (b"Subject: \xe4\xff", b"Subject: *S* \xe4\xff"), (b"Subject:", b"Subject: *S* "),
    (b"Subject: *S* test", b"Subject: *S* test"),
    (b"Subject: 1\r\nSubject: 2", b"Subject: *S* 1\r\nSubject: 2")])
def test_subject(site, before, after):
    daemon = site('rule tag when spam.score >= 5 then tag subject "*S* ";\notherwise accept;')
    octets = make(x_grade="6.0").replace(b"Subject: test", before)
    assert send(daemon.port, octets).code == 250
    data = daemon.hop.wait(1)[0].data
    assert data.endswith(octets.replace(before, after))


def test_no_subject(site):
    daemon = site('rule tag when spam.score >= 5 then tag subject "*S* ";\notherwise accept;')
    octets = make(x_grade="6.0", subject=None)
    answer = send(daemon.port, octets)
    assert answer.code == 250
    assert daemon.hop.wait(1)[0].data.endswith(b"Costs nothing\r\nSubject: *S*\r\n" + octets)
    assert daemon.explain(id_of(answer))["changes"] == [
        "tag as spam, required 5, subject '*S* '"]


def test_subject_of_a_rule(site):
    """One that a rule puts in the place of the received is marked itself."""
    daemon = site('rule tag when spam.score >= 5 then tag subject "*S* ", header remove Subject,\n'
                  'header add Subject "was removed";\notherwise accept;')
    octets = make(x_grade="6.0")
    assert send(daemon.port, octets).code == 250
    assert daemon.hop.wait(1)[0].data.endswith(
        b"Costs nothing\r\nSubject: *S* was removed\r\n"
        + octets.replace(b"Subject: test\r\n", b""))


# addresses

EXTEND = 'rule tag when spam.score >= 5 then tag extension spam;\notherwise accept;'


def test_extension(site):
    """Of local recipients only; the record and the log know both."""
    daemon = site(EXTEND)
    names = ["amy@example.org", "bob+lists@example.org", "far@example.net",
             '"a b"@example.org', "+x@example.org"]
    answer = send(daemon.port, make(x_grade="6.0"), recipients=names)
    assert answer.code == 250
    mail, = daemon.hop.wait(1)
    assert mail.recipients == ["amy+spam@example.org", "bob+spam@example.org",
                               "far@example.net", '"a b+spam"@example.org', "+x@example.org"]
    assert mail.recipient_options == [
        "ORCPT=rfc822;amy@example.org", "ORCPT=rfc822;bob+2Blists@example.org", "",
        'ORCPT=rfc822;"a+20b"@example.org', ""]
    record = daemon.explain(id_of(answer))
    assert [row["address"] for row in record["recipients"]] == names
    assert [row["outcome"] for row in record["recipients"]] == ["delivered"] * 5
    assert "recipient amy@example.org becomes amy+spam@example.org" in record["changes"]
    assert len(record["changes"]) == 4
    line = daemon.wait_log(f"id={id_of(answer)}")
    assert "<amy@example.org>=<amy+spam@example.org>:delivered:" in line
    assert "<far@example.net>:delivered:" in line
    assert send(daemon.port, make(x_grade="1.0"), recipients=names).code == 250
    assert daemon.hop.wait(2)[1].recipients == names


def test_extension_and_dsn(site):
    """What the client gave stays; a next hop without DSN is told nothing."""
    hop_without = tuple(word for word in EXTENSIONS if word != "DSN")
    daemon = site(EXTEND)
    for extensions, options in ((EXTENSIONS, "NOTIFY=FAILURE ORCPT=rfc822;old@example.net"),
                                (hop_without, "")):
        daemon.hop.extensions = extensions
        for session in daemon.hop.sessions:
            shut(session.socket)
        with Client(daemon.port) as client:
            answer = client.mail_from("sender@example.com", [])
            assert client.say("RCPT TO:<amy@example.org> NOTIFY=FAILURE "
                              "ORCPT=rfc822;old@example.net")[0] == 250
            assert client.message(make(x_grade="6.0"), answer).end[0] == 250
        mail = daemon.hop.mails[-1]
        assert mail.recipients == ["amy+spam@example.org"]
        assert mail.recipient_options == [options]


@pytest.mark.parametrize("hop_lmtp", [False, True])
def test_extension_and_replies(site, next_hop, hop_lmtp):
    """Each recipient hears its own reply, under the name that it has at the client."""
    hop = next_hop(lmtp=hop_lmtp)
    hop.when("RCPT", "550 5.1.1 unknown", match="bob+spam@")
    if hop_lmtp:
        hop.when("end", "452 4.2.2 full", match="cat+spam@")
    daemon = site(EXTEND, hop=hop)
    names = ["amy@example.org", "bob@example.org", "cat@example.org", "dan@example.net"]
    answer = send(daemon.port, make(x_grade="6.0"), recipients=names, lmtp=True)
    codes = [answer.ends[name][0] for name in names]
    assert codes == [250, 550, 452 if hop_lmtp else 250, 250]
    assert "unknown" in answer.ends["bob@example.org"][1]
    record = daemon.explain(id_of(answer.ends["amy@example.org"]))
    outcomes = {row["address"]: row["outcome"] for row in record["recipients"]}
    assert outcomes == {"amy@example.org": "delivered", "bob@example.org": "rejected",
                        "cat@example.org": "deferred" if hop_lmtp else "delivered",
                        "dan@example.net": "delivered"}


def test_extension_into_one_variant(site):
    """Those whose bytes are the same go in one transaction, whatever their addresses."""
    daemon = site("""
        rule amy when recipient = amy@example.org and spam.score >= 5 then tag extension junk;
        rule tag when spam.score >= 5 then tag;
        otherwise accept;""")
    assert send(daemon.port, make(x_grade="6.0"), recipients=[
        "amy@example.org", "bob@example.org"]).code == 250
    mail, = daemon.hop.wait(1)
    assert mail.recipients == ["amy+junk@example.org", "bob@example.org"]


def test_maildir(sallyport, tmp_path, grader):
    folder = reachable(tmp_path) / "Maildir"
    scanner = grader()
    daemon = sallyport(f"maildir:{folder}", policy='rule tag when spam.score >= 5\n'
                       'then tag subject "*S* " extension spam;\notherwise accept;',
                       settings="gateways 1;\nlocal-domains example.org;\n"
                       + scanner.block("grader"))
    octets = make(x_grade="6.0")
    assert send(daemon.port, FORGED[0] + octets).code == 250
    path, = (folder / "new").iterdir()
    assert path.read_bytes().replace(b"\r\n", b"\n").endswith(
        octets.replace(b"Subject: ", b"Subject: *S* ").replace(b"\r\n", b"\n"))
    assert b"X-Spam-Flag: NO" not in path.read_bytes()


# recipients that differ

def test_three_fates(site):
    daemon = site("""
        rule spam   when spam.score >= 6 and recipient = kill@example.org then quarantine spam;
        rule strict when recipient in @strict and spam.score >= 3
            then tag subject "*S* " extension spam;
        rule tag    when spam.score >= 8 then tag;
        otherwise accept;""", lists="list strict inline strict@example.org;\n", kind="rspamd")
    octets = make(x_grade="7.0")
    answer = send(daemon.port, FORGED[0] + octets,
                  recipients=["kill@example.org", "strict@example.org", "free@example.org"])
    assert answer.code == 250 and "1 quarantined" in answer.end[1]
    got = {mail.recipients[0]: untraced(mail.data) for mail in daemon.hop.wait(2)}
    assert got == {
        "free@example.org": octets,
        "strict+spam@example.org":
            b"X-Spam-Flag: YES\r\nX-Spam-Score: 7\r\nX-Spam-Level: *******\r\n"
            + status("Yes, score=7 required=3.0 tests=[GRADE=7]")
            + octets.replace(b"Subject: ", b"Subject: *S* ")}
    kept, = daemon.quarantined("spam")
    assert block_and_message(kept)[1] == FORGED[0] + octets
    assert daemon.explain(id_of(answer))["changes"] == [
        "fields of other filters removed",
        "for strict@example.org: tag as spam, required 3, subject '*S* '",
        "recipient strict@example.org becomes strict+spam@example.org"]


def thresholds(count: int) -> str:
    return "".join(f"rule r{i} when recipient = r{i}@example.org and spam.score >= {i} then tag;\n"
                   for i in range(1, count + 1)) + "otherwise accept;"


def required(data: bytes) -> float | None:
    found = re.search(rb"\r\nX-Spam-Status: Yes, score=\S+ required=(\S+)", data)
    return float(found.group(1)) if found else None


def test_twenty_thresholds(site):
    """Up to eight deliveries; the others get the bytes of one that is marked as spam."""
    daemon = site(thresholds(20), kind="rspamd")
    octets = make(x_grade="12.0")
    names = [f"r{i}@example.org" for i in range(20, 0, -1)]
    answer = send(daemon.port, octets, recipients=names)
    assert answer.code == 250
    mails = daemon.hop.wait(8)
    assert len(daemon.hop.mails) == 8 and to(mails) == sorted(names)
    bounds = {name: required(mail.data) for mail in mails for name in mail.recipients}
    for i in range(13, 21):             # one variant without a tag, the first there is
        assert bounds[f"r{i}@example.org"] is None
    for i in range(6, 13):              # seven with a tag of their own
        assert bounds[f"r{i}@example.org"] == i
    assert {bounds[f"r{i}@example.org"] for i in range(1, 6)} == {12}
    assert all(mail.data.endswith(octets) for mail in mails)


def test_late_strict_ones_do_not_go_unmarked(site):
    """Eight that differ by a header come first; no tag among them, so its edits are lost to
    nobody: those that come behind get the strictest of the eight."""
    daemon = site("".join(
        f'rule r{i} when recipient = r{i}@example.org then header add X-R "{i}";\n'
        for i in range(1, 9)) + 'rule t when recipient = r3@example.org and spam.score >= 5\n'
        'then tag subject "*S* ";\nrule u when recipient = r9@example.org and spam.score >= 5\n'
        "then tag;\notherwise accept;", kind="rspamd")
    names = [f"r{i}@example.org" for i in range(1, 11)]
    assert send(daemon.port, make(x_grade="6.0"), recipients=names).code == 250
    strictest, = (mail for mail in daemon.hop.wait(8) if b"Subject: *S* " in mail.data)
    assert sorted(strictest.recipients) == ["r10@example.org", "r3@example.org",
                                            "r9@example.org"]


def test_nobody_goes_unmarked(site):
    """The ninth is the first with a tag: it replaces the changes of one of the eight."""
    daemon = site("".join(
        f'rule r{i} when recipient = r{i}@example.org then header add X-R "{i}";\n'
        for i in range(1, 9)) + "rule t when recipient = r9@example.org and spam.score >= 5\n"
        "then tag;\notherwise accept;", kind="rspamd")
    names = [f"r{i}@example.org" for i in range(1, 10)]
    assert send(daemon.port, make(x_grade="6.0"), recipients=names).code == 250
    marked, = (mail for mail in daemon.hop.wait(8) if b"X-Spam-Flag: YES" in mail.data)
    assert "r9@example.org" in marked.recipients and len(marked.recipients) == 2
    assert to(daemon.hop.mails) == sorted(names)


def test_notices_have_the_bytes_as_received(site):
    """A DSN for one recipient, a tag for another."""
    daemon = site("""
        rule no  when client.local and recipient = no@example.org then reject "5.7.1 No";
        rule tag when spam.score >= 5 then tag subject "*S* ";
        otherwise accept;""")
    octets = FORGED[0] + make(x_grade="6.0")
    assert send(daemon.port, octets, recipients=["no@example.org", "amy@example.org"]).code == 250
    mails = daemon.hop.wait(2)
    notice, = (mail for mail in mails if mail.sender == "")
    tagged, = (mail for mail in mails if mail.sender)
    assert FORGED[0] in notice.data and b"\r\nSubject: test\r\n" in notice.data
    assert b"X-Spam-Flag: YES" in tagged.data and FORGED[0] not in tagged.data


def test_scan_prints_it(site, tmp_path):
    """What needs no scanner."""
    daemon = site('rule a when header.subject = "test" then score 2.5, '
                  'tag subject "*S* " extension spam;\notherwise accept;')
    path = tmp_path / "mail"
    path.write_bytes(FORGED[0] + make())
    done = daemon.run("scan", "--from", "a@example.com", "--to", "amy@example.org", str(path))
    assert done.returncode == 0, done.stderr + done.stdout
    for line in ("  fields of other filters would be removed",
                 "    recipient becomes amy+spam@example.org",
                 "    before the subject: '*S* '", "    X-Spam-Flag: YES",
                 "    X-Spam-Score: 2.5", "    X-Spam-Level: **",
                 "    X-Spam-Status: Yes, score=2.5 tests=[SALLYPORT_RULES=2.5] autolearn=no"):
        assert line + "\n" in done.stdout, done.stdout
    found = json.loads(daemon.run("scan", "--json", "--from", "a@example.com", "--to",
                                  "amy@example.org", str(path)).stdout)
    row = found["recipients"][0]
    assert found["fields_removed"] and row["tag_address"] == "amy+spam@example.org"
    assert row["tag_subject"] == "*S* " and row["tag_fields"].startswith("X-Spam-Flag: YES\r\n")
