#!/usr/bin/env python3
"""send-sample.py - hands one message file over, and prints the reply.

    python3 tools/send-sample.py etc/sample/plain.eml
    python3 tools/send-sample.py --port 10026 --from me@example.com --to you@example.org FILE
"""
import argparse
import sys

from smtp_talk import Refused, hand_over


def main():
    options = argparse.ArgumentParser(description=__doc__,
                                      formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=10024)
    options.add_argument("--from", dest="sender", default="anna@example.org")
    options.add_argument("--to", action="append")
    options.add_argument("--lmtp", action="store_true")
    options.add_argument("file")
    options = options.parse_args()
    with open(options.file, "rb") as file:
        message = file.read()
    if b"\r\n" not in message:
        message = message.replace(b"\n", b"\r\n")
    try:
        replies, refused = hand_over(options.port, options.sender,
                                     options.to or ["bob@example.com"], message,
                                     lmtp=options.lmtp)
    except (Refused, OSError) as error:
        print(f"port {options.port}: {error}")
        return 1
    for recipient, reply in {**replies, **refused}.items():
        print(f"<{recipient}> {reply}")
    return 0 if all(reply.startswith("2") for reply in replies.values()) and not refused else 1


sys.exit(main())
