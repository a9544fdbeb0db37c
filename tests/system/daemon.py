"""daemon.py - Sallyport itself, for tests: started, asked, reloaded, killed, ended.

    daemon = Sallyport(build, home, next_hop=f"127.0.0.1:{hop.port}").start()
    ... send mail to daemon.port ...
    daemon.track(); daemon.explain(id); daemon.quarantined("virus")

The configuration is one listener, `main`; options of the listener, rules and all else can
be given as text in the configuration's own language.
"""
from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess

from private_net import free_port
from servers import end_process, wait_for

ENDING_SECONDS = 30
FAULTS = ("Assertion", "ERROR: AddressSanitizer", "runtime error", "out of memory")


class Sallyport:
    def __init__(self, build: pathlib.Path, home: pathlib.Path, next_hop: str,
                 policy: str = "otherwise accept;", listener: str = "",
                 settings: str = "", queue: str = "after", address: str | None = None, files: int = 0):
        """listener: more lines of the listener; settings: more of the configuration;
        files: the descriptors that each process may have, 0: as many as this one."""
        self.program = build / "src/master/sallyport"
        self.home = home
        self.port = free_port()
        self.next_hop, self.policy, self.queue = next_hop, policy, queue
        self.listener, self.settings = listener, settings
        self.address = address or f"127.0.0.1:{self.port}"
        self.limits = ["prlimit", f"--nofile={files}:{files}"] if files else []
        self.process: subprocess.Popen | None = None

    @property
    def configuration(self) -> pathlib.Path:
        return self.home / "sallyport.conf"

    def configure(self) -> None:
        self.configuration.write_text(
            f"hostname sallyport.example.com;\nlog stderr;\n"
            f"state-directory {self.home}/state;\nspool-directory {self.home}/spool;\n"
            f"control-socket {self.home}/control;\n{self.settings}\n"
            f"listener main {{\n\taddress {self.address};\n\tqueue {self.queue};\n"
            f"\tpolicy main;\n\tnext-hop {self.next_hop};\n{self.listener}\n}}\n"
            f"policy main {{\n{self.policy}\n}}\n")

    def start(self, environment: dict[str, str] | None = None) -> Sallyport:
        self.home.mkdir(parents=True, exist_ok=True)
        self.home.chmod(0o755)
        self.configure()
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *self.limits, self.program, "-c", self.configuration,
                 "daemon"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                env={**os.environ, **(environment or {})})
        wait_for("Sallyport to be well", self._is_well, timeout=60)
        return self

    def _is_well(self) -> bool:
        assert self.process.poll() is None, f"Sallyport has ended:\n{self.log()}"
        return self.run("status").returncode == 0

    def run(self, *words: str) -> subprocess.CompletedProcess:
        """A subcommand: returncode, stdout, stderr."""
        return subprocess.run([self.program, "-c", self.configuration, *words],
                              capture_output=True, text=True, timeout=60, check=False)

    def status(self) -> dict:
        return json.loads(self.run("status", "--json").stdout)

    def track(self, *options: str) -> list[str]:
        """The lines of `sallyport track`."""
        done = self.run("track", *options)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def explain(self, mail_id: str) -> dict:
        """The record of a mail; it is written a moment after the reply."""
        def record():
            done = self.run("explain", "--json", mail_id)
            return json.loads(done.stdout) if done.returncode == 0 else None
        return wait_for(f"the record of {mail_id}", record)

    def quarantined(self, name: str = "") -> list[pathlib.Path]:
        """The messages in quarantine, of one class or all."""
        return sorted((self.home / "state/quarantine" / name).rglob("*.eml"))

    def log(self) -> str:
        path = self.home / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def faults(self) -> list[str]:
        """Lines of the log that must never be there."""
        return [line for line in self.log().splitlines()
                if any(word in line for word in FAULTS)]

    def wait_log(self, text: str, timeout: float = 20) -> str:
        """The log's first line with this text."""
        return wait_for(f"the log to say {text!r}", lambda: next(
            (line for line in self.log().splitlines() if text in line), None), timeout)

    def reload(self) -> subprocess.CompletedProcess:
        """After a change of the attributes."""
        self.configure()
        return self.run("reload")

    def children(self, name: str = "") -> list[int]:
        """Process ids of the other processes: gateway, inspector, store, or all."""
        pid = self.process.pid
        path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
        found = [int(word) for word in path.read_text(encoding="ascii").split()]
        return [child for child in found if name in command_line(child)]

    def kill(self, name: str, sig: int = signal.SIGKILL) -> int:
        """Kills one of them; its id."""
        child = self.children(name)[0]
        os.kill(child, sig)
        return child

    def stop(self) -> int:
        """Ends it in order; the status it ended with."""
        return end_process(self.process, ENDING_SECONDS) if self.process else 0


def command_line(pid: int) -> str:
    """The name of a process's program; "" if it is gone."""
    try:
        octets = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ""
    return octets.split(b"\0")[0].decode(errors="replace")
