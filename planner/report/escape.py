"""The only place that knows each format's special characters. Texts in reports were written by others."""

import re
from html import escape

CONTROL = re.compile(
    # C0 and C1 controls with ESC, zero-width characters, line separators, and the bidirectional controls (Unicode TR9):
    # any of them can make a line read as something that it is not.
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]"
)
MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~$&@])")


def visible(text: str) -> str:
    """The text with every control character written as an escape, on one line."""
    return CONTROL.sub(lambda match: _escaped(match.group(0)), text)


def _escaped(character: str) -> str:
    return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}.get(character) or (
        f"\\x{ord(character):02x}" if ord(character) < 256 else f"\\u{ord(character):04x}"
    )


def lines(text: str) -> tuple[str, ...]:
    """The text's lines, each made visible: for blocks that keep their line ends."""
    return tuple(visible(line) for line in text.split("\n"))


def markdown(text: str) -> str:
    """Inert in running text and table cells of GitHub's Markdown: no mention, link, markup, HTML or reference comes alive."""
    shown = MARKDOWN.sub(r"\\\1", visible(text))
    # A bare address becomes a link by itself; a zero-width space would be invisible forgery, an entity is not.
    return shown.replace("://", "&#58;//").replace("www.", "www&#46;")


def remark(text: str) -> str:
    """Text inside an HTML comment, which it cannot end."""
    return re.sub(r"[<>&]", "_", visible(text)).replace("--", "-_")


def html(text: str) -> str:
    """Text between HTML tags, where Markdown is not read."""
    return escape(visible(text))


def code(text: str) -> str:
    """A code span that no run of backticks inside can leave. Not for table cells: they split at `|` before code is read."""
    shown = visible(text) or " "
    longest = max((len(run) for run in re.findall(r"`+", shown)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if longest else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def fence(text: str, language: str = "") -> str:
    """A fenced block longer than any fence inside."""
    shown = "\n".join(lines(text.rstrip("\n")))
    longest = max((len(run) for run in re.findall(r"`{3,}", shown)), default=2)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{shown}\n{ticks}"


def log(text: str) -> str:
    """A line of a build log that is no command to the runner: `::` at its head is broken up."""
    shown = visible(text)
    return shown.replace("::", ": :", 1) if shown.lstrip().startswith("::") else shown
