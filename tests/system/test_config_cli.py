"""test_config_cli.py - the command line: configuration, status, track, explain."""
import json
import re
import subprocess
import time

import pytest

from client import send
from daemon import Sallyport
from mails import id_of, make
from private_net import free_port
from servers import wait_for

GOOD = """
hostname mx1.example.com;
local-domains example.com .example.net;
listener inbound {{ address 127.0.0.1:{port}; policy inbound; next-hop 127.0.0.1:10025; }}
policy inbound {{ rule big when message.size > 100M then quarantine big; otherwise accept; }}
"""


@pytest.fixture
def cli(request, tmp_path):
    """cli("config", "check", text=...): the program with that configuration."""
    import conftest
    program = conftest.BUILD / "src/master/sallyport"
    if not program.exists():
        conftest.lacking(f"no {program}")

    def run(*words, text=None, status=0):
        path = tmp_path / "sallyport.conf"
        if text is not None:
            path.write_text(text)
        done = subprocess.run([program, "-c", path, *words], capture_output=True, text=True,
                              timeout=30, check=False)
        assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
        return done
    return run


def test_check_good(cli):
    assert "good" in cli("config", "check", text=GOOD.format(port=10024)).stdout


@pytest.mark.parametrize("was,now,line,column,said", [
    ("hostname mx1", "hostnam mx1", 2, 1, "did you mean `hostname'"),
    ("127.0.0.1:10025", "mail.example.com:10025", 4, None, "expected"),
    ("policy inbound; ", "", 4, None, "expected `policy'"),
    ("policy inbound;", "policy outbound;", 4, None, "unknown policy `outbound'"),
    ("message.size", "message.siez", 5, 32, "did you mean"),
    ("100M", "yes", 5, 47, "expected"),
    ("quarantine big", "quarantine b/g", 5, None, ""),
    ("hostname mx1.example.com;", "hostname mx1.example.com", 3, None, "expected ;"),
    ("otherwise accept;", "", 5, None, "otherwise"),
    ("next-hop 127.0.0.1:10025;", "", 4, None, "expected `next-hop'"),
    ("address 127.0.0.1:10024;", "address 127.0.0.1:0;", 4, None, "port"),
    ("hostname mx1.example.com;", "hostname a; hostname b;", 2, 13, "twice"),
])
def test_check_bad(cli, tmp_path, was, now, line, column, said):
    text = GOOD.format(port=10024)
    assert was in text
    error = cli("config", "check", text=text.replace(was, now), status=1).stderr
    match = re.match(rf"{re.escape(str(tmp_path))}/sallyport\.conf:(\d+):(\d+): (.*)", error)
    assert match and int(match[1]) == line and said in error, error
    assert column is None or int(match[2]) == column, error


def test_include(cli, tmp_path):
    (tmp_path / "more.conf").write_text("hostname mx2.example.com;\n")
    shown = cli("config", "show", text='include "more.conf";' +
                GOOD.format(port=10024).replace("hostname mx1.example.com;", "")).stdout
    assert "mx2.example.com" in shown
    (tmp_path / "more.conf").write_text('include "sallyport.conf";\n')
    assert "includes itself" in cli("config", "check", status=1).stderr
    (tmp_path / "more.conf").write_text("\nhostnme x;\n")
    assert f"{tmp_path}/more.conf:2:1: " in cli("config", "check", status=1).stderr
    (tmp_path / "more.conf").unlink()
    assert "cannot read" in cli("config", "check", status=1).stderr


def test_show_reads_back(cli, tmp_path):
    shown = cli("config", "show", text=GOOD.format(port=10024)).stdout
    for name in ("hostname", "size-limit", "idle-timeout", "memory-budget", "rule big"):
        assert name in shown
    again = cli("config", "show", text=shown).stdout
    assert re.sub(r"\s*# default", "", again) == re.sub(r"\s*# default", "", shown)


def test_package_configuration(cli):
    import conftest
    text = (conftest.TOP / "etc/sallyport.conf").read_text()
    cli("config", "check", text=text)


def test_scanner_that_nobody_asks(cli):
    """Its block has lost its marks, its rules have not."""
    scanner = "scanner clam { type clamd; at unix:/x; }\n"
    text = GOOD.format(port=10024)
    assert "no rule asks scanner `clam'" in cli("config", "check", text=scanner + text).stdout
    text = text.replace("otherwise", "monitor rule v when virus.found then discard; otherwise")
    assert "no rule" not in cli("config", "check", text=scanner + text).stdout


def test_wrong_usage(cli):
    for words in (["config"], ["config", "chekc"], ["what"], ["status", "--xml"], ["explain"]):
        assert cli(*words, text=GOOD.format(port=10024), status=64).stderr
    assert "0." in cli("version").stdout
    assert "config check" in cli("help").stdout


def test_daemon_refuses_bad_configuration(cli):
    error = cli("daemon", text=GOOD.format(port=10024).replace("accept", "acept"), status=78)
    assert ":5:" in error.stderr


def test_nobody_answers(cli, tmp_path):
    text = f"control-socket {tmp_path}/control;\n" + GOOD.format(port=10024)
    for words in (["status"], ["status", "--json"], ["track"], ["explain", "x"], ["reload"]):
        assert cli(*words, text=text, status=2).stderr


# a running daemon

POLICY = """
rule kept when recipient = kept@example.org then quarantine kept;
rule trash when recipient = trash@example.org then discard;
rule later when recipient = later@example.org then defer;
otherwise accept;"""


@pytest.fixture
def running(sallyport, next_hop) -> tuple[Sallyport, list[str]]:
    """A daemon that has had four mails, and their ids."""
    hop = next_hop()
    hop.when("end", "250 2.0.0 Ok: queued as 4XYZ")
    daemon = sallyport(f"127.0.0.1:{hop.port}", policy=POLICY)
    ids = []
    for i, names in enumerate((["rcpt"], ["kept"], ["later"], ["rcpt", "trash"])):
        ids.append(id_of(send(daemon.port, make(message_id=f"<m{i}@x>"), f"s{i}@example.com",
                              [f"{name}@example.org" for name in names])))
        time.sleep(0.003)               # they are sorted by time
    for mail_id in ids:
        daemon.explain(mail_id)
    return daemon, ids


@pytest.mark.parametrize("options,want", [
    ([], [3, 2, 1, 0]), (["--limit", "2"], [3, 2]),
    (["--sender", "s1@example.com"], [1]), (["s1@example.com"], [1]),
    (["--recipient", "rcpt@example.org"], [3, 0]), (["rcpt@example.org"], [3, 0]),
    (["--queue-id", "4XYZ"], [3, 0]), (["--message-id", "m2@x"], [2]),
    (["--message-id", "<m2@x>"], [2]),
    (["--outcome", "quarantined"], [1]), (["--outcome", "deferred"], [2]),
    (["--outcome", "delivered", "--sender", "s3@example.com"], [3]),
    (["--since", "1h"], [3, 2, 1, 0]), (["--since", "2099-01-01T00:00"], []),
    (["nobody@example.org"], []),
])
def test_track(running, options, want):
    daemon, ids = running
    lines = daemon.track(*options)
    assert [next((i for i, mail_id in enumerate(ids) if mail_id in line), None)
            for line in lines if "-> " in line] == want, lines
    rows = json.loads(daemon.run("track", "--json", *options).stdout)
    assert [ids.index(row["id"]) for row in rows] == want


def test_track_knows_its_options(running):
    daemon, _ = running
    for options in (["--outcome", "lost"], ["--since", "yesterday"], ["--limit", "x"], ["--what"],
                    ["a", "b"]):
        done = daemon.run("track", *options)
        assert done.returncode != 0 and done.stderr + done.stdout


def test_explain(running):
    daemon, ids = running
    text = daemon.run("explain", ids[1]).stdout
    for part in (ids[1], "rule kept: yes", "quarantined in class kept", "sender = 's1@example.com'",
                 "<s1@example.com>"):
        assert part in text, part
    record = daemon.explain(ids[3])
    assert [row["outcome"] for row in record["recipients"]] == ["delivered", "discarded"]
    assert record["recipients"][0]["queue_id"] == "4XYZ" and record["message_id"] == "<m3@x>" \
        or record["message_id"] == "m3@x"
    assert {"collect", "examine", "scan", "decide", "deliver"} == set(record["times_us"])
    done = daemon.run("explain", "0" * 16)
    assert done.returncode == 1 and done.stdout + done.stderr


def test_status_counts(running):
    daemon, _ = running
    counters = daemon.status()["counters"]
    for name, want in (("messages", 4), ("delivered", 2), ("quarantined", 1),
                       ("discarded", 1), ("deferred", 1), ("records", 4), ("stored", 1),
                       ("sessions", 4), ("sessions-open", 0), ("transactions-open", 0)):
        assert counters[name] == want, (name, counters)
    rules = {row["rule"]: row["hits"] for row in daemon.status()["rules"]}
    assert rules == {"kept": 1, "trash": 1, "later": 1, "otherwise": 2}
    text = daemon.run("status").stdout
    assert "all well" in text and "main/kept" in text
    assert "2  recipients that the next hop accepted" in text


def test_status_for_prometheus(running):
    daemon, _ = running
    text = daemon.run("status", "--prometheus").stdout
    for line in text.splitlines():
        assert re.fullmatch(r"# (HELP|TYPE) sallyport_\w+ .+|"
                            r'sallyport_\w+(\{\w+="[^"]*"(,\w+="[^"]*")*\})? \d+', line), line
    assert "\nsallyport_delivered_total 2\n" in text and "\nsallyport_healthy 1\n" in text
    names = re.findall(r"# TYPE (\S+)", text)
    assert len(names) == len(set(names))


def test_status_is_for_monitoring(running):
    """A process that is not there for a while makes it 1."""
    daemon, _ = running
    assert daemon.run("status").returncode == 0
    gone = daemon.kill("inspector")
    wait_for("another inspector", lambda: gone not in daemon.children("inspector") and
             daemon.run("status").returncode == 0)
    restarts = sum(p["restarts"] for p in daemon.status()["processes"])
    assert restarts >= 1
    daemon.wait_log("process-ended")


def test_control_socket_is_guarded(running):
    daemon, _ = running
    socket = daemon.home / "control"
    assert socket.stat().st_mode & 0o007 == 0 and socket.is_socket()
    state = daemon.home / "state"
    assert state.stat().st_mode & 0o007 == 0
    assert (daemon.home / "spool").stat().st_mode & 0o077 == 0


def test_two_daemons_on_one_address(sallyport, next_hop, cli, tmp_path):
    hop = next_hop()
    daemon = sallyport(f"127.0.0.1:{hop.port}")
    text = daemon.configuration.read_text()
    done = cli("daemon", text=text, status=70)
    assert done.stderr
    assert send(daemon.port, make()).end[0] == 250
    other = text.replace(str(daemon.home), f"{tmp_path}/other")
    done = cli("daemon", text=other, status=70)
    assert str(daemon.port) in done.stderr
    assert free_port() and send(daemon.port, make()).end[0] == 250
