#!/usr/bin/python3
"""run.py [--build DIR] [--seconds N] [--rounds N] [--varied] [--with content,clamd,...]
- what `make bench` runs.

Sends the same mail through servers that all stand between smtpload and one smtpsinkd:

    toy        bench/toyproxy, which stores each message in a tmpfs and looks at nothing:
               the least that work of this kind costs
    haproxy    a relay of octets (unpacked by tools/fetch-servers, not installed)
    sallyport  one listener, one next hop, policy { otherwise accept; }

With --with, besides, and on the mixed corpus with 20 and 2 connections only, each mail
unique:

    content    sallyport with rules about attachments and ambiguity, as the shipped
               configuration has them, and about links and signatures
    clamd      sallyport that asks clamd, which has two signatures, by descriptor
    both       content and clamd
    spamd      sallyport that asks spamd, which has two children and Debian's rules,
               without network

These run at the same pace of 100 mails a second, too: beside a slow scanner we sleep and
wake more often, and that is no work of ours.

clamd's and spamd's own CPU time is a column of its own, "theirs".  spamd takes hundreds
of times ours, so its runs are short.

All are up at once and take turns, case by case and round by round, because machines are
noisy: what counts is the ratio, the CPU column first.  Prints a table of medians and
writes DIR/bench.json.
"""
from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tools"))
sys.path.insert(0, str(HERE.parent / "tests/system"))
sys.path.insert(0, str(HERE))

import private_net  # noqa: E402
import scanners     # noqa: E402
from group import Group  # noqa: E402

MAILS_A_CONNECTION = 20
CORPUS_MAILS = 200                      # a run sends the corpus a whole number of times
RUN_SECONDS = 0.7                       # that a run should take
BIG_OCTETS = 50 << 20
TOOLS = [("smtpload", ["smtpload.c", "mail.c"], []), ("smtpsinkd", ["smtpsinkd.c"], []),
         ("toyproxy", ["toyproxy.c"], ["-pthread", "-lcrypto"])]
BASE = "toy"                            # whose CPU time the others are compared with
SLOW_MAILS = 20                         # a run through spamd
PACE = 100                              # mails a second that clamd can take, too
PACED_SECONDS = 4
SLOW_TIMEOUT = "300s"

SCANNERS = {"clamd": (scanners.Clamd, {}),
            "both": (scanners.Clamd, {}),       # content rules, and clamd
            "spamd": (scanners.Spamd, {"stock": True, "children": 2})}
POLICIES = {
    "sallyport": "otherwise accept;",
    "content": """
        rule banned when any attachment (type in @executables or extension in @run-names)
            then quarantine banned;
        rule disguised when any attachment (double-extension) then quarantine banned;
        rule test when any signature (kind = test) then quarantine virus;
        monitor rule ambiguous when mime.ambiguous then quarantine ambiguous;
        monitor rule phish when any link (in-image) then quarantine phish;
        rule unseen when archive.encrypted or archive.limit or mime.broken or
            any attachment (encrypted or broken or unscannable)
            then header add X-Not-Examined "some of the content", accept;
        otherwise accept;""",
    "clamd": "rule virus when virus.found then quarantine virus; otherwise accept;",
    "spamd": 'rule spam when spam.score >= 1000 then header add X-Test "spam", accept; '
             "otherwise accept;"}
POLICIES["both"] = "rule virus when virus.found then quarantine virus;" + POLICIES["content"]
LISTS = """list executables inline dos-exe exe dll ne le lnk pif hta chm msi appx jar jnlp
    settingcontent-ms appref-ms application;
list run-names inline exe com scr pif cpl bat cmd vbs vbe js jse wsf wsh sct hta lnk msi
    jar ps1 reg chm iqy;
"""


@dataclass
class Case:
    corpus: str
    connections: int
    pipelining: bool
    rate: int = 0                       # mails a second; 0: as fast as it goes

    def title(self) -> str:
        """mixed, 2 connections"""
        plural = "s" if self.connections > 1 else ""
        return (f"{self.corpus}, {self.connections} connection{plural}"
                + ("" if self.pipelining else ", no pipelining")
                + (f", {self.rate} mails a second" if self.rate else ""))


ALL_CASES = [Case(corpus, connections, pipelining)
         for corpus in ("mixed", "10 KiB")
         for connections, pipelining in ((20, True), (2, True), (2, False),
                                         (1, True), (1, False))]
# At the same pace for all: a slow scanner leaves us more time to sleep and wake.
EXTRA_CASES = [case for case in ALL_CASES
               if case.corpus == "mixed" and case.pipelining and case.connections > 1
               ] + [Case("mixed", 20, True, PACE)]


@dataclass
class Run:
    """One run of smtpload through one server."""
    cpu: float                          # seconds a thousand mails
    rate: float                         # mails a second
    p50_ms: float
    p99_ms: float
    theirs: float = 0                   # cpu, of the scanner that was asked


@dataclass
class Peer:
    name: str
    port: int
    group: Group
    scanner: Group | None = None
    runs: dict[str, list[Run]] = field(default_factory=dict)
    idle_mb: float = 0
    big_mb: float = 0


class Bench:
    def __init__(self, build: pathlib.Path, seconds: float, varied: bool,
                 extra: list[str]):
        self.build, self.varied, self.extra = build, varied, extra
        self.cases = EXTRA_CASES if extra else ALL_CASES
        self.end = time.monotonic() + seconds
        self.work = pathlib.Path(tempfile.mkdtemp(prefix="sallyport-bench-"))
        self.work.chmod(0o755)
        self.shm = pathlib.Path(tempfile.mkdtemp(prefix="bench-", dir="/dev/shm"))
        self.tools = build / "bench"
        self.peers: list[Peer] = []
        self.sink: Group | None = None
        self.sink_port = 0
        self.missing: list[str] = []
        self.scanner_groups: list[Group] = []

    # what is needed

    def compile(self) -> None:
        """The tools, where their sources are newer."""
        self.tools.mkdir(parents=True, exist_ok=True)
        for name, sources, flags in TOOLS:
            files = [HERE / source for source in sources]
            made = self.tools / name
            newest = max(path.stat().st_mtime for path in [*files, HERE / "mail.h"])
            if not made.exists() or made.stat().st_mtime < newest:
                subprocess.run(["cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-Wall", "-o",
                                made, *files, *flags], check=True)

    def make_mail(self) -> None:
        """The same in every run: the generator has a fixed seed."""
        for name, options in (("mixed", []), ("10 KiB", ["--fixed", "10240"]),
                              ("big", ["--fixed", str(BIG_OCTETS)])):
            folder = self.tools / "mail" / name
            if folder.exists():
                continue
            half = folder.with_name("half")
            shutil.rmtree(half, ignore_errors=True)
            last = [str(CORPUS_MAILS)] if name == "mixed" else []
            subprocess.run([sys.executable, HERE / "gencorpus.py", *options, half, *last],
                           check=True)
            half.rename(folder)

    def fetch(self) -> None:
        """Needs the outside network, once."""
        kinds = [SCANNERS[name][0] for name in self.extra if name in SCANNERS]
        for name in ["haproxy", *(kind.tree_name for kind in kinds)]:
            subprocess.run([HERE.parent / "tools/fetch-servers", self.build / "servers",
                            name], check=False, stdout=sys.stderr)

    # servers

    def start(self, name: str, command: list, environment=None) -> Group:
        return Group(name, [str(word) for word in command],
                     str(self.work / f"{name}.log"), environment)

    def wait_listening(self, name: str, port: int, group: Group) -> None:
        for _ in range(300):
            if private_net.is_listening(port):
                return
            if not group.is_alive():
                break
            time.sleep(0.05)
        log = (self.work / f"{name}.log").read_text(errors="replace")
        raise SystemExit(f"{name} does not listen on {port}:\n{log}")

    def add(self, name: str, port: int, command: list, environment=None,
            scanner: Group | None = None) -> None:
        group = self.start(name, command, environment)
        self.peers.append(Peer(name, port, group, scanner))
        self.wait_listening(name, port, group)

    def start_sink(self) -> None:
        self.sink_port = private_net.free_port()
        self.sink = self.start("sink", [self.tools / "smtpsinkd", "-p", self.sink_port])
        self.wait_listening("sink", self.sink_port, self.sink)

    def start_toy(self) -> None:
        port = private_net.free_port()
        self.add("toy", port, [self.tools / "toyproxy", "-l", port, "-b", self.sink_port,
                               "-s", self.shm])

    def start_haproxy(self) -> None:
        """Left out, and said so, where it cannot be had."""
        root = self.build / "servers/haproxy/root/usr"
        if not (root / "sbin/haproxy").exists():
            self.missing.append("haproxy: could not be downloaded")
            return
        port = private_net.free_port()
        config = self.work / "haproxy.cfg"
        config.write_text(
            "global\n  nbthread 1\n  maxconn 1000\ndefaults\n  mode tcp\n"
            "  timeout connect 5s\n  timeout client 60s\n  timeout server 60s\n"
            f"listen relay\n  bind 127.0.0.1:{port}\n  server sink "
            f"127.0.0.1:{self.sink_port}\n", encoding="ascii")
        libraries = ":".join(str(path) for path in (root / "lib").glob("*-linux-gnu*"))
        self.add("haproxy", port, [root / "sbin/haproxy", "-db", "-f", config],
                 {"LD_LIBRARY_PATH": libraries})

    def start_scanner(self, name: str) -> tuple[Group, str]:
        """A scanner of its own group, and its place in the configuration."""
        kind, options = SCANNERS[name]
        scanner = kind(self.build / "servers", self.work / f"{name}-home", **options)
        scanner.prepare()
        group = self.start(f"{name}-server", scanner.command(), scanner.environment())
        self.scanner_groups.append(group)
        self.wait_listening(f"{name}-server", scanner.port, group)
        return group, scanners.block(
            name, "spamd" if name == "spamd" else "clamd", scanner.unix, timeout=SLOW_TIMEOUT, queue=1000,
            size_limit="25M" if name == "spamd" else "100M",
            **({"slots": 2} if name == "spamd" else {}))

    def start_sallyport(self, name: str = "sallyport") -> None:
        program = self.build / "src/master/sallyport"
        if not program.exists():
            self.missing.append(f"{name}: {program} is not built")
            return
        group, block = None, ""
        if name in SCANNERS:
            tree = self.build / "servers" / SCANNERS[name][0].tree_name
            if not (tree / "stamp").exists():
                self.missing.append(f"{name}: could not be downloaded")
                return
            group, block = self.start_scanner(name)
        port = private_net.free_port()
        home = self.work / name
        config = self.work / f"{name}.conf"
        config.write_text(
            f"hostname bench.example.com;\nlog stderr;\n"
            f"state-directory {home}/state;\nspool-directory {home}/spool;\n"
            f"control-socket {home}/run/control;\n{block}{LISTS}"
            f"listener bench {{ address 127.0.0.1:{port}; policy bench; "
            f"next-hop 127.0.0.1:{self.sink_port}; }}\n"
            f"policy bench {{ {POLICIES[name]} }}\n", encoding="ascii")
        self.add(name, port, [program, "-c", config, "daemon"], scanner=group)

    def sink_counts(self) -> dict:
        """What has arrived since the last call."""
        log = self.work / "sink.log"
        before = log.stat().st_size
        os.kill(self.sink.process.pid, signal.SIGUSR2)
        while not (text := log.read_text(encoding="ascii")[before:]).endswith("\n"):
            time.sleep(0.005)
        return json.loads(text)

    # measuring

    def load(self, port: int, folder: str, mails: int, *options: str) -> dict:
        command = [self.tools / "smtpload", "-h", f"127.0.0.1:{port}", "-d",
                   self.tools / "mail" / folder, "-n", str(mails), *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise SystemExit(f"smtpload failed: {done.stdout}{done.stderr}")
        return json.loads(done.stdout)

    def run(self, peer: Peer, case: Case, mails: int) -> Run:
        self.sink_counts()
        before = peer.group.cpu_s()
        theirs = peer.scanner.cpu_s() if peer.scanner else 0
        options = ["-c", str(case.connections), "-m", str(MAILS_A_CONNECTION)]
        options += [] if case.pipelining else ["-P"]
        options += ["-V"] if self.varied else []
        options += ["-R", str(case.rate)] if case.rate else []
        told = self.load(peer.port, case.corpus, mails, *options)
        time.sleep(0.02)                # what is done after the reply counts, too
        cpu = (peer.group.cpu_s() - before) * 1000 / mails
        theirs = (peer.scanner.cpu_s() - theirs) * 1000 / mails if peer.scanner else 0
        arrived = self.sink_counts()["msgs"]
        if arrived != mails:
            raise SystemExit(f"{peer.name}: {mails} mails accepted, {arrived} arrived")
        return Run(cpu, told["msg_s"], told["lat_us"]["p50"] / 1000,
                   told["lat_us"]["p99"] / 1000, theirs)

    def measure(self, rounds: int) -> None:
        """A first round warms up and says how many mails a run takes."""
        mails = {}
        for case in self.cases:
            for peer in self.peers:
                if peer.name == "spamd" or case.rate:
                    mails[peer.name, case.title()] = (
                        SLOW_MAILS if peer.name == "spamd" else
                        max(SLOW_MAILS, PACED_SECONDS * case.rate))
                    continue
                rate = self.run(peer, case, CORPUS_MAILS).rate
                times = max(1, min(20, round(rate * RUN_SECONDS / CORPUS_MAILS)))
                mails[peer.name, case.title()] = CORPUS_MAILS * times
        for number in range(rounds):
            for case in self.cases:
                if number > 0 and time.monotonic() > self.end:
                    return
                for peer in self.peers:
                    count = mails[peer.name, case.title()]
                    peer.runs.setdefault(case.title(), []).append(
                        self.run(peer, case, count))

    def measure_memory(self) -> None:
        """Idle after all the work, and the peak while a large message passes.  A spool
        file on a disk is the kernel's, and not counted."""
        time.sleep(1)
        for peer in self.peers:
            peer.idle_mb = peer.group.memory_mb()
        for peer in self.peers:
            peak = [0.0]
            over = threading.Event()

            def watch(group=peer.group):
                while not over.wait(0.002):
                    peak[0] = max(peak[0], group.memory_mb())
            watcher = threading.Thread(target=watch)
            watcher.start()
            try:
                self.load(peer.port, "big", 3, "-c", "1")
            finally:
                over.set()
                watcher.join()
            peer.big_mb = peak[0]

    def close(self) -> None:
        for group in [peer.group for peer in self.peers] + self.scanner_groups + [self.sink]:
            if group:
                group.end()
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.rmtree(self.shm, ignore_errors=True)


def median(runs: list[Run], name: str) -> float:
    return statistics.median(getattr(run, name) for run in runs)


def rows(peers: list[Peer], cases: list[Case]) -> list[dict]:
    """A row a case and peer."""
    base = next(peer for peer in peers if peer.name == BASE)
    table = []
    for case in cases:
        for peer in peers:
            runs = peer.runs[case.title()]
            ratios = [run.cpu / low.cpu for run, low in zip(runs, base.runs[case.title()])
                      if low.cpu > 0]
            table.append({
                "case": case.title(), "peer": peer.name, "rounds": len(runs),
                "cpu_s_per_1000": round(median(runs, "cpu"), 4),
                "theirs_s_per_1000": round(median(runs, "theirs"), 4),
                "ratio_to_toy": round(statistics.median(ratios), 2) if ratios else None,
                "p50_ms": round(median(runs, "p50_ms"), 3),
                "p99_ms": round(median(runs, "p99_ms"), 3),
                "msg_s": round(median(runs, "rate"))})
    return table


def memory_rows(peers: list[Peer]) -> list[dict]:
    return [{"peer": peer.name, "processes": peer.group.processes(),
             "idle_pss_mb": round(peer.idle_mb, 1),
             "with_50_mib_mb": round(peer.big_mb, 1)} for peer in peers]


def print_tables(table: list[dict], memory: list[dict]) -> None:
    last = ""
    print(f"{'':12}{'CPU s/1000':>12}{'x toy':>8}{'p50 ms':>10}{'p99 ms':>10}"
          f"{'mails/s':>10}{'theirs':>10}")
    for row in table:
        if row["case"] != last:
            last = row["case"]
            print(last)
        print(f"  {row['peer']:10}{row['cpu_s_per_1000']:12.3f}"
              f"{row['ratio_to_toy'] or 0:8.2f}{row['p50_ms']:10.3f}"
              f"{row['p99_ms']:10.2f}{row['msg_s']:10}"
              + (f"{theirs:10.3f}" if (theirs := row["theirs_s_per_1000"]) else ""))
    print(f"\n{'memory':12}{'processes':>12}{'idle MB':>10}{'with a 50 MiB mail':>20}")
    for row in memory:
        print(f"  {row['peer']:10}{row['processes']:12}{row['idle_pss_mb']:10.1f}"
              f"{row['with_50_mib_mb']:20.1f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="compares servers; see run.py's head")
    parser.add_argument("--build", type=pathlib.Path, default=HERE.parent / "build")
    parser.add_argument("--seconds", type=float, default=240,
                        help="begin no case after that")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--varied", action="store_true", help="each mail is unique")
    parser.add_argument("--with", dest="extra", default="",
                        help="content, clamd, both, spamd: some of them, with commas")
    parser.add_argument("--pace", type=int, default=PACE,
                        help="mails a second of the paced case; spamd takes about 5")
    options = parser.parse_args()
    EXTRA_CASES[-1].rate = options.pace
    extra = [name for name in options.extra.split(",") if name]
    if unknown := set(extra) - set(POLICIES):
        parser.error(f"--with does not know {', '.join(unknown)}")
    bench = Bench(options.build.resolve(), options.seconds, options.varied or bool(extra),
                  extra)
    try:
        bench.compile()
        bench.make_mail()
        bench.fetch()
        private_net.enter()             # without root: among this machine's own ports
        bench.start_sink()
        bench.start_toy()
        bench.start_haproxy()
        bench.start_sallyport()
        for name in extra:
            bench.start_sallyport(name)
        bench.measure(options.rounds)
        bench.measure_memory()
        table, memory = rows(bench.peers, bench.cases), memory_rows(bench.peers)
        means = bench.sink.account.kind
    finally:
        bench.close()
    print_tables(table, memory)
    for text in bench.missing:
        print(f"left out: {text}")
    result = {"when": time.strftime("%Y-%m-%dT%H:%M:%S"), "cpu_from": means,
              "cores": os.cpu_count(), "varied": bench.varied, "cases": table,
              "memory": memory, "left_out": bench.missing}
    (bench.build / "bench.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
