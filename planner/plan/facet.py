"""A facet: one thing of a node that a step touches, and how to read it there without any tool of ours."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from planner.models.plan import Check, Part

ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Facet:
    """What one command prints before and after a step. The exit status of writers proves nothing; this does."""

    name: str
    """`net.ipv4.ip_forward`, `chain FORWARD of table filter (ip, nft)`."""
    argv: tuple[str, ...]
    """Reads it; never writes anything."""
    before: str
    after: str
    before_words: str
    after_words: str
    own: tuple[tuple[str, ...], str, str] | None = None
    """The same without what others may have added: what reads it, and what it prints before and after."""

    def part(self) -> Part | None:
        """The step's own part of the thing, where others may add to it."""
        if self.own is None:
            return None
        argv, before, after = self.own
        return Part(thing=self.name, argv=argv, before=before, after=after)

    def with_own(self, argv: Sequence[str], before: str | None, after: str | None) -> "Facet":
        """The facet, with the part of it that is the step's own."""
        return replace(self, own=(tuple(argv), fold(before or ""), fold(after or "")))

    def check_before(self) -> Check:
        """That it is as before the step."""
        return Check(
            argv=self.argv, output=self.before, about=f"{self.name} {self.before_words}", name=self.name
        )

    def check_after(self) -> Check:
        """That it is as after the step."""
        return Check(
            argv=self.argv, output=self.after, about=f"{self.name} {self.after_words}", name=self.name
        )


def value_facet(name: str, argv: Sequence[str], before: str | None, after: str | None) -> Facet:
    """A facet whose printed value is short enough to be told. None is absent: nothing is printed."""
    return Facet(
        name=name,
        argv=tuple(argv),
        before=fold(before or ""),
        after=fold(after or ""),
        before_words=_told(before),
        after_words=_told(after),
    )


def digest_facet(
    name: str, argv: Sequence[str], before: str, after: str, *, same: str = "is as recorded"
) -> Facet:
    """A facet whose command prints the SHA-256 of a text that is too long to be told."""
    return Facet(
        name=name,
        argv=tuple(argv),
        before=summed(before),
        after=summed(after),
        before_words=same,
        after_words=same if before == after else "is as this step leaves it",
    )


def fold(text: str) -> str:
    """White space as the shell folds it: blanks, tabs and line breaks only."""
    return " ".join(re.findall(r"[^ \t\n]+", text))


def summed(text: str) -> str:
    """SHA-256 as sha256sum prints it of what it reads from a pipe."""
    return f"{digest(text)} -"


def digest(text: str) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def shell(script: str) -> tuple[str, ...]:
    """A pipeline as an argument list. Every word in `script` that came from elsewhere must be quoted."""
    return ("sh", "-c", script)


def _told(value: str | None) -> str:
    if value is None:
        return f"is {ABSENT}"
    return f"is {fold(value)}" if fold(value) else "is empty"
