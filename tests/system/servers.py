"""servers.py - Postfix, Exim and OpenSMTPD, unpacked and never installed, for tests.

Each server is one route for mail:

    client -> entry -> [filter -> reentry] -> target

    Postfix(tree, home, target="127.0.0.1:2500").start()            no filter: a next hop
    Postfix(tree, home, target=..., filter="127.0.0.1:10024")       after its queue, SMTP
    Postfix(tree, home, target=..., filter=..., filter_by="lmtp")   after its queue, LMTP
    Postfix(tree, home, target=..., filter=..., filter_by="proxy")  before its queue

Places are "127.0.0.1:PORT" or "unix:/var/...", where /var is the folder HOME/var outside.
The server runs as root in a mount and a process namespace of its own (jail.sh): all its
processes end with it, and it cannot write outside HOME.
"""
from __future__ import annotations

import grp
import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

from private_net import free_port, is_listening

JAIL = pathlib.Path(__file__).with_name("jail.sh")
ACCOUNTS = ("postfix", "postdrop", "Debian-exim", "opensmtpd", "opensmtpq")
FIRST_ID = 20101                        # of those of ACCOUNTS that this machine lacks


def wait_for(what: str, condition, timeout: float = 20, every: float = 0.05):
    """The condition's first true value; AssertionError if it never comes."""
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s in vain: {what}")
        time.sleep(every)
    return value


def account_lines(present: set[str], line: str) -> str:
    """Lines of passwd or group for the accounts that are missing."""
    return "".join(line.format(name=name, id=FIRST_ID + i)
                   for i, name in enumerate(ACCOUNTS) if name not in present)


def account_id(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return FIRST_ID + ACCOUNTS.index(name)


def group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return FIRST_ID + ACCOUNTS.index(name)


def end_process(process: subprocess.Popen, patience: float = 10) -> int:
    """Asks a process that we started to end, then makes it."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return process.returncode


class Server:
    """What the three servers have in common."""
    tree_name = ""                      # the package's name
    var: dict[str, str] = {}            # folders below /var that it owns: path, account

    def __init__(self, trees: pathlib.Path, home: pathlib.Path, target: str,
                 filter: str | None = None, filter_by: str = "smtp",
                 target_by: str = "smtp", entry: int = 0, reentry: int = 0,
                 name: str = "mail.example.com"):
        self.root = trees / self.tree_name / "root"
        self.home = home
        self.target, self.target_by = target, target_by
        self.filter, self.filter_by = filter, filter_by
        self.entry, self.reentry = entry or free_port(), reentry or free_port()
        self.name = name
        self.process: subprocess.Popen | None = None

    # to be given by each server

    def configure(self) -> None:
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    def queue_ids(self) -> list[str]:
        raise NotImplementedError

    def flush(self) -> None:
        """Tries to deliver all that is queued, now."""
        raise NotImplementedError

    def log(self) -> str:
        raise NotImplementedError

    # the common part

    def start(self):
        self._make_home()
        self.configure()
        with open(self.home / "output", "ab") as output:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation",
                 "private", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
                 str(JAIL), str(self.root), str(self.home), *self.command()],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        ports = [self.entry] + ([self.reentry] if self.filter else [])
        wait_for(f"{self.tree_name} to listen on {ports}", lambda: self._is_up(ports))
        return self

    def stop(self) -> None:
        """Ends the namespace's first process, and thereby all others in it."""
        if self.process and self.process.poll() is None:
            for pid in self._children():
                os.kill(pid, signal.SIGTERM)
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()     # --kill-child does the rest
                self.process.wait()

    def run(self, *command: str, input: bytes | None = None) -> str:
        """Runs a command inside: what it says."""
        pid, = self._children()
        done = subprocess.run(
            ["nsenter", "--target", str(pid), "--mount", "--pid", "--", *command],
            input=input, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60,
            check=False)
        assert done.returncode == 0, f"{command}: {done.stdout} {done.stderr}"
        return done.stdout.decode()

    def wait_log(self, text: str, timeout: float = 20) -> str:
        """The log's first line with this text."""
        def line():
            return next((x for x in self.log().splitlines() if text in x), None)
        try:
            return wait_for(f"the log to say {text!r}", line, timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None

    def wait_empty(self, timeout: float = 20) -> None:
        """Until nothing is queued."""
        try:
            wait_for("the queue to be empty", lambda: not self.queue_ids(), timeout)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None

    def _is_up(self, ports: list[int]) -> bool:
        assert self.process and self.process.poll() is None, \
            f"{self.tree_name} has ended: {self.output()}\n{self.log()}"
        return all(is_listening(port) for port in ports)

    def output(self) -> str:
        return (self.home / "output").read_text(errors="replace")

    def _children(self) -> list[int]:
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
            return [int(word) for word in children.read().split()]

    def _make_home(self) -> None:
        """HOME/etc and HOME/var, with accounts and no name service but the files."""
        etc, var = self.home / "etc", self.home / "var"
        etc.mkdir(parents=True, exist_ok=True)
        users = {user.pw_name for user in pwd.getpwall()}
        groups = {group.gr_name for group in grp.getgrall()}
        lines = account_lines(users, "{name}:x:{id}:{id}::/nonexistent:/bin/false\n")
        (etc / "passwd").write_text(pathlib.Path("/etc/passwd").read_text() + lines)
        lines = account_lines(groups, "{name}:x:{id}:\n")
        (etc / "group").write_text(pathlib.Path("/etc/group").read_text() + lines)
        (etc / "resolv.conf").write_text("nameserver 127.0.0.1\n")
        (etc / "hosts").write_text(f"127.0.0.1 localhost {self.name}\n")
        (etc / "mailname").write_text(self.name + "\n")
        if not var.exists():
            shutil.copytree(self.root / "var", var, symlinks=True)
        for name in ("log", "spool", "mail", "lib", "tmp", *self.var):
            (var / name).mkdir(parents=True, exist_ok=True)
        for name, owner in self.var.items():
            os.chown(var / name, account_id(owner), group_id(owner))
        (var / "tmp").chmod(0o1777)
        if not (var / "run").is_symlink():
            (var / "run").symlink_to("/run")


def postfix_place(place: str, by: str) -> str:
    """127.0.0.1:25 as Postfix's smtp and lmtp clients want it."""
    if place.startswith("unix:"):
        return place
    host, port = place.rsplit(":", 1)
    return f"inet:{place}" if by == "lmtp" else f"[{host}]:{port}"


class Postfix(Server):
    tree_name = "postfix"
    var = {"lib/postfix": "postfix"}

    def __init__(self, *args, settings: dict[str, str] | None = None,
                 filter_settings: dict[str, str] | None = None, slots: int = 20,
                 **kwargs):
        """settings go to main.cf, filter_settings to the client that speaks to the
        filter (or, by "proxy", to the entry), which takes so many mails at once."""
        super().__init__(*args, **kwargs)
        self.settings = settings or {}
        self.filter_settings = filter_settings or {}
        self.slots = slots

    def main_cf(self) -> dict[str, str]:
        by = self.target_by
        return {
            "compatibility_level": "3.6",
            "myhostname": self.name,
            "maillog_file": "/var/log/mail.log",
            "mydestination": "",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "mynetworks": "127.0.0.0/8",
            "smtpd_authorized_xforward_hosts": "127.0.0.0/8",
            "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
            # all the world may relay: tests play strangers, too
            "smtpd_relay_restrictions": "check_client_access static:OK, reject",
            "smtpd_peername_lookup": "no",
            "smtp_dns_support_level": "disabled",
            "smtp_host_lookup": "native",
            "smtp_tls_security_level": "none",
            "smtpd_tls_security_level": "none",
            "default_transport": f"{by}:{postfix_place(self.target, by)}",
            "local_recipient_maps": "",
            "alias_maps": "",
            "alias_database": "",
            "message_size_limit": "80000000",
            "in_flow_delay": "0",
            "queue_run_delay": "1s",
            "minimal_backoff_time": "1s",
            "maximal_backoff_time": "2s",
            # a destination that fails must not be given up for a minute
            "smtp_destination_concurrency_failed_cohort_limit": "1000",
            "lmtp_destination_concurrency_failed_cohort_limit": "1000",
            "scan_destination_concurrency_failed_cohort_limit": "1000",
            "scan_destination_recipient_limit": "50",
            **self.settings}

    def master_cf(self) -> list[str]:
        lines = ["127.0.0.1:%d inet n - n - - smtpd" % self.entry]
        if self.filter_by == "proxy" and self.filter:
            lines += [f" -o smtpd_proxy_filter={self.filter}"]
            lines += [f" -o {key}={value}" for key, value in self.filter_settings.items()]
        elif self.filter:
            place = postfix_place(self.filter, self.filter_by)
            lines += [f" -o content_filter=scan:{place}"]
        if self.filter:
            lines += ["127.0.0.1:%d inet n - n - - smtpd" % self.reentry,
                      " -o content_filter=",
                      " -o receive_override_options=no_header_body_checks,"
                      "no_unknown_recipient_checks,no_milters",
                      " -o smtpd_relay_restrictions=permit_mynetworks,reject"]
        if self.filter and self.filter_by != "proxy":
            by = self.filter_by
            options = {f"{by}_send_xforward_command": "yes",
                       f"{by}_data_done_timeout": "1200",
                       "disable_mime_output_conversion": "yes", **self.filter_settings}
            lines += [f"scan unix - - n - {self.slots} {by}"]
            lines += [f" -o {key}={value}" for key, value in options.items()]
        return lines + [
            "pickup unix n - n 60 1 pickup", "cleanup unix n - n - 0 cleanup",
            "qmgr unix n - n 300 1 qmgr", "tlsmgr unix - - n 1000? 1 tlsmgr",
            "rewrite unix - - n - - trivial-rewrite", "bounce unix - - n - 0 bounce",
            "defer unix - - n - 0 bounce", "trace unix - - n - 0 bounce",
            "verify unix - - n - 1 verify", "flush unix n - n 1000? 0 flush",
            "proxymap unix - - n - - proxymap", "smtp unix - - n - - smtp",
            "lmtp unix - - n - - lmtp", "error unix - - n - - error",
            "retry unix - - n - - error", "discard unix - - n - - discard",
            "showq unix n - n - - showq", "anvil unix - - n - 1 anvil",
            "scache unix - - n - 1 scache",
            "postlog unix-dgram n - n - 1 postlogd"]

    def configure(self) -> None:
        folder = self.home / "etc/postfix"
        if not folder.exists():
            shutil.copytree(self.root / "etc/postfix", folder, symlinks=True)
        (folder / "main.cf").write_text("".join(
            f"{key} = {value}\n" for key, value in self.main_cf().items()))
        (folder / "master.cf").write_text("\n".join(self.master_cf()) + "\n")

    def command(self) -> list[str]:
        return ["postfix", "start-fg"]

    def reload(self) -> None:
        """After a change of settings."""
        self.configure()
        self.run("postfix", "reload")

    def queue(self) -> list[dict]:
        """postqueue -j: queue_name, queue_id, sender, recipients with delay_reason."""
        return [json.loads(line) for line in self.run("postqueue", "-j").splitlines()]

    def queue_ids(self) -> list[str]:
        return [mail["queue_id"] for mail in self.queue()]

    def flush(self) -> None:
        self.run("postqueue", "-f")

    def log(self) -> str:
        path = self.home / "var/log/mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def smtp_source(self, *options: str) -> str:
        """Postfix's load generator, to the entry: smtp_source("-m", "100", "-s", "5")."""
        return self.run("smtp-source", *options, f"inet:127.0.0.1:{self.entry}")


class Exim(Server):
    tree_name = "exim4-daemon-light"
    var = {"spool/exim4": "Debian-exim", "log/exim4": "Debian-exim"}

    def _transport(self, name: str, place: str, by: str) -> str:
        host, port = place.rsplit(":", 1)
        return (f"{name}:\n  driver = smtp\n  hosts = {host}\n  port = {port}\n"
                f"  protocol = {by}\n  hosts_override\n  allow_localhost\n"
                f"  hosts_avoid_tls = *\n")

    def configure(self) -> None:
        routers, transports = "", self._transport("final", self.target, self.target_by)
        ports = [self.entry]
        if self.filter:
            ports.append(self.reentry)
            transports += self._transport("scan", self.filter, self.filter_by)
            routers = (f"scan:\n  driver = accept\n  transport = scan\n  condition = "
                       f"${{if !eq{{$received_port}}{{{self.reentry}}}}}\n")
        routers += "final:\n  driver = accept\n  transport = final\n"
        listen = " ; ".join(f"127.0.0.1.{port}" for port in ports)
        (self.home / "etc/exim4").mkdir(exist_ok=True)
        (self.home / "etc/exim4/exim4.conf").write_text(
            f"primary_hostname = {self.name}\nlocal_interfaces = <; {listen}\n"
            "log_file_path = /var/log/exim4/%slog\n"
            "host_lookup =\nrfc1413_query_timeout = 0s\n"
            "acl_smtp_rcpt = accept\nacl_smtp_data = accept\nkeep_environment =\n"
            "tls_advertise_hosts =\nchunking_advertise_hosts = *\n"
            "remote_max_parallel = 4\nmessage_size_limit = 80M\n"
            f"begin routers\n{routers}begin transports\n{transports}"
            "begin retry\n* * F,1h,1s\n")

    def command(self) -> list[str]:
        return ["exim4", "-bdf", "-q1s"]

    def queue_ids(self) -> list[str]:
        spool = self.home / "var/spool/exim4/input"
        return [path.name[:-2] for path in spool.glob("**/*-H")]

    def flush(self) -> None:
        self.run("exim4", "-qff")

    def log(self) -> str:
        folder = self.home / "var/log/exim4"
        return "".join(path.read_text(errors="replace") for path in
                       sorted(folder.glob("*log")))


class OpenSMTPD(Server):
    tree_name = "opensmtpd"

    def configure(self) -> None:
        lines = [f"listen on 127.0.0.1 port {self.entry} tag IN",
                 "smtp max-message-size 80M",
                 f'action final relay host "{self.target_by}://{self.target}"']
        if self.filter:
            lines += [f"listen on 127.0.0.1 port {self.reentry} tag BACK",
                      f'action scan relay host "{self.filter_by}://{self.filter}"',
                      "match tag IN from any for any action scan"]
        lines += ["match from any for any action final"]
        (self.home / "etc/smtpd.conf").write_text("\n".join(lines) + "\n")

    def command(self) -> list[str]:
        return ["smtpd", "-d"]          # stays in front, logs to standard error

    def queue_ids(self) -> list[str]:
        lines = self._smtpctl("show", "queue").splitlines()
        return [line.split("|")[0] for line in lines]

    def flush(self) -> None:
        self._smtpctl("schedule", "all")

    def _smtpctl(self, *words: str) -> str:
        """It is to be of its own group, which unpacking cannot arrange."""
        return self.run("setpriv", "--regid", str(group_id("opensmtpq")),
                        "--clear-groups", "smtpctl", *words)

    def log(self) -> str:
        return self.output()
