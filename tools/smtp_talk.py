"""smtp_talk.py - one message handed over by SMTP or LMTP, byte for byte as it is."""
import re
import socket


class Refused(Exception):
    """The server said no before the message was read."""


class Connection:
    def __init__(self, port, host="127.0.0.1", timeout=120):
        self.socket = socket.create_connection((host, port), timeout)
        self.lines = self.socket.makefile("rb")

    def reply(self):
        """One reply, its lines joined by blanks: "250 2.0.0 Ok"."""
        code, texts = "", []
        while True:
            line = self.lines.readline().decode("utf-8", "replace").rstrip("\r\n")
            if not line:
                raise ConnectionError("the server closed the connection")
            code = line[:3]
            texts.append(line[4:])
            if line[3:4] != "-":
                return f"{code} {' '.join(texts)}"

    def say(self, line, expected="2"):
        self.socket.sendall(line.encode("utf-8") + b"\r\n")
        answer = self.reply()
        if not answer.startswith(expected):
            raise Refused(answer)
        return answer

    def close(self):
        self.lines.close()
        self.socket.close()


def stuffed(message: bytes) -> bytes:
    """Ready for DATA.  Only CR LF is a line end; others are left for the server to judge."""
    if not message.endswith(b"\r\n"):
        message += b"\r\n"
    message = re.sub(rb"\r\n\.", b"\r\n..", message)
    return (b"." if message.startswith(b".") else b"") + message


def hand_over(port, sender, recipients, message, lmtp=False, utf8=False, xforward=None):
    """(replies, refused): a reply a recipient after the final dot - with SMTP it is the one
    reply to all - and the replies to recipients that were refused at RCPT."""
    connection = Connection(port)
    try:
        connection.reply()
        connection.say(("LHLO" if lmtp else "EHLO") + " client.example.org")
        if xforward:
            connection.say("XFORWARD " + xforward)
        connection.say(f"MAIL FROM:<{sender}> SIZE={len(message)}" +
                       (" BODY=8BITMIME SMTPUTF8" if utf8 else ""))
        refused, taken = {}, []
        for recipient in recipients:
            try:
                connection.say(f"RCPT TO:<{recipient}>")
                taken.append(recipient)
            except Refused as no:
                refused[recipient] = str(no)
        if not taken:
            return {}, refused
        connection.say("DATA", "354")
        connection.socket.sendall(stuffed(message) + b".\r\n")
        if lmtp:
            replies = {recipient: connection.reply() for recipient in taken}
        else:
            one = connection.reply()
            replies = dict.fromkeys(taken, one)
        connection.say("QUIT")
        return replies, refused
    finally:
        connection.close()
