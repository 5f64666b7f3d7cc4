"""sysctl.d files: lines, directory precedence, globs and exclusions, as two programs read them."""

import fnmatch
import posixpath
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from planner.models.node import ConfigFile
from planner.models.source import Source
from planner.sysctls.catalogue import lookup, obsolete, suggest, why_not
from planner.sysctls.names import normalise_key
from planner.sysctls.numbers import same_value

BLANKS = " \t\r\n\f\v"
"""Never Python's own idea of white space: a no-break space belongs to the key."""
DIRECTORIES = (
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
    "/lib/sysctl.d",
)
"""Strongest first (man 5 sysctl.d; procps src/sysctl.c PreloadSystem())."""
LAST = "/etc/sysctl.conf"
LONGEST_LINE = 1024 * 1024
"""systemd src/basic/fileio.h LONG_LINE_MAX: a longer line ends the reading of the file."""


class Reader(StrEnum):
    """Who reads the files."""

    SYSTEMD = "systemd"
    """systemd-sysctl, at boot."""
    PROCPS = "procps"
    """`sysctl --system`, by hand or from a script."""


class Trouble(StrEnum):
    """What may surprise in a set of files."""

    UNKNOWN_KEY = "unknown-key"
    IGNORED_LINE = "ignored-line"
    OVERRIDDEN = "overridden"
    """A later line sets another value."""
    FILE_REPLACED = "file-replaced"
    """A file of the same name in a stronger directory replaces this one completely."""
    READERS_DIFFER = "readers-differ"
    USELESS_EXCLUSION = "useless-exclusion"
    REST_OF_FILE_LOST = "rest-of-file-lost"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """Something about the files that a reader should be told."""

    trouble: Trouble
    source: Source
    message: str
    key: str = ""
    suggestion: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """One line that means something: an assignment, or with `value` None an exclusion."""

    key: str
    """Canonical, or a pattern of canonical keys."""
    value: str | None
    source: Source
    tolerate: bool = False
    """Written with a leading minus: failures are not reported."""

    @property
    def is_glob(self) -> bool:
        """Whether the key is a pattern."""
        return any(character in self.key for character in "*?[")


@dataclass(frozen=True, slots=True)
class SysctlFile:
    """The lines of one file."""

    path: str
    lines: tuple[Line, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    lost_after: int = 0
    """Line at which systemd stops reading; 0 when it reads everything."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One write, in order."""

    key: str
    value: str
    source: Source
    ignore_errors: bool = False
    """Written with a leading minus: failures are not reported."""
    pattern: str = ""
    """The glob it came from; empty for an explicit line."""


@dataclass(slots=True)
class _Reading:
    lines: list[Line] = field(default_factory=list)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    lost_after: int = 0


def read_sysctl_file(text: str, *, path: str) -> SysctlFile:
    """The lines of one file. What neither program takes for a line is a diagnostic, never an error."""
    reading = _Reading()
    for number, raw in enumerate(text.split("\n"), start=1):
        source = Source(name=path, line=number)
        if len(raw) >= LONGEST_LINE and not reading.lost_after:
            reading.lost_after = number
            reading.diagnostics.append(
                Diagnostic(
                    Trouble.REST_OF_FILE_LOST,
                    source,
                    "the line is longer than 1 MiB: systemd-sysctl ignores it and every line after it",
                )
            )
        line = raw.strip(BLANKS)
        if line and line[0] not in "#;":
            _read_line(line, source, reading)
    return SysctlFile(path, tuple(reading.lines), tuple(reading.diagnostics), reading.lost_after)


def _read_line(line: str, source: Source, reading: _Reading) -> None:
    tolerate = line.startswith("-")
    name, equals, value = line.removeprefix("-").partition("=")
    name = name.strip(BLANKS)
    if not name or (not equals and not tolerate):
        reading.diagnostics.append(
            Diagnostic(Trouble.IGNORED_LINE, source, f"`{line[:80]}` is not an assignment and is ignored")
        )
        return
    key = normalise_key(name)
    reading.lines.append(Line(key, value.strip(BLANKS) if equals else None, source, tolerate))


def files_in_order(files: Mapping[str, ConfigFile], reader: Reader) -> tuple[tuple[str, str], ...]:
    """Path and text of every file that is read, in the order in which it is read; masked ones are left out."""
    chosen: dict[str, str] = {}
    for directory in DIRECTORIES:
        for path in sorted(files):
            folder, name = posixpath.split(path)
            if folder != directory or not name.endswith(".conf"):
                continue
            if name.startswith(".") and reader is Reader.SYSTEMD:
                continue
            chosen.setdefault(name, path)
    # Byte order of the names over all directories (systemd src/basic/conf-files.c; procps uses the same order).
    ordered = [
        chosen[name] for name in sorted(chosen, key=lambda name: name.encode("utf-8", "surrogateescape"))
    ]
    if reader is Reader.PROCPS and LAST in files:
        ordered.append(LAST)
    return tuple((path, text) for path in ordered if (text := _text(files, path)) is not None)


def _text(files: Mapping[str, ConfigFile], path: str) -> str | None:
    """Text of a file, through symbolic links; None when it is masked or leads nowhere."""
    for _ in range(8):
        file = files.get(path)
        if file is None:
            return None
        if not file.link_to:
            return file.text
        if file.link_to == "/dev/null":
            return None
        if file.text:
            return file.text
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), file.link_to))
    return None


def effective_assignments(
    files: Mapping[str, ConfigFile], reader: Reader, existing_keys: Collection[str]
) -> tuple[Assignment, ...]:
    """What the reader writes, in order. Globs are laid over the existing keys; explicit lines stay, known or not."""
    lines = list(_all_lines(files, reader))
    if reader is Reader.SYSTEMD:
        lines = _last_position(lines)
    explicit = {line.key for line in lines if not line.is_glob or line.value is None}
    tree = sorted(existing_keys)
    return tuple(write for line in lines for write in _writes(line, explicit, tree))


def _all_lines(files: Mapping[str, ConfigFile], reader: Reader) -> Iterator[Line]:
    for path, text in files_in_order(files, reader):
        file = read_sysctl_file(text, path=path)
        for line in file.lines:
            if reader is Reader.SYSTEMD and file.lost_after and line.source.line >= file.lost_after:
                break
            if reader is Reader.PROCPS and line.tolerate and line.value is not None and _spaced(text, line):
                continue
            yield line


def _spaced(text: str, line: Line) -> bool:
    """`- key = value`: procps looks for a key that begins with a blank and skips it silently."""
    written = text.split("\n")[line.source.line - 1].strip(BLANKS)
    return written[1:2] in {" ", "\t"}


def _last_position(lines: list[Line]) -> list[Line]:
    """One line for each key: an equal value keeps its place, another value moves to the end.

    systemd src/sysctl/sysctl.c parse_file(): an ordered hash map, where a different value is removed and put again.
    """
    kept: dict[str, Line] = {}
    for line in lines:
        former = kept.get(line.key)
        if former is not None and former.value == line.value:
            continue
        kept.pop(line.key, None)
        kept[line.key] = line
    return list(kept.values())


def _writes(line: Line, explicit: set[str], tree: list[str]) -> Iterator[Assignment]:
    if line.value is None:
        return
    if not line.is_glob:
        yield Assignment(line.key, line.value, line.source, line.tolerate)
        return
    for key in tree:
        if key not in explicit and glob_matches(line.key, key):
            yield Assignment(key, line.value, line.source, line.tolerate, pattern=line.key)


def glob_matches(pattern: str, key: str) -> bool:
    """Whether a pattern of canonical keys matches a key; `*` stays within one part of the path."""
    wanted, parts = pattern.split("."), key.split(".")
    return len(wanted) == len(parts) and all(
        want == part or fnmatch.fnmatchcase(part.replace("/", "."), want.replace("/", "."))
        for want, part in zip(wanted, parts, strict=True)
    )


def diagnose(files: Mapping[str, ConfigFile], existing_keys: Collection[str]) -> tuple[Diagnostic, ...]:
    """Everything about the files that may surprise, sorted by place."""
    found: list[Diagnostic] = [*_replaced(files), *_differences(files, existing_keys)]
    known = set(existing_keys)
    last: dict[str, Line] = {}
    for path, text in files_in_order(files, Reader.PROCPS):
        file = read_sysctl_file(text, path=path)
        found.extend(file.diagnostics)
        for line in file.lines:
            found.extend(_line_trouble(line, known))
            if line.value is None or line.is_glob:
                continue
            former = last.get(line.key)
            if former is not None and not same_value(former.value or "", line.value):
                found.append(
                    Diagnostic(
                        Trouble.OVERRIDDEN,
                        former.source,
                        f"{line.source} sets {line.key} to `{line.value}` afterwards",
                        key=line.key,
                    )
                )
            last[line.key] = line
    return tuple(sorted(set(found), key=lambda d: (d.source.name, d.source.line, d.trouble, d.message)))


def _line_trouble(line: Line, known: set[str]) -> Iterator[Diagnostic]:
    if line.value is None:
        if line.is_glob:
            yield Diagnostic(
                Trouble.USELESS_EXCLUSION,
                line.source,
                f"an exclusion is compared literally: `-{line.key}` excludes nothing",
                key=line.key,
            )
        return
    if line.is_glob or line.key in known or not (line.key.startswith("net.") or suggest(line.key)):
        # A snapshot holds all of net.* and only a few other keys: others may well exist.
        return
    yield unknown_key(line.key, line.source)


def unknown_key(key: str, source: Source) -> Diagnostic:
    """What to say about a key that does not exist on the node."""
    old, meant, fact = obsolete(key), suggest(key), lookup(key)
    if meant:
        why = why_not(key)
        message = f"{key} does not exist{f' ({why})' if why else ''}; did you mean {meant}?"
    elif old:
        message = f"{key} does not exist in this kernel: {old}"
    elif fact is not None and fact.module:
        message = f"{key} does not exist while the module {fact.module} is not loaded"
    elif fact is not None:
        message = f"{key} does not exist in this node's kernel"
    else:
        message = f"{key} does not exist on this node"
    return Diagnostic(Trouble.UNKNOWN_KEY, source, message, key=key, suggestion=meant or "")


def _replaced(files: Mapping[str, ConfigFile]) -> Iterator[Diagnostic]:
    for rank, directory in enumerate(DIRECTORIES):
        for path in sorted(files):
            folder, name = posixpath.split(path)
            if folder != directory or not name.endswith(".conf"):
                continue
            stronger = next((f"{d}/{name}" for d in DIRECTORIES[:rank] if f"{d}/{name}" in files), None)
            if stronger is not None and not (
                directory == "/lib/sysctl.d" and stronger.startswith("/usr/lib/")
            ):
                yield Diagnostic(
                    Trouble.FILE_REPLACED,
                    Source(name=path),
                    f"{stronger} has the same name and replaces this file completely",
                )


def _differences(files: Mapping[str, ConfigFile], existing_keys: Collection[str]) -> Iterator[Diagnostic]:
    last: list[dict[str, Assignment]] = []
    for reader in (Reader.SYSTEMD, Reader.PROCPS):
        writes: dict[str, Assignment] = {}
        for assignment in effective_assignments(files, reader, existing_keys):
            writes[assignment.key] = assignment
        last.append(writes)
    boot, manual = last
    for key in sorted(set(boot) | set(manual)):
        one, other = boot.get(key), manual.get(key)
        if one is not None and other is not None and same_value(one.value, other.value):
            continue
        at_boot = f"`{one.value}` ({one.source})" if one else "nothing"
        by_hand = f"`{other.value}` ({other.source})" if other else "nothing"
        source = (other or one or next(iter(boot.values()))).source
        yield Diagnostic(
            Trouble.READERS_DIFFER,
            source,
            f"at boot systemd-sysctl writes {at_boot} to {key}, `sysctl --system` writes {by_hand}",
            key=key,
        )
