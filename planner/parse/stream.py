"""The collector's stream: lines that start with the caller's token part it into sections.

    TOKEN H 1 root=/          header
    TOKEN B n name argv       section n begins; its content follows
    TOKEN X n text            what the command wrote to standard error (first and last line)
    TOKEN E n status          it ends: the line feed before X or E belongs to the frame, not to the content
    TOKEN S n name reason     section n was not tried
    TOKEN Z n                 the end: n sections were printed

Nothing but this frame shows that an output was cut: an exec session that loses its tail still reports success.
"""

import re
from dataclasses import dataclass, field

from planner.models.section import Section

FORMAT = "1"
STREAM = "stream"
"""Name of the section that tells how whole the stream is."""
_HEADER = re.compile(r"^([A-Za-z0-9_-]{3,128}) H (\S+)[ ]?(.*)$", re.MULTILINE)


def find_token(text: str) -> str:
    """The token of a saved stream: the first word of its header, or empty when there is none."""
    found = _HEADER.search(text[:65536])
    return found.group(1) if found else ""


def parse_stream(text: str, *, token: str = "") -> tuple[tuple[Section, ...], tuple[str, ...]]:
    """The sections, and sentences about what is wrong with the frame.

    The last section is always `stream`: usable when nothing is wrong, else its `stderr` holds the sentences, so that who
    has only the sections is told as well. Without `token` that of the header is taken.
    """
    problems: list[str] = []
    if "\r\n" in text:
        # A serial console or a terminal turns each line feed into two characters; that can be undone.
        text = text.replace("\r\n", "\n")
        problems.append("lines end in CR LF: it came over a terminal; the carriage returns were taken out")
    wanted = token or find_token(text)
    if not wanted:
        return _result([], ["no header: not a collector's stream, or its beginning is lost"])
    reading = _Reading(token=wanted, problems=problems)
    for position, line_end, words in _frames(text, wanted):
        reading.take(text, position, line_end, words)
    reading.finish(text)
    return _result(reading.sections, reading.problems)


def _result(sections: list[Section], problems: list[str]) -> tuple[tuple[Section, ...], tuple[str, ...]]:
    whole = Section(name=STREAM, text="whole" if not problems else "", status=1 if problems else 0)
    if problems:
        whole = Section(name=STREAM, status=1, stderr="; ".join(problems))
    return (*sections, whole), tuple(problems)


def _frames(text: str, token: str) -> list[tuple[int, int, list[str]]]:
    """Where each frame line begins and its content goes on, and its words after the token."""
    pattern = re.compile(rf"^{re.escape(token)} ([HBXESZ])(?: (.*))?$", re.MULTILINE)
    return [
        (found.start(), min(found.end() + 1, len(text)), [found.group(1), found.group(2) or ""])
        for found in pattern.finditer(text)
    ]


@dataclass(slots=True)
class _Reading:
    """What is known while going down the stream."""

    token: str
    problems: list[str]
    sections: list[Section] = field(default_factory=list)
    header: bool = False
    seen: int = 0
    """Number of the last section that began."""
    name: str = ""
    argv: str = ""
    start: int = -1
    """Where the content of the open section begins; -1 when none is open."""
    content: str | None = None
    """Content of the open section, once its X has come."""
    stderr: str = ""
    ended: bool = False

    def take(self, text: str, position: int, after: int, words: list[str]) -> None:
        kind, rest = words
        if self.ended:
            self.problems.append("goes on after its end mark")
            self.ended = False
        if kind == "H":
            self._header(rest)
        elif kind in "BS":
            self._begin(kind, rest, text, position, after)
        elif kind == "Z":
            self._close_cut(text, position)
            self._end(rest)
        else:
            self._close(kind, rest, text, position)

    def _header(self, rest: str) -> None:
        if self.header:
            self.problems.append("has a second header: two streams in one file")
        self.header = True
        version = rest.split(" ", 1)[0]
        if version != FORMAT:
            self.problems.append(f"is of format `{version}`, this program reads format {FORMAT}")

    def _begin(self, kind: str, rest: str, text: str, position: int, after: int) -> None:
        self._close_cut(text, position)
        number, _, rest = rest.partition(" ")
        name, _, argv = rest.partition(" ")
        if not number.isascii() or not number.isdecimal() or not name:
            self.problems.append("has a damaged line that begins a section")
            return
        self._count(int(number))
        if kind == "S":
            self.sections.append(Section(name=name, skipped=argv or "no reason given"))
        else:
            self.name, self.argv, self.start, self.content, self.stderr = name, argv, after, None, ""

    def _count(self, number: int) -> None:
        lost = number - self.seen - 1
        if lost > 0:
            self.problems.append(f"{lost} section{'s' * (lost > 1)} lost before number {number}")
        elif lost < 0:
            self.problems.append(f"section number {number} comes twice or late")
        self.seen = max(self.seen, number)

    def _close(self, kind: str, rest: str, text: str, position: int) -> None:
        number, _, value = rest.partition(" ")
        if self.start < 0 or number != str(self.seen):
            self.problems.append(f"section {number or '?'} ends without having begun")
            return
        if self.content is None:
            self.content = text[self.start : max(self.start, position - 1)]
            if position > 0 and text[position - 1 : position] != "\n":  # pragma: no cover
                self.content = text[self.start : position]
        if kind == "X":
            self.stderr = value
            return
        status = int(value) if re.fullmatch(r"-?[0-9]{1,5}", value) else None
        if status is None:
            self.problems.append(f"the status of section {self.name} is damaged")
        self._add(status)

    def _add(self, status: int | None) -> None:
        self.sections.append(
            Section(
                name=self.name, argv=self.argv, text=self.content or "", status=status, stderr=self.stderr
            )
        )
        self.start = -1

    def _close_cut(self, text: str, position: int) -> None:
        if self.start < 0:
            return
        if self.content is None:
            self.content = text[self.start : position]
        size = len(self.content.encode("utf-8", "surrogatepass"))
        self.problems.append(f"section {self.name} is cut after {size} bytes")
        self.stderr = self.stderr or f"cut after {size} bytes"
        self._add(None)

    def _end(self, rest: str) -> None:
        self.ended = True
        if not rest.isascii() or not rest.isdecimal():
            self.problems.append("its end mark is damaged")
        elif int(rest) != self.seen:
            lost = int(rest) - self.seen
            self.problems.append(
                f"{lost} section{'s' * (lost > 1)} lost at its end"
                if lost > 0
                else f"it holds {self.seen} sections, its end mark says {rest}"
            )

    def finish(self, text: str) -> None:
        ended = self.ended
        self._close_cut(text, len(text))
        if not self.header:
            self.problems.insert(0, "no header: its beginning is lost")
        if not ended:
            self.problems.append("no end mark: its tail is lost")
