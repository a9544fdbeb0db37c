"""conftest.py - what the system tests share: a network of their own, servers, a next hop.

Servers that are unpacked by tools/fetch-servers are looked for in SALLYPORT_SERVERS
(default build/servers), our programs in SALLYPORT_BUILD (default build).  The servers
need root; without it those tests are skipped, and the summary says so, unless
SALLYPORT_TESTS=all makes that a failure.
"""
import os
import pathlib
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tools"))
sys.path.insert(0, str(TOP / "tests/system"))

import private_net  # noqa: E402
import scanners     # noqa: E402
import servers      # noqa: E402
from daemon import Sallyport  # noqa: E402
from nexthop import NextHop  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SALLYPORT_BUILD", TOP / "build")).resolve()
TREES = pathlib.Path(os.environ.get("SALLYPORT_SERVERS", BUILD / "servers")).resolve()


SPAM = "rule spam when spam.score >= 8 then quarantine spam;\notherwise accept;"
CATCH = {"clamd": "rule virus when virus.found then quarantine virus;\notherwise accept;",
         "spamd": SPAM, "rspamd": SPAM}


def pytest_configure(config):
    config.is_private = private_net.enter()
    if "s" not in config.option.reportchars:
        config.option.reportchars += "s"


def pytest_report_header(config):
    return "network: " + ("of its own" if config.is_private else "this machine's; "
                          "no root, so tests with real servers are skipped")


def lacking(message: str):
    """Skips aloud, or fails where everything is to be tested."""
    if os.environ.get("SALLYPORT_TESTS") == "all":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture
def next_hop():
    """Makes NextHops that end with the test."""
    made = []

    def make(**options):
        made.append(NextHop(**options))
        return made[-1]
    yield make
    for hop in made:
        hop.close()


@pytest.fixture
def start_server(request, tmp_path):
    """Starts servers: start_server(servers.Postfix, target="127.0.0.1:2500")."""
    started = []

    def start(kind, **options):
        if not request.config.is_private:
            lacking("real servers need root")
        if not (TREES / kind.tree_name / "stamp").exists():
            lacking(f"no {kind.tree_name} in {TREES}: see tools/fetch-servers")
        home = tmp_path / f"{kind.tree_name}{len(started)}"
        started.append(kind(TREES, home, **options))
        return started[-1].start()
    yield start
    for server in started:
        server.stop()


@pytest.fixture
def postfix(start_server):
    def start(target, **options):
        return start_server(servers.Postfix, target=target, **options)
    return start


@pytest.fixture
def exim(start_server):
    def start(target, **options):
        return start_server(servers.Exim, target=target, **options)
    return start


@pytest.fixture
def opensmtpd(start_server):
    def start(target, **options):
        return start_server(servers.OpenSMTPD, target=target, **options)
    return start


@pytest.fixture
def start_scanner(tmp_path):
    """Starts scanners: start_scanner(scanners.Clamd, options="StreamMaxLength 100K")."""
    started = []

    def start(kind, **options):
        if not (TREES / kind.tree_name / "stamp").exists():
            lacking(f"no {kind.tree_name} in {TREES}: see tools/fetch-servers")
        home = reachable(tmp_path) / f"{kind.name}{len(started)}"
        started.append(kind(TREES, home, **options))
        return started[-1].start()
    yield start
    for scanner in started:
        scanner.stop()


@pytest.fixture
def clamd(start_scanner):
    def start(**options):
        return start_scanner(scanners.Clamd, **options)
    return start


@pytest.fixture
def spamd(start_scanner):
    def start(**options):
        return start_scanner(scanners.Spamd, **options)
    return start


@pytest.fixture
def rspamd(start_scanner):
    def start(**options):
        return start_scanner(scanners.Rspamd, **options)
    return start


@pytest.fixture
def between(tmp_path):
    """Puts Betweens before scanners: between(clamd.unix, cut_down=3)."""
    made = []

    def make(target, **options):
        path = reachable(tmp_path) / f"between{len(made)}"
        is_local = target.startswith("unix:")
        made.append(scanners.Between(target, path if is_local else None, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def door(sallyport, next_hop):
    """door("clamd", places): a daemon that asks this scanner, and its next hop."""
    def make(kind, *places, policy=CATCH, listener="", settings="", waiting=200, **rows):
        hop = next_hop()
        rows = {"timeout": "2s", "connect-timeout": "1s", "queue": waiting, **rows}
        settings += scanners.block(kind, kind, *places, **rows)
        daemon = sallyport(f"127.0.0.1:{hop.port}", listener=listener,
                           policy=policy if policy != CATCH else CATCH[kind],
                           settings="gateways 1;\n" + settings)
        return daemon, hop
    return make


@pytest.fixture
def cut(start_scanner, door, between):
    """cut("clamd", infected): see scanners.Cut."""
    kinds = {kind.name: kind for kind in (scanners.Clamd, scanners.Spamd, scanners.Rspamd)}

    def make(kind, bad, tcp=False, **rows):
        scanner = start_scanner(kinds[kind])
        middle = between(scanner.tcp if tcp else scanner.unix)
        if kind == "clamd":
            rows = {"canary": "0", **rows}      # or not every scan were the same octets
        daemon, hop = door(kind, middle.place, **rows)
        return scanners.Cut(scanner, middle, daemon, hop, bad)
    return make


@pytest.fixture
def fake_clamd(tmp_path):
    made = []

    def make(delay, **options):
        path = reachable(tmp_path) / f"fake{len(made)}"
        made.append(scanners.FakeClamd(delay, path, **options))
        return made[-1]
    yield make
    for one in made:
        one.close()


@pytest.fixture
def sallyport(tmp_path):
    """Starts Sallyports: sallyport("127.0.0.1:2500", policy="...") - see daemon.py."""
    if not (BUILD / "src/master/sallyport").exists():
        lacking(f"{BUILD} holds no Sallyport")
    started = []

    def start(next_hop, **options):
        home = reachable(tmp_path) / f"sallyport{len(started)}"
        started.append(Sallyport(BUILD, home, next_hop, **options))
        return started[-1].start()
    yield start
    states = [daemon.stop() for daemon in started]
    for daemon in started:
        assert not (bad := daemon.faults()), "\n".join(bad)
    assert not any(states), "a daemon ended with " + ", ".join(
        f"status {state}:\n{daemon.log()}" for daemon, state in zip(started, states))


def reachable(folder):
    """Lets the daemon's users into a folder of the test, which pytest closes to them."""
    for path in (folder, *folder.parents):
        is_ours = path.name.startswith(("pytest-", "pt-", "test_"))
        if is_ours and path.stat().st_uid == os.geteuid():
            path.chmod(path.stat().st_mode | 0o011)
    return folder
