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
import servers      # noqa: E402
from daemon import Sallyport  # noqa: E402
from nexthop import NextHop  # noqa: E402

BUILD = pathlib.Path(os.environ.get("SALLYPORT_BUILD", TOP / "build")).resolve()
TREES = pathlib.Path(os.environ.get("SALLYPORT_SERVERS", BUILD / "servers")).resolve()


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
        is_ours = path.name.startswith(("pytest-", "test_"))
        if is_ours and path.stat().st_uid == os.geteuid():
            path.chmod(path.stat().st_mode | 0o011)
    return folder
