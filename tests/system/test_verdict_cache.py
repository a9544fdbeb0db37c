"""test_verdict_cache.py - what was clean is not scanned again, and what else must be.

`cache` of a scanner: one scan for the same content while the signatures are the same, a
new one for anything that could make a difference.
"""
import base64
import hashlib
import io
import re
import tarfile
import time

import pytest

from client import send
from mails import id_of, make
from scanners import EICAR, EICAR_NAME, VIRUS, VIRUS_NAME, Clamd, code_of, fact_of, ndb_line
from servers import wait_for

VERSION = "ClamAV 1.4.6/27400/Sat Nov 21 08:00:00 2026"
NEWER = "ClamAV 1.4.6/27401/Sun Nov 22 08:00:00 2026"
TEXT = b"Content-Type: text/plain\n\nThe news of this week.\n"


def part(octets: bytes, name: str = "a.bin", encoding: str = "base64", width: int = 76) -> bytes:
    text = base64.b64encode(octets)
    lines = b"\n".join(text[i:i + width] for i in range(0, len(text), width))
    return (f"Content-Type: application/octet-stream; name=\"{name}\"\n"
            f"Content-Transfer-Encoding: {encoding}\n\n").encode() + (
                lines if encoding == "base64" else octets) + b"\n"


def newsletter(number: int, *parts: bytes, boundary: str = "b", **fields) -> bytes:
    """The same to many: only what a mailer makes anew for each differs."""
    body = b"".join(b"--" + boundary.encode() + b"\n" + one
                    for one in (TEXT, *(parts or (part(b"x" * 300),))))
    fields = {"to": f"reader{number}@example.org", "message_id": f"<{number}@news.example>",
              "date": f"Sat, 21 Nov 2026 08:00:{number % 60:02} +0000",
              "received": f"by mx{number}.example with ESMTP id {number}",
              "subject": "The news", "mime_version": "1.0",
              "content_type": f"multipart/mixed; boundary={boundary}", **fields}
    return make(body + b"--" + boundary.encode() + b"--\n", **fields)


def numbers(daemon) -> dict:
    return daemon.status()["scanners"][0]


@pytest.fixture
def cached(fake_clamd, door):
    """A fake and a daemon that knows its version; canaries would count as scans."""
    def make_both(answer="OK", version=VERSION, delay=0, **rows):
        fake = fake_clamd(delay, answer=answer, version=version)
        rows = {"cache": 100, "canary": "0", **rows}
        daemon, hop = door("clamd", fake.place, **rows)
        wait_version(daemon, version)
        return fake, daemon, hop
    return make_both


def wait_version(daemon, version: str) -> None:
    wait_for("its version", lambda: numbers(daemon)["servers"][0]["version"] == version)


def deliver(daemon, *mails: bytes) -> None:
    for octets in mails:
        assert code_of(daemon, octets) == 250


def warm(daemon, octets: bytes) -> None:
    """Sent until it is known: the version must have been asked for after the scan."""
    def known() -> bool:
        before = numbers(daemon)["cached"]
        deliver(daemon, octets)
        return numbers(daemon)["cached"] > before
    wait_for("the content to be remembered", known, every=0.3)


def is_scanned(fake, daemon, octets: bytes) -> bool:
    scans = fake.scans
    deliver(daemon, octets)
    assert fake.scans in (scans, scans + 1)
    return fake.scans > scans


# what it is for

def test_newsletter(cached):
    fake, daemon, hop = cached()
    deliver(daemon, newsletter(0))
    time.sleep(0.5)
    assert fake.scans == 1
    for number in range(1, 40):
        deliver(daemon, newsletter(number))
    assert fake.scans == 1 and len(hop.wait(40)) == 40
    told = numbers(daemon)
    assert (told["asked"], told["clean"], told["cached"], told["cache-missed"]) == (40, 1, 39, 1)
    assert told["cache_hit_rate"] == 0.975
    assert "verdict cache: 97.5 % hits" in daemon.run("status").stdout
    metrics = daemon.run("status", "--prometheus").stdout
    assert 'sallyport_scanner_cached_total{scanner="clamd"} 39' in metrics
    assert 'sallyport_scanner_cache_missed_total{scanner="clamd"} 1' in metrics


def test_record_and_header(cached):
    fake, daemon, hop = cached(settings="scanned-header yes;\n")
    warm(daemon, newsletter(0))
    answer = send(daemon.port, newsletter(1))
    record = daemon.explain(id_of(answer))
    assert fact_of(record, "virus.found") == "false"
    text = daemon.run("explain", id_of(answer)).stdout
    line = re.search(r"Scanners\n(.*)\n", text)[1]
    assert "clean" in line and "from the cache" in line and "cached" in line
    assert VERSION in line
    header = hop.mails[-1].data.partition(b"\r\n\r\n")[0]
    assert b"X-Virus-Scanned: " in header and b"X-Sallyport-Unscanned" not in header


def test_is_off_by_default(fake_clamd, door):
    fake = fake_clamd(0)
    daemon, _ = door("clamd", fake.place, canary="0")
    wait_version(daemon, VERSION)
    for number in range(5):
        deliver(daemon, newsletter(number))
        time.sleep(0.2)
    told = numbers(daemon)
    assert fake.scans == 5 and told["cached"] == told["cache-missed"] == 0
    assert "cache_hit_rate" not in told


# what is the same

def test_what_is_the_same(cached):
    fake, daemon, _ = cached()
    a, b = part(b"first" * 50), part(b"second" * 50)
    warm(daemon, newsletter(0, a, b))
    for same in (newsletter(1, a, b), newsletter(2, a, b, boundary="other-1"),
                 newsletter(3, part(b"first" * 50, width=60), b)):
        assert not is_scanned(fake, daemon, same)


def test_what_is_not(cached):
    fake, daemon, _ = cached()
    a, b = part(b"first" * 50), part(b"second" * 50)
    warm(daemon, newsletter(0, a, b))
    for other in (
            newsletter(1, a, part(b"second" * 49 + b"Second")),         # one bit
            newsletter(2, b, a),                                        # another order
            newsletter(3, a), newsletter(4, a, b, b),                   # fewer, more
            newsletter(5, part(b"first" * 50, name="b.bin"), b),        # its name
            newsletter(6, part(b"first" * 50, encoding="7bit"), b),     # header of the part
            newsletter(7, a, b, subject="Other news"),
            newsletter(8, a, b, reply_to="x@example.org"),
            newsletter(9, a, b, date="Sat, 21 Nov 2026 " + "8" * 1000)):
        assert is_scanned(fake, daemon, other)
    assert not is_scanned(fake, daemon, newsletter(10, a, b))


AMBIGUOUS = {
    "two types": newsletter(0).replace(b"Subject:", b"Content-Type: text/plain\r\nSubject:", 1),
    "padding": newsletter(0, part(b"").replace(b"base64\n\n", b"base64\n\nQUI=QUJD")),
    "junk in base64": newsletter(0, part(b"").replace(b"base64\n\n", b"base64\n\nQU?JD")),
    "not closed": newsletter(0).replace(b"--b--\r\n", b""),
    "broken archive": newsletter(0, part(b"PK\3\4\x14\0\0\0\x08\0" + b"a" * 300)),
}


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_never(cached, name):
    """Ambiguous or damaged: no key, so that each is scanned."""
    fake, daemon, _ = cached()
    for number in range(1, 5):
        deliver(daemon, AMBIGUOUS[name])
        time.sleep(0.2)
        assert fake.scans == number
    assert numbers(daemon)["cache-missed"] == 0


# what is not remembered

@pytest.mark.parametrize("answer,code", [
    ("Test.Virus FOUND", 250), ("Can't create temporary file ERROR", 451),
    ("Heuristics.Limits.Exceeded.MaxFileSize FOUND", 451)])
def test_only_clean_counts(cached, answer, code):
    fake, daemon, hop = cached(answer=answer, timeout="10s")
    for number in range(1, 3):
        assert code_of(daemon, newsletter(number)) == code
        time.sleep(0.3)
    assert numbers(daemon)["cached"] == 0 and fake.scans >= 2 and not hop.mails


def test_infected_after_clean(cached):
    """What was clean, and is found as another: the cache says nothing about others."""
    fake, daemon, hop = cached()
    warm(daemon, newsletter(0))
    fake.answer = "Test.Virus FOUND"
    delivered = len(hop.mails)
    assert code_of(daemon, newsletter(1, part(b"bad"))) == 250
    assert len(hop.mails) == delivered and len(daemon.quarantined("virus")) == 1


@pytest.mark.parametrize("version", ["ClamAV 1.4.6", ""])
def test_version_must_tell(cached, version):
    """Without the number of the signatures nobody could say when they change."""
    fake, daemon, _ = cached(version=version or "ClamAV ")
    for number in range(1, 5):
        deliver(daemon, newsletter(number))
        time.sleep(0.3)
        assert fake.scans == number


# when it is forgotten

def test_new_signatures(cached):
    """Known for 5 s at most, asked for every 2.5 s while there is mail."""
    fake, daemon, hop = cached()
    warm(daemon, newsletter(0))
    fake.version, fake.answer = NEWER, "Test.Virus FOUND"
    wait_version(daemon, NEWER)
    delivered = len(hop.mails)
    assert is_scanned(fake, daemon, newsletter(1))
    assert len(hop.mails) == delivered and daemon.quarantined("virus")


def test_version_changes_during_a_scan(cached):
    """The answer may be one of the old signatures or the new."""
    fake, daemon, _ = cached()
    fake.delay = 0.5
    fake.version = NEWER
    deliver(daemon, newsletter(0))              # began with the old one, as far as is known
    fake.delay = 0
    wait_version(daemon, NEWER)
    assert is_scanned(fake, daemon, newsletter(1))
    warm(daemon, newsletter(2))


def test_failure_forgets(cached):
    """Whoever fails once may have been ill before."""
    fake, daemon, _ = cached()
    warm(daemon, newsletter(0))
    fake.answer = "Can't allocate memory ERROR"
    assert code_of(daemon, newsletter(1, part(b"other"))) == 451
    fake.answer = "OK"
    warm(daemon, newsletter(2, part(b"another")))       # it is well again
    assert is_scanned(fake, daemon, newsletter(3))
    warm(daemon, newsletter(4))


def test_time(cached):
    fake, daemon, _ = cached(cache_time="2s")
    warm(daemon, newsletter(0))
    time.sleep(2.2)
    assert is_scanned(fake, daemon, newsletter(1))


def test_bound(cached):
    """Four places: the oldest give way."""
    fake, daemon, _ = cached(cache=4)
    mails = [newsletter(n, part(b"file %d" % n)) for n in range(6)]
    deliver(daemon, *mails)
    time.sleep(0.5)
    assert not is_scanned(fake, daemon, mails[5])
    assert not is_scanned(fake, daemon, mails[2])
    assert is_scanned(fake, daemon, mails[0]) and is_scanned(fake, daemon, mails[1])


def test_reload(cached):
    """The same scanner keeps what it knows; another size or another scanner does not."""
    fake, daemon, _ = cached()
    warm(daemon, newsletter(0))
    assert daemon.reload().returncode == 0
    assert not is_scanned(fake, daemon, newsletter(1))
    daemon.settings = daemon.settings.replace("cache 100", "cache 50")
    assert daemon.reload().returncode == 0
    assert is_scanned(fake, daemon, newsletter(2))
    warm(daemon, newsletter(3))
    daemon.settings = daemon.settings.replace("transfer auto", "")
    daemon.settings = daemon.settings.replace("cache 50;", "cache 50;\n\ttransfer instream;")
    assert daemon.reload().returncode == 0
    wait_version(daemon, VERSION)
    assert is_scanned(fake, daemon, newsletter(4))


def test_is_away(cached):
    """A server that cannot be asked for its version does not answer from memory for long."""
    fake, daemon, hop = cached()
    warm(daemon, newsletter(0))
    fake.version = "nonsense"
    wait_for("the cache to be of no use", lambda: code_of(daemon, newsletter(1)) == 451,
             every=0.5)


# the real one

class NumberedClamd(Clamd):
    """With a database named daily: VERSION tells its number."""
    number = 27400

    def write_signatures(self, text: str | None = None) -> None:
        signatures = text or ndb_line(EICAR_NAME, EICAR) + ndb_line(VIRUS_NAME, VIRUS)
        head = f"ClamAV-VDB:21 Nov 2026 09-30 +0000:{self.number}:2:90:X:X:tests:1795253400"
        told = hashlib.sha256(signatures.encode()).hexdigest()
        files = {"COPYING": "none\n", "daily.ndb": signatures,
                 "daily.info": f"{head}\ndaily.ndb:{len(signatures)}:{told}\n"}
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content.encode()))
        (self.database / "daily.cud").write_bytes(head.ljust(512).encode() + made.getvalue())


def test_real_clamd(start_scanner, door):
    """With canaries, and signatures that are loaded anew."""
    scanner = start_scanner(NumberedClamd)
    daemon, hop = door("clamd", scanner.unix, cache=100)
    wait_for("its version", lambda: "/27400/" in numbers(daemon)["servers"][0]["version"])
    warm(daemon, newsletter(0))
    for number in range(20):
        deliver(daemon, newsletter(number))
    told = numbers(daemon)
    assert told["cached"] >= 15 and told["failed"] == 0
    delivered = len(hop.mails)
    for number in range(3):
        deliver(daemon, newsletter(number, part(EICAR.encode())), make(VIRUS))
    assert len(hop.mails) == delivered and len(daemon.quarantined("virus")) == 6
    scanner.number = 27401
    scanner.write_signatures(ndb_line(EICAR_NAME, EICAR) + ndb_line("News", "news of this week"))
    scanner.reload()
    wait_for("its version", lambda: "/27401/" in numbers(daemon)["servers"][0]["version"])
    deliver(daemon, newsletter(1))
    assert len(hop.mails) == delivered and len(daemon.quarantined("virus")) == 7


def test_real_clamd_without_a_number(clamd, door):
    """With signatures of one's own only, VERSION does not tell of them."""
    daemon, _ = door("clamd", clamd().unix, cache=100)
    for number in range(5):
        deliver(daemon, newsletter(number))
        time.sleep(0.3)
    assert numbers(daemon)["cached"] == 0
