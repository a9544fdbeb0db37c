"""test_memory.py - what processes need when idle, and that bodies are descriptors."""
import os
import pathlib
import threading

import pytest

from client import send
from conftest import BUILD, lacking
from load import Keep, compile_tools, smtpload
from mails import make

MIB = 1 << 20
KEPT = 'rule kept when recipient = kept@example.org then quarantine kept;\notherwise accept;'
SIZE = 50 * MIB
# What of a line may vary from run to run.
SLACK = 2 * MIB
# An inspector maps the message, which is in memory already and is not counted, and may
# keep some text of it: lib/content's limits.
INSPECTOR_SLACK = 16 * MIB


@pytest.fixture(autouse=True)
def plain_build():
    if b"__asan_init" in (BUILD / "src/gateway/sallyport-gateway").read_bytes():
        pytest.skip("sanitizers need memory of their own")


@pytest.fixture(scope="module")
def tools(tmp_path_factory):
    return compile_tools(tmp_path_factory.mktemp("tools"))


@pytest.fixture
def report(capsys):
    def say(text):
        with capsys.disabled():
            print(f"\n  {text}")
    return say


def field(pid: int, file: str, name: str) -> int:
    """Octets, of a line in kB."""
    text = pathlib.Path(f"/proc/{pid}/{file}").read_text(encoding="ascii")
    return sum(int(line.split()[1]) * 1024 for line in text.splitlines()
               if line.startswith(name + ":"))


def pss(pid: int) -> int:
    return field(pid, "smaps_rollup", "Pss")


def forget_peak(pid: int) -> None:
    pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")


class Anonymous(threading.Thread):
    """The most memory of their own that processes have while it runs."""

    def __init__(self, pids):
        super().__init__(daemon=True)
        self.most = {pid: 0 for pid in pids}
        self.over = threading.Event()

    def run(self):
        while not self.over.wait(0.001):
            for pid in self.most:
                self.most[pid] = max(self.most[pid], field(pid, "status", "RssAnon"))

    def stop(self):
        self.over.set()
        self.join()
        return self.most


def test_all_idle(sallyport, next_hop, report):
    """All processes together, after their start and after a few mails."""
    hop = next_hop()
    daemon = sallyport(f"127.0.0.1:{hop.port}", policy=KEPT)
    pids = [daemon.process.pid, *daemon.children()]
    fresh = sum(map(pss, pids))
    for _ in range(20):
        assert send(daemon.port, make()).code == 250
        assert send(daemon.port, make(), recipients=["kept@example.org"]).code == 250
    used = sum(map(pss, pids))
    report(f"{len(pids)} processes idle: {fresh / MIB:.1f} MiB PSS, "
           f"after 40 mails {used / MIB:.1f} MiB")
    assert used <= 48 * MIB


def text_of(kind: str) -> bytes:
    """A message of SIZE."""
    line = {"lines": b"x" * 62 + b"\r\n", "dots": b"." * 30 + b"\r\n"}[kind]
    return make() + line * (SIZE // len(line))


@pytest.mark.parametrize("where,kind", [("memory", "lines"), ("spool", "lines"),
                                        ("spool", "dots"), ("quarantine", "lines")])
@pytest.mark.parametrize("chunked", [False, True], ids=["DATA", "BDAT"])
def test_large_message(sallyport, next_hop, tools, tmp_path, report, where, kind, chunked):
    """The peak of each process is that of a small message."""
    hop = next_hop(extensions=("PIPELINING", "8BITMIME", "SIZE 0") +
                   (("CHUNKING",) if chunked else ()))
    daemon = sallyport(f"127.0.0.1:{hop.port}", policy=KEPT, settings="gateways 1;\n" +
                       ("spool-from 1G;" if where == "memory" else ""))
    to = ["kept@example.org" if where == "quarantine" else "rcpt@example.org"]
    octets = text_of(kind)
    rows = [(row["process"], row["pid"]) for row in daemon.status()["processes"]]
    for _ in range(20):
        assert send(daemon.port, make(), recipients=to, chunked=chunked).code == 250
    before = {}
    for name, pid in rows:
        forget_peak(pid)
        before[name] = field(pid, "status", "VmHWM")
    inspectors = {pid: name for name, pid in rows if name.startswith("inspector/")}
    own = {pid: field(pid, "status", "RssAnon") for pid in inspectors}
    watch = Anonymous(inspectors)
    watch.start()
    answer = send(daemon.port, octets, recipients=to, chunked=chunked)
    assert answer.code == 250, answer
    grown = {name: field(pid, "status", "VmHWM") - before[name] for name, pid in rows
             if pid not in inspectors}
    examined = {inspectors[pid]: most - own[pid] for pid, most in watch.stop().items()}
    report(f"{SIZE // MIB} MiB ({where}, {kind}, {'BDAT' if chunked else 'DATA'}): peaks grew by "
           + ", ".join(f"{name} {octets / 1024:.0f} KiB" for name, octets in
                       (grown | examined).items() if octets))
    assert max(grown.values()) <= SLACK, grown
    assert max(examined.values()) <= INSPECTOR_SLACK, examined
    if where != "quarantine":
        assert hop.mails[-1].data.endswith(octets[-1000:]) and \
            len(hop.mails[-1].data) > len(octets)
