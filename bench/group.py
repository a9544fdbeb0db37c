"""group.py - a server under measurement: its processes, their CPU time and their memory.

CPU time is exact, with processes that have ended, where there are control groups (version
2 or version 1); else it is summed over /proc, in hundredths of a second.
"""
from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import time

TICK = os.sysconf("SC_CLK_TCK")


def mounts() -> list[tuple[str, str, str]]:
    """Type, place and options of what is mounted."""
    lines = pathlib.Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    return [(line.split()[2], line.split()[1], line.split()[3]) for line in lines]


def own_path(controller: str) -> str:
    """Our place in the hierarchy of a controller; "" is that of version 2."""
    text = pathlib.Path("/proc/self/cgroup").read_text(encoding="ascii")
    for line in text.splitlines():
        _, names, path = line.split(":", 2)
        if controller in names.split(","):
            return path.lstrip("/")
    return ""


def parents() -> list[tuple[pathlib.Path, str]]:
    """Where a control group can be tried, and the file with its CPU time."""
    places = []
    for kind, place, options in mounts():
        if kind == "cgroup2":
            places.append((pathlib.Path(place, own_path("")), "cpu.stat"))
    for kind, place, options in mounts():
        if kind == "cgroup" and "cpuacct" in options.split(","):
            places.append((pathlib.Path(place, own_path("cpuacct")), "cpuacct.usage"))
    return places


def stat_fields(pid: int) -> list[str]:
    """/proc/PID/stat from the third field, the state, on; [] if there is none."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except OSError:
        return []
    return text.rsplit(")", 1)[1].split()


class ControlGroup:
    """Of version 1 or 2."""

    def __init__(self, folder: pathlib.Path, usage: str):
        folder.mkdir()
        self.folder, self.usage = folder, usage
        self.kind = f"control group, {usage}"

    def enter(self) -> None:
        (self.folder / "cgroup.procs").write_text(str(os.getpid()), encoding="ascii")

    def cpu_s(self) -> float:
        text = (self.folder / self.usage).read_text(encoding="ascii")
        if self.usage == "cpuacct.usage":
            return int(text) / 1e9
        return int(text.split("usage_usec ", 1)[1].split()[0]) / 1e6

    def pids(self) -> list[int]:
        return [int(x) for x in
                (self.folder / "cgroup.procs").read_text(encoding="ascii").split()]

    def remove(self) -> None:
        for _ in range(50):
            try:
                self.folder.rmdir()
                return
            except OSError:
                time.sleep(0.05)


class ProcessSession:
    """All processes of a session, and the children that they waited for."""
    kind = "/proc/PID/stat"

    def __init__(self):
        self.leader = 0

    def enter(self) -> None:
        """Nothing to do: the process leads a session of its own."""

    def pids(self) -> list[int]:
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                fields = stat_fields(int(name))
                if fields and int(fields[3]) == self.leader and fields[0] != "Z":
                    found.append(int(name))
        return found

    def cpu_s(self) -> float:
        return sum(int(x) for pid in self.pids()
                   for x in stat_fields(pid)[11:15]) / TICK

    def remove(self) -> None:
        """Nothing is left behind."""


def new_account(name: str):
    """The most exact means that this machine lets us have."""
    for parent, usage in parents():
        try:
            return ControlGroup(parent / f"bench-{os.getpid()}-{name}", usage)
        except OSError:
            continue
    return ProcessSession()


def status_kb(path: str, keys: tuple[str, ...]) -> list[int]:
    values = dict.fromkeys(keys, 0)
    with open(path, encoding="ascii") as lines:
        for line in lines:
            key, _, rest = line.partition(":")
            if key in values:
                values[key] = int(rest.split()[0])
    return [values[key] for key in keys]


def unlinked_files(pid: int) -> dict[tuple[int, int], int]:
    """Memory files that a process has open: identity, octets in use."""
    found = {}
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return found
    for name in names:
        path = f"/proc/{pid}/fd/{name}"
        try:
            target = os.readlink(path)
            if target.startswith(("/memfd:", "/dev/shm/")):
                info = os.stat(path)
                found[info.st_dev, info.st_ino] = info.st_blocks * 512
        except OSError:
            pass
    return found


class Group:
    """One server with all its processes."""

    def __init__(self, name: str, command: list[str], log: str,
                 environment: dict[str, str] | None = None):
        self.name = name
        self.account = new_account(name)
        with open(log, "ab") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, preexec_fn=self.account.enter,
                env={**os.environ, **(environment or {})})
        if isinstance(self.account, ProcessSession):
            self.account.leader = self.process.pid

    def cpu_s(self) -> float:
        return self.account.cpu_s()

    def memory_mb(self) -> float:
        """Proportional set size of all processes, and memory files, mapped or not."""
        pss = shared = 0
        files: dict[tuple[int, int], int] = {}
        for pid in self.account.pids():
            try:
                total, shm = status_kb(f"/proc/{pid}/smaps_rollup", ("Pss", "Pss_Shmem"))
            except OSError:
                continue
            pss, shared = pss + total, shared + shm
            files.update(unlinked_files(pid))
        return (pss + max(0, sum(files.values()) / 1024 - shared)) / 1024

    def processes(self) -> int:
        return len(self.account.pids())

    def is_alive(self) -> bool:
        return self.process.poll() is None

    def end(self) -> None:
        """Asks the first process to end, then ends what is left of the group."""
        if self.is_alive():
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                pass
        for pid in self.account.pids():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.account.remove()
