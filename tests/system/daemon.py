"""daemon.py - Sallyport itself, started from the build for one test.

    s = Sallyport(tmp_path, f'''
        listener inbound {{ address 127.0.0.1:{free_port()}; policy p;
                            next-hop 127.0.0.1:{hop.port}; }}
        policy p {{ otherwise accept; }}''').start()
    ... s.port("inbound") ...
    s.command("status", "--json")          # the command line
    s.explain(id)                          # the record as a dictionary
    s.children("gateway")                  # pids
    s.stop()

State, spool, quarantine and control socket are below the given folder.
"""
from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SALLYPORT_BUILD", TOP / "build")).resolve()
PROGRAM = BUILD / "src/master/sallyport"


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as s:
        s.bind((host, 0))
        return s.getsockname()[1]


class Sallyport:
    def __init__(self, home: pathlib.Path, configuration: str, settings: str = ""):
        self.home = pathlib.Path(home)
        self.file = self.home / "sallyport.conf"
        self.log_file = self.home / "sallyport.log"
        self.settings = settings
        self.process: subprocess.Popen | None = None
        self.home.mkdir(parents=True, exist_ok=True)
        for folder in (self.home, *self.home.parents):  # other users must reach it
            if folder.stat().st_uid == os.getuid() and str(folder).startswith("/tmp/"):
                folder.chmod(folder.stat().st_mode | 0o711)
        self.configure(configuration)

    def configure(self, configuration: str) -> None:
        """Writes the file; the general settings come first unless they stand in it."""
        general = {"hostname": "mx.example.com", "state-directory": self.home / "state",
                   "spool-directory": self.home / "spool",
                   "control-socket": self.home / "run/control", "log": "stderr"}
        lines = [f"{name} {value};" for name, value in general.items()
                 if not re.search(rf"^\s*{name}\s", configuration + self.settings, re.M)]
        self.file.write_text("\n".join([*lines, self.settings, configuration]) + "\n")

    def start(self, timeout: float = 30) -> "Sallyport":
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([PROGRAM, "-c", self.file, "daemon"],
                                            stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL)
        end = time.monotonic() + timeout
        while " ready revision=" not in self.log():
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"Sallyport did not start:\n{self.log()}")
            time.sleep(0.02)
        return self

    def stop(self, timeout: float = 30) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"Sallyport did not stop:\n{self.log()[-3000:]}")

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def wait_log(self, text: str, timeout: float = 20) -> str:
        """The first line of the log that holds this."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for line in self.log().splitlines():
                if text in line:
                    return line
            time.sleep(0.05)
        raise AssertionError(f"{text!r} is not in the log:\n{self.log()[-3000:]}")

    def port(self, listener: str) -> int:
        block = re.search(rf"listener\s+{listener}\s*{{(.*?)}}", self.file.read_text(), re.S)
        return int(re.search(r"address\s+\S*?:(\d+)", block.group(1)).group(1))

    def run(self, *words: str) -> subprocess.CompletedProcess:
        return subprocess.run([PROGRAM, "-c", self.file, *words], text=True,
                              capture_output=True, timeout=60)

    def command(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def status(self) -> dict:
        return json.loads(self.run("status", "--json").stdout)

    def explain(self, mail_id: str, timeout: float = 5) -> dict:
        """Records are written in batches: one may be a moment late."""
        end = time.monotonic() + timeout
        while True:
            done = self.run("explain", "--json", mail_id)
            if done.returncode == 0:
                return json.loads(done.stdout)
            assert time.monotonic() < end, done.stdout + done.stderr
            time.sleep(0.05)

    def children(self, kind: str) -> list[int]:
        """Process ids of gateways, inspectors or stores."""
        out = subprocess.run(["pgrep", "-P", str(self.process.pid), "-f",
                              f"^sallyport-{kind}"], text=True, capture_output=True)
        return [int(pid) for pid in out.stdout.split()]

    def quarantined(self) -> list[pathlib.Path]:
        return sorted((self.home / "state/quarantine").glob("*/*/*.eml"))
