"""test_reload.py - a new configuration, and the end, while mail is on its way."""
import os
import signal
import socket
import threading
import time

import pytest

from client import Answer, Client, dotted, send
from mails import make, to, untraced
from nexthop import Delay
from private_net import free_port, is_listening
from servers import wait_for

MARK = 'rule mark when message.size > 0 then header add X-Mark "{}"; otherwise accept;'


def place(hop) -> str:
    return f"127.0.0.1:{hop.port}"


def deliver(client, octets=None):
    """One more mail in an open session."""
    return client.message(octets or make(), client.mail_from("a@x.org", ["b@x.org"]))


def apply(daemon, count: int = 1) -> None:
    """Reloads, and waits for the count-th reload to be in force everywhere."""
    done = daemon.reload()
    assert done.returncode == 0, done.stderr
    wait_for("the new generation", lambda: (
        status := daemon.status())["generation"] == 1 + count and status["healthy"] and all(
            p["state"] == "running" for p in status["processes"]))


def test_rule_acts_in_open_session(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), policy=MARK.format("old"))
    with Client(daemon.port) as client, Client(daemon.port) as fresh:
        assert deliver(client).end[0] == 250
        daemon.policy = MARK.format("new")
        apply(daemon)
        assert deliver(client).end[0] == 250 and deliver(fresh).end[0] == 250
    assert [b"X-Mark: new" in mail.data for mail in hop.mails] == [False, True, True]
    revisions = {daemon.status()["revision"]}
    daemon.wait_log("reload ")
    assert len(revisions) == 1


def test_transaction_ends_as_it_began(sallyport, next_hop):
    """Begun before the reload: by the old rules, even if most of it comes later."""
    hop = next_hop()
    daemon = sallyport(place(hop), policy=MARK.format("old"))
    with Client(daemon.port) as client:
        answer = client.mail_from("a@x.org", ["b@x.org"])
        assert client.say("DATA")[0] == 354
        octets = dotted(make())
        client.sock.sendall(octets[:50])
        daemon.policy = MARK.format("new")
        apply(daemon)
        client.sock.sendall(octets[50:])
        client.ends(answer)
        assert answer.end[0] == 250
        assert deliver(client).end[0] == 250
    assert [b"X-Mark: new" in mail.data for mail in hop.mails] == [False, True]


def test_hangup_signal(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop), policy=MARK.format("old"))
    daemon.policy = MARK.format("new")
    daemon.configure()
    daemon.process.send_signal(signal.SIGHUP)
    wait_for("the new generation", lambda: daemon.status()["generation"] == 2)
    wait_for("the new rule", lambda: send(daemon.port, make()).end[0] == 250 and
             b"X-Mark: new" in hop.mails[-1].data)


@pytest.mark.parametrize("policy,complaint", [
    ("rule x when sende = 1 then accept; otherwise accept;", "unknown fact"),
    ('rule x when message.size > 1 then rejct "5.7.1 x"; otherwise accept;', "unknown action"),
    ("rule x when message.size > 1 then discard;", "otherwise"),
    ('rule x when message.size > 1 then reject "5.7.1 x"; otherwise accept;', "behind a queue"),
    ("otherwise accept", ""),
])
def test_broken_configuration_changes_nothing(sallyport, next_hop, policy, complaint):
    hop = next_hop()
    daemon = sallyport(place(hop), policy=MARK.format("old"))
    before = daemon.status()
    children = sorted(daemon.children())
    with Client(daemon.port) as client:
        assert deliver(client).end[0] == 250
        daemon.policy = "\n\n   " + policy
        done = daemon.reload()
        said = done.stdout + done.stderr
        assert done.returncode != 0 and complaint in said
        assert f"{daemon.configuration}:" in said
        line, column = said.split(f"{daemon.configuration}:")[1].split(":")[:2]
        assert int(line) >= 15 and int(column) >= 1
        daemon.process.send_signal(signal.SIGHUP)
        assert str(daemon.configuration) in daemon.wait_log("config-error")
        assert deliver(client).end[0] == 250
    assert send(daemon.port, make()).end[0] == 250
    assert all(b"X-Mark: old" in mail.data for mail in hop.mails) and len(hop.mails) == 3
    after = daemon.status()
    assert after["generation"] == before["generation"]
    assert after["revision"] == before["revision"] and sorted(daemon.children()) == children


def listener(name: str, port: int, hop) -> str:
    return (f"listener {name} {{ address 127.0.0.1:{port}; policy main; "
            f"next-hop {place(hop)}; }}\n")


def test_listeners_come_and_go(sallyport, next_hop):
    """A listener that is taken away keeps its open sessions; one that stays loses none."""
    hop = next_hop()
    one, two = free_port(), free_port()
    daemon = sallyport(place(hop), settings=listener("one", one, hop))
    inode = listening_inode(daemon.port)
    with Client(one) as old, Client(daemon.port) as stays:
        daemon.settings = listener("two", two, hop)
        apply(daemon)
        wait_for("the old listener to be closed", lambda: not is_listening(one))
        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", one), timeout=1)
        assert deliver(old).end[0] == 250 and deliver(stays).end[0] == 250
        assert send(two, make()).end[0] == 250
    assert len(hop.mails) == 3 and listening_inode(daemon.port) == inode
    names = [row["listener"] for row in daemon.status()["listeners"]]
    assert sorted(names) == ["main", "two"]


def listening_inode(port: int) -> set[str]:
    with open("/proc/self/net/tcp", encoding="ascii") as lines:
        rows = [line.split() for line in list(lines)[1:]]
    return {row[9] for row in rows if row[3] == "0A" and row[1].endswith(f":{port:04X}")}


def test_next_hop_and_limits_change(sallyport, next_hop):
    old, new = next_hop(), next_hop()
    daemon = sallyport(place(old))
    with Client(daemon.port) as client:
        assert deliver(client).end[0] == 250
        daemon.next_hop, daemon.listener = place(new), "size-limit 5K;"
        apply(daemon)
        assert deliver(client, make("x" * 900 + "\n")).end[0] == 250
        assert deliver(client, make("x" * 9000 + "\n")).end[0] == 552
    assert (len(old.mails), len(new.mails)) == (1, 1)


def test_address_that_is_taken(sallyport, next_hop):
    """A socket that cannot be had: the old configuration stays."""
    hop = next_hop()
    daemon = sallyport(place(hop))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        daemon.settings = listener("two", taken.getsockname()[1], hop)
        done = daemon.reload()
    assert done.returncode != 0 and "127.0.0.1" in done.stdout + done.stderr
    assert send(daemon.port, make()).end[0] == 250
    assert [row["listener"] for row in daemon.status()["listeners"]] == ["main"]


def test_reloads_under_load(sallyport, next_hop):
    """Sessions that send all the while see no error and no connection is dropped."""
    hop = next_hop()
    daemon = sallyport(place(hop), policy=MARK.format("0"))
    stop, codes = threading.Event(), []

    def sender(number):
        with Client(daemon.port) as client:
            while not stop.is_set():
                octets = make(f"{number}\n")
                codes.append((deliver(client, octets).end[0], octets))
                codes.append((send(daemon.port, octets).end[0], octets))
    threads = [threading.Thread(target=sender, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for i in range(1, 8):
        daemon.policy = MARK.format(i)
        apply(daemon, i)
        time.sleep(0.1)
    stop.set()
    for thread in threads:
        thread.join(20)
    assert len(codes) > 50 and {code for code, _ in codes} == {250}
    assert len(hop.wait(len(codes))) == len(codes)
    sent = sorted(octets for _, octets in codes)
    got = sorted(untraced(mail.data).partition(b"\r\n")[2] for mail in hop.mails)
    assert got == sent
    assert daemon.status()["healthy"]
    wait_for("old inspectors to be gone", lambda: len(daemon.children("inspector")) ==
             sum(p["process"].startswith("inspector") for p in daemon.status()["processes"]))


# the end

def test_drain(sallyport, next_hop):
    """SIGTERM: what is under way is finished, who is idle hears 421, nobody new comes."""
    hop = next_hop()
    hop.when("MAIL", Delay(1.5))
    daemon = sallyport(place(hop))
    idle, busy, half = (Client(daemon.port) for _ in range(3))
    half.mail_from("a@x.org", ["half@x.org"])
    answer = busy.mail_from("a@x.org", ["b@x.org"])
    assert busy.say("DATA")[0] == 354
    octets = make()
    busy.sock.sendall(dotted(octets))
    wait_for("the next hop to be asked", lambda: hop.sessions)
    daemon.process.send_signal(signal.SIGTERM)
    assert idle.reply()[0] == 421
    wait_for("the listener to be closed", lambda: not is_listening(daemon.port))
    half_answer = half.message(make(), Answer(recipients={"half@x.org": (250, "")}))
    busy.ends(answer)
    assert answer.end[0] == 250
    assert half_answer.end[0] in (250, 421, 451)
    assert busy.reply()[0] == 421
    assert daemon.process.wait(20) == 0
    assert to(hop.mails) == ["b@x.org"] + ["half@x.org"] * (half_answer.end[0] == 250)
    assert not any("/sallyport-" in command_of(pid) for pid in children_of(daemon))
    daemon.start()
    assert len(daemon.track()) >= 1


def command_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as line:
            return line.read()
    except OSError:
        return ""


def children_of(daemon) -> list[int]:
    """Processes of the daemon's session, which it leads."""
    found = []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit() and os.getsid(int(name)) == daemon.process.pid:
                found.append(int(name))
        except ProcessLookupError:
            pass
    return found


def test_stop_command(sallyport, next_hop):
    hop = next_hop()
    daemon = sallyport(place(hop))
    assert send(daemon.port, make()).end[0] == 250
    assert daemon.run("stop").returncode == 0
    assert daemon.process.wait(20) == 0
    assert daemon.run("status").returncode == 2
    assert hop.sessions[0].ended == "QUIT"


def test_second_signal_ends_hard(sallyport, next_hop):
    """Nobody waits for a next hop for ever; the client was told nothing."""
    hop = next_hop()
    hop.when("MAIL", Delay(60))
    daemon = sallyport(place(hop))
    with Client(daemon.port) as client:
        client.mail_from("a@x.org", ["b@x.org"])
        client.say("DATA")
        client.sock.sendall(dotted(make()))
        wait_for("the next hop to be asked", lambda: hop.sessions)
        daemon.process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        assert daemon.process.poll() is None
        daemon.process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        daemon.process.wait(20)
        assert time.monotonic() - began < 10
    wait_for("all processes to be gone", lambda: not children_of(daemon))
    daemon.process.returncode = 0
