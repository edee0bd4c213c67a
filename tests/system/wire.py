"""Reads replies of the line protocol udsadmin/1, strictly: what is not in its grammar is an error here."""

import codecs
import re

WORD = rb"(?:\"(?:[^\"\\]|\\.)*\"|'[^']*'|[^ \"'\x00-\x1f]*)"
PAIR = rb"[A-Za-z][A-Za-z0-9_-]*=" + WORD
STREAM = re.compile(rb"([|!])([ ~])((?:[^\\\x00-\x08\x0a-\x1f\x7f]|\\\\|\\x[0-9a-fA-F]{2})*)\n")
ROW = re.compile(rb"\*((?: " + PAIR + rb")+)\n")
INFO = re.compile(rb"# [^\x00-\x08\x0a-\x1f\x7f]*\n")
FINAL = re.compile(rb"([0-9]{3}) ([a-z][a-z-]*)((?: " + PAIR + rb")*)(?: : ([^\x00-\x1f\x7f]*))?\n")
ONE_PAIR = re.compile(rb" ([A-Za-z][A-Za-z0-9_-]*)=(" + WORD + rb")")


class NotTheProtocol(AssertionError):
    """A line of the server that the grammar does not know."""


def unquoted(word):
    if word[:1] == b'"':
        return codecs.escape_decode(word[1:-1])[0].decode()
    return word.strip(b"'").decode()


def pairs(text):
    return {name.decode(): unquoted(word) for name, word in ONE_PAIR.findall(text)}


class Final:
    """The one final line of a request."""

    def __init__(self, match):
        self.line = match[0]
        self.code = int(match[1])
        self.name = match[2].decode()
        self.fields = pairs(match[3])
        self.text = (match[4] or b"").decode()

    def must_be(self, code, name=None, /, **fields):
        right = self.code == code and name in (None, self.name)
        right = right and all(self.fields.get(key) == value for key, value in fields.items())
        if not right:
            raise AssertionError(f"wanted {code} {name or ''} {fields or ''}, got {self.line!r}")
        return self


class Reply:
    """All that a server said."""

    def __init__(self, octets):
        self.octets = octets
        self.streams = {b"|": [], b"!": []}
        self.order = []
        self.rows = []
        self.infos = []
        self.finals = []
        *whole, torn = octets.split(b"\n")
        for line in whole:
            self._take(line + b"\n")
        if torn:
            raise NotTheProtocol(f"a line without its end: {torn[:200]!r}")

    def _take(self, line):
        if match := STREAM.fullmatch(line):
            piece = codecs.escape_decode(match[3])[0] if b"\\" in match[3] else match[3]
            piece += b"\n" if match[2] == b" " else b""
            self.streams[match[1]].append(piece)
            self.order.append(piece)
        elif match := ROW.fullmatch(line):
            self.rows.append(pairs(match[1]))
        elif match := FINAL.fullmatch(line):
            self.finals.append(Final(match))
            self.order.append(self.finals[-1].code)
        elif INFO.fullmatch(line):
            self.infos.append(line)
        else:
            raise NotTheProtocol(f"{line[:200]!r} in {self.octets[:400]!r}")

    @property
    def stdout(self):
        return b"".join(self.streams[b"|"])

    @property
    def stderr(self):
        return b"".join(self.streams[b"!"])

    def must_be(self, code, name=None, /, **fields):
        """The reply has one final line, and this one."""
        if len(self.finals) != 1:
            raise AssertionError(f"wanted one final line, got {self.octets[:400]!r}")
        return self.finals[0].must_be(code, name, **fields)

    def must_be_all(self, *codes):
        """The reply has these final lines in this order."""
        if [final.code for final in self.finals] != list(codes):
            raise AssertionError(f"wanted {codes}, got {self.octets[:400]!r}")
