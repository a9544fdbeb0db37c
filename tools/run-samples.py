#!/usr/bin/env python3
"""run-samples.py - starts the daemon below BUILD/run, sends it the samples, prints what
became of each and why, and keeps it serving until Ctrl-C.

The configuration is the one that the package ships (etc/sallyport.conf), with Maildirs as
next hops, and two listeners more whose policies (etc/sample/policy.conf) meet every
action.  Where standard input is no terminal it ends after the table; the status is 0 only
if every sample met the fate expected of it.
"""
import argparse
import dataclasses
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

import private_net
from smtp_talk import Refused, hand_over

TOP = pathlib.Path(__file__).resolve().parent.parent
SAMPLES = TOP / "etc/sample"
DOORS = {"inbound": 0, "outgoing": 2, "samples": 100, "samples-before": 101}

# What is expected of a recipient: outcome in the journal and rule that gave it, or None
# where the mail is refused before there is anything to record.
ANNA, BOB = "anna@example.org", "bob@example.com"


@dataclasses.dataclass
class Sample:
    name: str
    door: str
    expected: dict                  # recipient: (outcome, rule)
    reply: str = "250"              # how the reply begins; LMTP: to the first recipient
    sender: str = ANNA
    file: str = ""                  # else NAME.eml; or made by `make`
    make: object = None
    options: dict = dataclasses.field(default_factory=dict)
    has: tuple = ()                 # in the delivered file
    lacks: tuple = ()

    def message(self):
        if self.make:
            return self.make()
        return (SAMPLES / (self.file or f"{self.name}.eml")).read_bytes()


def big(megabytes):
    def make():
        head = (b"From: Scanner <scanner@example.org>\r\nTo: bob@example.com\r\n"
                b"Subject: A scan of many pages\r\nMessage-ID: <big.%d@example.org>\r\n\r\n"
                % megabytes)
        line = bytes(33 + i % 94 for i in range(998)) + b"\r\n"
        return head + line * (megabytes * 1024 * 1024 // len(line))
    return make


def looping():
    hop = (b"Received: from a.example (a.example [192.0.2.1])\r\n\tby b.example with ESMTP "
           b"id %d; Sat, 21 Nov 2026 16:00:00 +0000\r\n")
    return b"".join(hop % i for i in range(130)) + (SAMPLES / "plain.eml").read_bytes()


ALL = [
    Sample("plain", "inbound", {BOB: ("delivered", "otherwise")}),
    Sample("html", "inbound", {BOB: ("delivered", "otherwise")},
           sender="notice@library.example"),
    Sample("bounce", "inbound", {"anna@example.com": ("delivered", "otherwise")}, sender=""),
    Sample("outgoing", "outgoing", {"dave@example.org": ("delivered", "otherwise")},
           sender=BOB, file="plain.eml"),
    Sample("smtputf8", "inbound", {BOB: ("delivered", "otherwise")},
           sender="jörg@bücher.example", options={"utf8": True}),
    Sample("large, by the spool", "samples", {BOB: ("delivered", "otherwise")}, make=big(18)),
    Sample("too large", "samples", {BOB: ("quarantined", "huge")}, make=big(21)),
    Sample("header changed", "samples", {"anna@example.com": ("delivered", "partners")},
           sender="peter@mail.partner.example", file="stamped.eml",
           has=(b"X-Sallyport-Sample: examined", b"X-Other: stays", b"Received: from "),
           lacks=(b"X-Spam-Flag:",)),
    Sample("monitor rule", "samples", {BOB: ("delivered", "otherwise")},
           sender="accounts@supplier.example", file="attachment.eml"),
    Sample("spam", "samples", {BOB: ("quarantined", "spam")}, sender="office@prizes.example"),
    Sample("virus", "samples", {BOB: ("quarantined", "virus")},
           sender="unknown@infected.example"),
    Sample("virus, own user", "samples", {"dave@example.org": ("rejected", "own-virus")},
           reply="554 5.7.1", sender="carol@example.com", file="authenticated.eml"),
    Sample("virus, before queue", "samples-before", {BOB: ("rejected", "virus")},
           reply="554 5.7.1", sender="unknown@infected.example", file="virus.eml"),
    Sample("newsletter", "samples", {BOB: ("discarded", "newsletter")},
           sender="news@shop.example"),
    Sample("defer", "samples", {BOB: ("deferred", "later")}, reply="451",
           sender="hello@greylisted.example"),
    Sample("mixed, one reply", "samples",
           {BOB: ("delivered", "otherwise"), "held@example.com": ("quarantined", "held"),
            "trash@example.com": ("discarded", "trash")}, file="mixed.eml"),
    Sample("mixed, by LMTP", "samples-before",
           {BOB: ("delivered", "otherwise"), "nobody@example.com": ("rejected", "nobody"),
            "later@example.com": ("deferred", "later")},
           file="mixed.eml", options={"lmtp": True}),
    Sample("smuggling, repaired", "inbound", {BOB: ("delivered", "otherwise")},
           sender="mallory@example.org", file="smuggling.eml",
           has=(b"This must never become a message of its own.",)),
    Sample("smuggling, before queue", "samples-before", {BOB: None}, reply="5",
           sender="mallory@example.org", file="smuggling.eml"),
    Sample("looping", "inbound", {BOB: ("rejected", None)}, reply="554 5.4.6", make=looping),
]


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class Daemon:
    def __init__(self, build, port):
        self.program = build / "src/master/sallyport"
        self.home = build / "run"
        self.port = port
        self.configuration = self.home / "sallyport.conf"
        self.process = None

    def write_configuration(self):
        """The package's, with Maildirs for next hops and our ports, and what is added."""
        shipped = (TOP / "etc/sallyport.conf").read_text()
        shipped = re.sub(r"next-hop [^;]*;", f"next-hop maildir:{self.home}/maildir;", shipped)
        for name in ("inbound", "outgoing"):
            shipped = re.sub(rf":{10024 + DOORS[name]}\b", f":{self.port + DOORS[name]}",
                             shipped)
        if not has_ipv6():
            shipped = re.sub(r" \[::1\]:\d+", "", shipped)
        listeners = "".join(
            f"listener {name} {{\n\taddress 127.0.0.1:{self.port + DOORS[name]};\n"
            f"\tqueue {queue};\n\tpolicy {name};\n"
            f"\tnext-hop maildir:{self.home}/maildir;\n}}\n"
            for name, queue in (("samples", "after"), ("samples-before", "before")))
        self.configuration.write_text(
            "# Made by tools/run-samples.py from etc/sallyport.conf.\n"
            f"state-directory {self.home}/state;\nspool-directory {self.home}/spool;\n"
            f"control-socket {self.home}/control;\nlog stderr;\nhostname mx.example.com;\n"
            f"local-domains example.com;\n\n{shipped}\n{listeners}\n"
            f"include \"{SAMPLES}/policy.conf\";\n")

    def command(self, *words):
        return subprocess.run([self.program, "-c", self.configuration, *words],
                              capture_output=True, text=True, check=False)

    def start(self):
        taken = [self.port + n for n in DOORS.values()
                 if private_net.is_listening(self.port + n)]
        if taken:
            sys.exit(f"run-samples: port {taken[0]} is taken on this machine: stop what "
                     "listens there, or take others: make run PORT=20024")
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir(parents=True, mode=0o755)
        self.write_configuration()
        with open(self.home / "log", "wb") as log:
            self.process = subprocess.Popen([self.program, "-c", self.configuration,
                                             "daemon"], stderr=log, start_new_session=True)
        deadline = time.monotonic() + 60
        while self.command("status").returncode != 0:
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                sys.exit("run-samples: the daemon did not start:\n" +
                         (self.home / "log").read_text())
            time.sleep(0.05)

    def explain(self, mail_id):
        """Journal rows are written in batches: it may take a moment."""
        deadline = time.monotonic() + 10
        while True:
            answer = self.command("explain", "--json", mail_id)
            if answer.returncode == 0:
                return json.loads(answer.stdout)
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(100)


@dataclasses.dataclass
class Row:
    sample: str
    came: str
    reply: str
    outcome: str = "refused"
    why: str = "-"
    where: str = "-"
    wrong: list = dataclasses.field(default_factory=list)


def short_size(size):
    for unit in ("B", "KiB", "MiB"):
        if size < 1024 or unit == "MiB":
            return f"{size:.0f} {unit}"
        size /= 1024
    return ""


def deciding(record, recipient):
    """The rule that gave the fate, and the fact on which it turned, with its value."""
    rule = recipient["rule"]
    if not rule:
        return "-"
    for trace in record["walks"][recipient["walk"]] if record["walks"] else []:
        if trace["rule"] == rule and trace["fact"]:
            values = {f["name"]: f["value"] for f in record["facts"]}
            values["recipient"] = f"'{recipient['address']}'"
            return f"{rule}: {trace['fact']} = {values.get(trace['fact'], '?')}"[:64]
    return rule


def place(daemon, recipient, record):
    found = re.search(r"/[^ ,]+", recipient["reply"])
    if found and pathlib.Path(found.group()).exists():
        return pathlib.Path(found.group())
    if recipient["outcome"] == "quarantined":
        files = sorted((daemon.home / "state/quarantine").rglob(f"*{record['id']}*"))
        return files[0] if files else None
    return None


WHERE = {"discarded": "nowhere: discarded", "rejected": "with the sender",
         "deferred": "in the client's queue"}


def check_row(row, sample, address, recipient, path):
    expected = sample.expected[address]
    if expected is None:
        row.wrong.append("it should have been refused")
        return
    outcome, rule = expected
    if recipient["outcome"] != outcome:
        row.wrong.append(f"outcome {recipient['outcome']}, expected {outcome}")
    if rule and recipient["rule"] != rule:
        row.wrong.append(f"rule {recipient['rule']}, expected {rule}")
    if outcome in ("delivered", "quarantined") and path is None:
        row.wrong.append("there is no file of it")
    if path and outcome == "delivered":
        text = path.read_bytes()
        row.wrong += [f"lacks {part}" for part in sample.has if part not in text]
        row.wrong += [f"has {part}" for part in sample.lacks if part in text]


def fill_row(daemon, row, sample, address, reply):
    found = re.search(r"id=([0-9a-z]{16})", reply)
    record = daemon.explain(found.group(1)) if found else None
    recipients = [r for r in record["recipients"] if r["address"] == address] if record else []
    if not recipients:
        if sample.expected[address] is not None:
            row.wrong.append("not in the journal")
        return
    path = place(daemon, recipients[0], record)
    row.outcome = recipients[0]["outcome"]
    row.why = deciding(record, recipients[0])
    row.where = os.path.relpath(path) if path else WHERE.get(row.outcome, "-")
    check_row(row, sample, address, recipients[0], path)


def run_sample(daemon, sample):
    message = sample.message()
    try:
        replies, refused = hand_over(daemon.port + DOORS[sample.door], sample.sender,
                                     list(sample.expected), message, **sample.options)
    except (Refused, OSError) as error:
        replies, refused = {}, dict.fromkeys(sample.expected, str(error))
    rows = []
    for address in sample.expected:
        reply = replies.get(address) or refused[address]
        first = not rows
        row = Row(sample.name if first else "",
                  f"<{sample.sender}> -> {address}, {short_size(len(message))}" if first
                  else f"    -> {address}", reply)
        if first and not reply.startswith(sample.reply):
            row.wrong.append(f"reply {reply}, expected {sample.reply}")
        fill_row(daemon, row, sample, address, reply)
        rows.append(row)
    return rows


def print_table(rows):
    head = ("SAMPLE", "SENDER -> RECIPIENT, SIZE", "REPLY", "OUTCOME", "RULE: FACT", "NOW AT")
    cells = [(r.sample, r.came, r.reply[:26], r.outcome, r.why, r.where) for r in rows]
    widths = [max(len(row[i]) for row in [head, *cells]) for i in range(len(head))]
    for cell in [head, *cells]:
        print("  ".join(text.ljust(width) for text, width in zip(cell, widths)).rstrip())
    for row in rows:
        for wrong in row.wrong:
            print(f"WRONG  {row.sample or row.came}: {wrong}")


def write_junit(path, results):
    suite = ElementTree.Element("testsuite", name="samples", tests=str(len(results)))
    for sample, rows in results:
        case = ElementTree.SubElement(suite, "testcase", name=sample.name)
        wrong = [text for row in rows for text in row.wrong]
        if wrong:
            ElementTree.SubElement(case, "failure", message="; ".join(wrong))
    ElementTree.ElementTree(suite).write(path)


def serve(daemon):
    def shown(path):
        return os.path.relpath(path)
    print(f"""
Serving on ports {", ".join(str(daemon.port + n) for n in DOORS.values())}.  One more mail:

    python3 tools/send-sample.py --port {daemon.port} etc/sample/plain.eml

and what became of it (log: {shown(daemon.home / "log")}):

    {shown(daemon.program)} -c {shown(daemon.configuration)} track
    {shown(daemon.program)} -c {shown(daemon.configuration)} status

Ctrl-C ends it.""", flush=True)
    try:
        daemon.process.wait()
    except KeyboardInterrupt:
        print()


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--build", default="build")
    options.add_argument("--port", type=int, default=10024, help="the first of the ports")
    options.add_argument("--end", action="store_true", help="end after the table")
    options.add_argument("--private", action="store_true",
                         help="in a network of its own, where that is allowed")
    options.add_argument("--junit", help="write the results to this file")
    options = options.parse_args()
    if options.private:
        private_net.enter()
    daemon = Daemon((TOP / options.build).resolve(), options.port)
    daemon.start()
    try:
        results = [(sample, run_sample(daemon, sample)) for sample in ALL]
        rows = [row for _, rows in results for row in rows]
        print_table(rows)
        if options.junit:
            write_junit(options.junit, results)
        if not options.end and sys.stdin.isatty():
            serve(daemon)
    finally:
        status = daemon.stop()
    wrong = sum(any(row.wrong for row in rows) for _, rows in results)
    print(f"{len(results) - wrong} of {len(results)} samples met the fate expected of them")
    return 1 if wrong or status != 0 else 0


if __name__ == "__main__":
    sys.exit(main())
