"""test_command_scanner.py - a command as a scanner: shell scripts behind Sallyport.

Each is the configured program of one scanner.  What a command can do to the machine, to its
neighbours and to its runner is tested closer by, in tests/unit/sys/test_runner.c; here it
is what becomes of the mail, and the processes as the master starts them.
"""
import os
import pathlib
import signal
import stat
import threading
import time

import pytest

from client import Client, send
from mails import id_of, make
from servers import wait_for
from test_reload import apply

POLICY = ("rule virus when virus.found then quarantine virus;\n"
          "rule poison when virus.unscannable then quarantine unscannable;\n"
          "otherwise accept;")
CLEAN, EVIL = make("Good morning.\n"), make("This is EVIL-one and EVIL-two.\n")
SCAN = "#!/bin/sh\nif grep -o 'EVIL-[a-z]*'; then exit 1; fi\n"


class Command:
    """A script, and the block that names it."""

    def __init__(self, home: pathlib.Path, script: str = SCAN, **rows):
        self.path = home / "scan"
        self.rows = {"timeout": "5s", "infected-pattern": "/EVIL-(\\S+)/",
                     "unscannable-status": "7", **rows}
        self.write(script)

    def write(self, script: str, mode: int = 0o755) -> None:
        fresh = self.path.with_suffix(".new")
        fresh.write_text(script)
        fresh.chmod(mode)
        fresh.rename(self.path)

    @property
    def block(self) -> str:
        rows = "".join(f"\t{name} {value};\n" for name, value in self.rows.items())
        return (f"gateways 1;\nscanner tester {{\n\ttype command;\n\tcommand {self.path};\n"
                f"{rows}}}\n")


@pytest.fixture
def command(tmp_path):
    """command(script, row="value"): rows with - written as _."""
    home = tmp_path / "bin"
    home.mkdir()

    def make_command(script=SCAN, **rows):
        return Command(home, script, **{k.replace("_", "-"): v for k, v in rows.items()})
    return make_command


@pytest.fixture
def door(sallyport, next_hop, command, tmp_path):
    """door(script, ...): the daemon, its next hop, the command."""
    def make_door(script=SCAN, policy=POLICY, **rows):
        for path in (tmp_path, *tmp_path.parents):
            if path.stat().st_uid == os.geteuid() and path.name.startswith(("pytest-", "pt-", "test_")):
                path.chmod(path.stat().st_mode | 0o011)
        one = command(script, **rows)
        hop = next_hop()
        return sallyport(f"127.0.0.1:{hop.port}", policy=policy, settings=one.block), hop, one
    return make_door


def row_of(daemon, answer):
    record = daemon.explain(id_of(answer))
    row, = record["recipients"]
    return row["outcome"], row["rule"]


def story(daemon, answer) -> str:
    """What `explain` tells people."""
    daemon.explain(id_of(answer))       # waits for the record
    return daemon.run("explain", id_of(answer)).stdout


def code(daemon, octets=CLEAN) -> int:
    return send(daemon.port, octets).end[0]


def why_failed(daemon, octets=CLEAN) -> str:
    """The reason why a scan failed, as the reply and the record have it."""
    answer = send(daemon.port, octets)
    assert answer.end[0] == 451, answer
    return story(daemon, answer)


def descendants(pid: int) -> list[int]:
    path = pathlib.Path(f"/proc/{pid}/task/{pid}/children")
    if not path.exists():
        return []
    found = [int(word) for word in path.read_text(encoding="ascii").split()]
    return found + [pid for child in found for pid in descendants(child)]


def is_alive(pid: int) -> bool:
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    except OSError:
        return False
    return state.rpartition(")")[2].split()[0] not in "ZX"


def test_clean_and_infected(door):
    daemon, hop, _ = door()
    assert code(daemon, CLEAN) == 250 and len(hop.wait(1)) == 1
    answer = send(daemon.port, EVIL)
    assert answer.end[0] == 250
    assert row_of(daemon, answer) == ("quarantined", "virus")
    text = story(daemon, answer)
    assert "one" in text and "two" in text and "tester" in text
    assert len(daemon.quarantined("virus")) == 1 and len(hop.mails) == 1
    assert not list((daemon.home / "spool-runner").iterdir())


def test_runs_as_its_own_user(door):
    daemon, hop, _ = door("#!/bin/sh\nid -u; id -G; pwd; grep -i '^NoNewPrivs\\|^CapEff\\|^CapBnd' "
                          "/proc/self/status; exit 1\n", infected_pattern="/(.+)/")
    answer = send(daemon.port, CLEAN)
    text = story(daemon, answer)
    directory = daemon.home / "spool-runner"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    if os.geteuid() == 0:
        uid = directory.stat().st_uid
        assert uid not in (0, (daemon.home / "spool").stat().st_uid,
                           (daemon.home / "state").stat().st_uid)
        assert f"{uid}" in text
        assert "CapEff:_0000000000000000" in text and "CapBnd:_0000000000000000" in text
    assert "NoNewPrivs:_1" in text and str(directory) in text


@pytest.mark.parametrize("script, reason", [
    ("echo 'no database'; exit 2", "exit status 2: no database"),
    ("kill -9 $$", "signal 9"),
    ("sleep 60", "no answer in time"),
    ("trap '' TERM; while :; do sleep 1; done", "no answer in time"),
    ("exec /no/such/program", "exit status 127"),
])
def test_failures_defer(door, script, reason):
    daemon, hop, _ = door(f"#!/bin/sh\n{script}\n", timeout="1s")
    assert reason in why_failed(daemon)
    assert not hop.mails


def test_unscannable(door):
    daemon, hop, _ = door("#!/bin/sh\necho it is encrypted; exit 7\n")
    assert row_of(daemon, send(daemon.port, CLEAN)) == ("quarantined", "poison")


def test_much_output(door):
    """A gigabyte, and the gateway is not held up by it."""
    daemon, hop, one = door("#!/bin/sh\nhead -c 1000000000 /dev/zero | tr '\\0' x; exit 1\n",
                            timeout="30s")
    answer = send(daemon.port, CLEAN)
    assert row_of(daemon, answer) == ("quarantined", "virus")


@pytest.mark.parametrize("place, attempt", [
    ("/etc", "echo x >/etc/sallyport-test"),
    ("the state", "echo x >{home}/state/test"),
    ("the spool", "echo x >{home}/spool/test"),
    ("the control socket", "python3 -c \"import socket; socket.socket(1).connect('{home}/control')\""),
    ("the network", "python3 -c \"import socket; socket.create_connection(('127.0.0.1', {port}))\""),
])
def test_is_locked_in(door, place, attempt):
    daemon, hop, one = door()
    attempt = attempt.format(home=daemon.home, port=daemon.port)
    one.write(f"#!/bin/sh\nif {attempt}; then exit 0; fi\necho refused; exit 1\n")
    if place == "the control socket" and os.geteuid() != 0:
        pytest.skip("all are one user")
    assert row_of(daemon, send(daemon.port, CLEAN)) == ("quarantined", "virus")
    assert not os.path.exists("/etc/sallyport-test")


def test_missing_program(sallyport, next_hop, command, tmp_path):
    """Said by `config check`, at the start and at a reload, with its place."""
    one, hop = command(), next_hop()
    daemon = sallyport(f"127.0.0.1:{hop.port}", policy=POLICY, settings=one.block)
    for spoil, reason in ((lambda: one.path.chmod(0o644), "is not executable"),
                          (one.path.unlink, "No such file or directory"),
                          (one.path.mkdir, "is no file")):
        spoil()
        for words in (["config", "check"], ["reload"], ["daemon"]):
            done = daemon.run(*words)
            assert done.returncode != 0
            assert reason in done.stdout + done.stderr and "tester" in done.stdout + done.stderr
            assert "sallyport.conf:" in done.stdout + done.stderr


def test_program_goes_away(door):
    daemon, hop, one = door()
    one.path.unlink()
    assert "No such file" in why_failed(daemon)
    one.write("#!/no/such/interpreter\n")
    assert "No such file" in why_failed(daemon)
    one.write(SCAN)
    assert code(daemon) == 250


def test_runner_killed(door):
    daemon, hop, one = door("#!/bin/sh\nsetsid sleep 60 & sleep 61\n", timeout="30s")
    answers = []
    sending = threading.Thread(target=lambda: answers.append(send(daemon.port, CLEAN)))
    sending.start()
    runner, = daemon.children("runner")
    family = wait_for("the command", lambda: len(found := descendants(runner)) >= 4 and found)
    began = time.monotonic()
    os.kill(runner, signal.SIGKILL)
    sending.join(10)
    assert answers[0].end[0] == 451 and time.monotonic() - began < 5
    wait_for("nobody to be left", lambda: not any(map(is_alive, family)))
    one.write(SCAN)
    wait_for("a new runner", lambda: [
        pid for pid in daemon.children("runner") if pid != runner] and
        daemon.run("status").returncode == 0)
    assert code(daemon) == 250 and code(daemon, EVIL) == 250
    assert len(hop.mails) == 1 and daemon.quarantined("virus")
    daemon.wait_log("process-ended what=runner/0")
    wait_for("an empty directory", lambda: not list((daemon.home / "spool-runner").iterdir()))


def test_gateway_killed(door):
    """Its runner goes with it, and what ran for it."""
    daemon, hop, one = door("#!/bin/sh\nsleep 60\n", timeout="30s")
    sending = threading.Thread(target=lambda: pytest.raises(Exception, send, daemon.port, CLEAN))
    sending.start()
    runner, = daemon.children("runner")
    family = wait_for("the command", lambda: len(found := descendants(runner)) >= 2 and found)
    daemon.kill("gateway")
    sending.join(10)
    wait_for("nobody to be left", lambda: not any(map(is_alive, [runner, *family])))
    one.write(SCAN)
    wait_for("all to be well", lambda: daemon.run("status").returncode == 0)
    wait_for("a mail to go through", lambda: code(daemon) == 250)


def test_reload_with_another_command(door, tmp_path):
    """A mail ends with the command that it began with; a session goes on with the new."""
    daemon, hop, one = door(f"#!/bin/sh\ntouch $TMPDIR/x; sleep 2; exit 1\n")
    old, = daemon.children("runner")
    answers = []
    sending = threading.Thread(target=lambda: answers.append(send(daemon.port, CLEAN)))
    with Client(daemon.port) as client:
        sending.start()
        wait_for("the command", lambda: descendants(old))
        other = tmp_path / "bin/other"
        other.write_text("#!/bin/sh\nexit 0\n")
        other.chmod(0o755)
        daemon.settings = daemon.settings.replace(str(one.path), str(other))
        assert daemon.reload().returncode == 0
        answer = client.message(CLEAN, client.mail_from("a@x.org", ["b@x.org"]))
        assert answer.end[0] == 250 and len(hop.wait(1)) == 1
        sending.join(10)
    assert row_of(daemon, answers[0]) == ("quarantined", "virus")
    wait_for("the old runner to leave", lambda: not is_alive(old))
    assert len(daemon.children("runner")) == 1
    daemon.settings = "gateways 1;\n"
    daemon.policy = "otherwise accept;"
    apply(daemon, 2)
    assert not daemon.children("runner")
    assert code(daemon) == 250
    daemon.settings, daemon.policy = one.block, POLICY
    apply(daemon, 3)
    one.write(SCAN)
    assert row_of(daemon, send(daemon.port, EVIL)) == ("quarantined", "virus")


def test_no_runner_without_commands(sallyport, next_hop):
    daemon = sallyport(f"127.0.0.1:{next_hop().port}")
    assert daemon.children("gateway") and not daemon.children("runner")
    assert not (daemon.home / "spool-runner").exists()


def test_runner_for_each_gateway(sallyport, next_hop, command):
    one, hop = command(), next_hop()
    daemon = sallyport(f"127.0.0.1:{hop.port}", policy=POLICY,
                       settings=one.block.replace("gateways 1;", "gateways 3;"))
    assert len(daemon.children("runner")) == len(daemon.children("gateway")) == 3
    assert [code(daemon, EVIL) for _ in range(12)] == [250] * 12
    assert len(daemon.quarantined("virus")) == 12 and not hop.mails


def test_many_at_once(door):
    """50 mails, 4 slots: the rest waits in the gateway, and all are looked at."""
    daemon, hop, _ = door("#!/bin/sh\nsleep 0.2; grep -q EVIL- && exit 1; exit 0\n",
                          slots="4", timeout="50s", infected_pattern="/x(y)z/")
    codes = []
    threads = [threading.Thread(target=lambda octets=octets: codes.append(code(daemon, octets)))
               for octets in [CLEAN, EVIL] * 25]
    for thread in threads:
        thread.start()
    most, runner = 0, daemon.children("runner")[0]
    while any(thread.is_alive() for thread in threads):
        guards = pathlib.Path(f"/proc/{runner}/task/{runner}/children").read_text().split()
        most = max(most, len(guards))
        time.sleep(0.02)
    assert codes == [250] * 50
    assert len(hop.mails) == 25 and len(daemon.quarantined("virus")) == 25
    assert 4 <= most <= 8           # with those that clean up
