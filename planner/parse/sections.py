"""Sections looked up by name, and the sentence that says why one cannot be used."""

import re
from collections.abc import Iterable, Iterator

from planner.models.section import Section
from planner.models.source import Gap, Source

ABSENT = "absent"
NOT_FOUND = ": not found"
NOT_LOADED = "not loaded"
DEADLINE = frozenset({124, 137, 143})
"""timeout(1) ends with 124, or with the signal that it sent; busybox and a killed child with 128 + SIGTERM or SIGKILL."""
_REFUSED = re.compile(
    r"permission denied|not permitted|must be root|are you root|EPERM|EACCES", re.IGNORECASE
)
_HARMLESS = re.compile(
    r"^# Warning: \S+ tables present|^# Warning: table .* is managed by|^Warning: .*\bdeprecated\b",
    re.IGNORECASE,
)
"""Remarks of tools that succeeded: the other backend holds tables as well, which is collected apart."""


def why_not(section: Section) -> str:
    """Why its text cannot be believed; empty when it can."""
    shown = section.argv or section.name
    if section.skipped:
        return section.skipped
    if section.status is None:
        return f"{shown}: {section.stderr or 'cut'}"
    if section.status == 127 and not section.stderr:
        return f"{shown}: not found"
    if section.status in DEADLINE:
        return f"{shown}: did not end within its deadline"
    if section.status == 139:
        return f"{shown}: crashed (segmentation fault)"
    if section.status:
        refused = _REFUSED.search(section.stderr) and "root" not in section.stderr
        root = " (needs root)" if refused else ""
        return f"{shown}: exit {section.status}{': ' if section.stderr else ''}{section.stderr}{root}"
    return ""


def complaint(section: Section) -> str:
    """What a tool said although it ended with 0, when that may mean that something is left out."""
    said = [part for part in section.stderr.split(" … ") if part.strip() and not _HARMLESS.search(part)]
    return f"{section.argv or section.name}: exit 0, but it said: {' … '.join(said)}" if said else ""


class Sections:
    """What was collected, by name; of several sections of one name the last usable one counts."""

    def __init__(self, sections: Iterable[Section]) -> None:
        self._by_name: dict[str, Section] = {}
        for section in sections:
            held = self._by_name.get(section.name)
            if held is None or section.usable or not held.usable:
                self._by_name[section.name] = section
        self.gaps: list[Gap] = []

    def get(self, name: str) -> Section | None:
        """The section, usable or not."""
        return self._by_name.get(name)

    def under(self, prefix: str) -> Iterator[tuple[str, Section]]:
        """Sections whose name goes on after `prefix`, with that rest, in order."""
        for name in sorted(self._by_name):
            if name.startswith(prefix):
                yield name[len(prefix) :], self._by_name[name]

    def usable(self, name: str) -> bool:
        """Whether it is there and whole."""
        section = self._by_name.get(name)
        return section is not None and section.usable

    def skipped(self, name: str, because: str) -> bool:
        """Whether it was skipped for this reason."""
        section = self._by_name.get(name)
        return section is not None and section.skipped.endswith(because)

    def reason(self, name: str) -> str:
        """Why it cannot be used."""
        section = self._by_name.get(name)
        return why_not(section) if section is not None else f"`{name}` was not collected"

    def gap(self, path: str, reason: str, *, source: str = "") -> None:
        """Record what is not known of the state."""
        self.gaps.append(Gap(section=path, reason=reason, source=Source(name=source) if source else None))

    def quiet(self, name: str) -> str | None:
        """The text, or None; for facts nothing depends on."""
        section = self._by_name.get(name)
        return section.text if section is not None and section.usable else None

    def text(self, name: str, path: str) -> str | None:
        """The text, or None with a gap at `path`; a complaint of a tool that succeeded is a gap as well."""
        section = self._by_name.get(name)
        if section is None or not section.usable:
            self.gap(path, self.reason(name))
            return None
        said = complaint(section)
        if said:
            self.gap(path, said)
        return section.text
