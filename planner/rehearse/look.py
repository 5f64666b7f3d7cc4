"""A stage seen again: the collector's commands and its reader, without what cannot change there, in few processes at once.

What the first look of the collector found tells which commands there are. Whatever is not as usual (a command that fails, another
module, a file with a key in it) is left to the collector.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from planner.collect.sections import DIRECTORIES, FILES, SECTIONS, SYSCTLS, wanted_file
from planner.models.node import NodeState
from planner.models.section import Section
from planner.parse.node import parse_node
from planner.parse.sections import ABSENT
from planner.parse.stream import STREAM
from planner.rehearse.inside.files import Found
from planner.rehearse.namespaces import Namespaces
from planner.rehearse.process import Completed

COMMANDS = (
    "ip/addr",
    "ip/route4",
    "ip/route6",
    "ip/route4-text",
    "ip/route6-text",
    "ip/rule4",
    "ip/rule6",
    "ip/nexthop",
    "ip/neigh4",
    "ip/neigh6",
    "ip/neigh-proxy4",
    "ip/neigh-proxy6",
    "bridge/fdb",
    "iptables-nft/ip",
    "iptables-nft/ip6",
    "iptables-legacy/ip",
    "iptables-legacy/ip6",
    "iptables/ip",
    "iptables/ip6",
    "nft/json",
    "nft/text",
    "ipset",
)
"""Sections that commands print and that a step can change."""
FIRST = {one.name: one.command for one in reversed(SECTIONS)}
"""The command that the collector tries first."""
PROC = {"legacy-tables/ip": "/proc/net/ip_tables_names", "legacy-tables/ip6": "/proc/net/ip6_tables_names"}
MODULES = "/proc/modules"
SYSCTL = ("grep", "-r", "", *SYSCTLS)
DEADLINE = 600.0
LIB = "/lib"
PATTERNS, MASKED = (
    tuple(
        f"{one.directory}/{pattern}" for one in DIRECTORIES if one.masked in kinds for pattern in one.patterns
    )
    for kinds in ((False, True), (True,))
)
MANAGED = re.compile(r"^table ip6? (filter|nat|mangle|raw|security) \{", re.MULTILINE)
"""Tables that iptables-nft-save prints; where it cannot print all of one, `nft` has to."""
TABLE = re.compile(r"^table ip6? (?:filter|nat|mangle|raw|security) \{\n.*?^\}\n?", re.MULTILINE | re.DOTALL)
SECRET = re.compile(r"/(stable_secret|tcp_fastopen_key|netdev_rss_key|fib_multipath_hash_seed):")
MOVING = re.compile(r"nf_conntrack_count:|/flush:")
TIMERS = re.compile(r'"[a-z_]*timer":[0-9.]+|"(?:valid|preferred)_life_time":\d+|"expires":\d+')
COUNTERS = {
    "iptables": re.compile(r"(?<=^:)(.*) \[\d+:\d+\]$", re.MULTILINE),
    "nft": re.compile(r"(counter packets )\d+ bytes \d+|( timeout \S+ expires )\w+"),
    "ipset": re.compile(r"(?<=^add )(.*?)(?: timeout \d+)?(?: packets \d+ bytes \d+)?$", re.MULTILINE),
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen."""

    name: str
    sections: tuple[Section, ...]
    others: Mapping[str, Found]
    """Files that no collector looks for."""
    digest: str
    """Of everything that lasts. It is only ever believed when it is equal to another one: then nothing has changed."""

    def state(self) -> NodeState:
        """The state that the sections tell."""
        return parse_node(self.sections, name=self.name)


class Looks:
    """Looks at one stage, on which the collector has been before."""

    def __init__(self, namespaces: Namespaces, name: str, first: Sequence[Section]) -> None:
        self._namespaces = namespaces
        self._name = name
        self._first = {section.name: section for section in first}
        self._commands = {
            name: FIRST[name] for name in COMMANDS if name in self._first and not self._first[name].skipped
        }
        self._usual = all(self._first[name].usable for name in (*self._commands, "sysctl", STREAM))
        self._whole_nft = bool(MANAGED.search(parse_node(first).native.text))

    def look(self, paths: Iterable[str] = ()) -> Seen | None:
        """The stage as it is, with the files at `paths`; None where only the collector can tell."""
        if not self._usual:
            return None
        running = self._namespaces.start((SYSCTL, *(one.split() for one in self._commands.values())))
        asked = set(paths)
        files = self._namespaces.files(PATTERNS, (*FILES, *PROC.values(), MODULES, LIB, *asked))
        sysctls, *done = self._namespaces.ended(running, DEADLINE)
        fresh = {
            name: _section(name, self._commands[name], one)
            for name, one in zip(self._commands, done, strict=True)
        }
        fresh["sysctl"] = Section(name="sysctl", argv="sysctls", text=_without_secrets(sysctls))
        if not all(section.usable for section in fresh.values()) or self._other_modules(
            files.pop(MODULES, None)
        ):
            return None
        for name, path in PROC.items():
            there = files.pop(path, None)
            fresh[name] = (
                Section(name=name, argv=path, text=there["text"])
                if there
                else Section(name=name, skipped=ABSENT)
            )
        if "link" in files.pop(LIB, {}):
            # What is reached by another name was found there.
            files = {path: one for path, one in files.items() if not path.startswith(f"{LIB}/")}
        others = {path: files.pop(path) for path in sorted(asked & files.keys()) if not wanted_file(path)}
        if any(map(self._needs_mask, files, files.values())):
            return None
        kept = (one for one in self._first.values() if one.name not in fresh and not _of_a_file(one.name))
        sections = (*kept, *fresh.values(), *_of_files(files))
        return Seen(self._name, sections, others, self._digest(fresh, {**files, **others}))

    def _other_modules(self, found: Found | None) -> bool:
        """A module more may be a subsystem more to ask."""
        first = self._first.get("modules")
        before = first.text if first is not None and first.usable else ""
        return _names(before) != _names(found["text"] if found else "")

    def _needs_mask(self, path: str, found: Found) -> bool:
        """A text with a key in it is not for us: what the collector has seen already has none any more."""
        if not any(fnmatchcase(path, pattern) for pattern in MASKED):
            return False
        first = self._first.get(f"file{path}")
        return first is None or first.text != found.get("text")

    def _digest(self, fresh: Mapping[str, Section], files: Mapping[str, Found]) -> str:
        whole = hashlib.sha256(json.dumps(files, sort_keys=True).encode("utf-8", "surrogateescape"))
        for name, section in fresh.items():
            for line in _lasting(name, section.text, whole_nft=self._whole_nft):
                whole.update(f"{line}\n".encode("utf-8", "surrogateescape"))
            whole.update(b"\0")
        return whole.hexdigest()


def _section(name: str, argv: str, done: Completed) -> Section:
    said = done.stderr.strip("\n").split("\n")
    stderr = said[0] if len(said) == 1 or said[0] == said[-1] else f"{said[0]} … {said[-1]}"
    return Section(name=name, argv=argv, text=done.stdout, status=done.status, stderr=stderr)


def _without_secrets(done: Completed) -> str:
    """What was printed and what was refused, as the collector tells both."""
    lines = f"{done.stdout}{done.stderr}".split("\n")
    return "\n".join(line for line in lines if not SECRET.search(line))


def _names(modules: str) -> frozenset[str]:
    return frozenset(line.split(" ", 1)[0] for line in modules.splitlines())


def _of_a_file(name: str) -> bool:
    return name.startswith(("file/", "link/")) or name == "modes"


def _of_files(files: Mapping[str, Found]) -> Iterator[Section]:
    for path, one in files.items():
        if "error" in one:
            yield Section(name=f"file{path}", argv=path, status=1, stderr=one["error"])
            continue
        if "link" in one:
            yield Section(name=f"link{path}", argv=path, text=f"{one['link']}\n")
        if "text" in one:
            yield Section(name=f"file{path}", argv=path, text=one["text"])
    modes = "".join(f"{one['mode']} {path}\n" for path, one in files.items() if "text" in one)
    if modes:
        yield Section(name="modes", argv="modes", text=modes)


def _lasting(name: str, text: str, *, whole_nft: bool) -> Iterable[str]:
    """The lines of a print without what moves by itself; in an order of their own where the print has none."""
    match name.partition("/")[0]:
        case "sysctl":
            return sorted(line for line in text.split("\n") if not MOVING.search(line))
        case "ip" if "neigh" in name and "proxy" not in name:
            return sorted(
                json.dumps(one) for one in json.loads(text or "[]") if "PERMANENT" in one.get("state", ())
            )
        case "bridge":
            return sorted(
                json.dumps(one) for one in json.loads(text or "[]") if one.get("state") == "permanent"
            )
        case "ip":
            return (TIMERS.sub("", text),)
        case "ipset":
            return sorted(COUNTERS["ipset"].sub(r"\1", text).split("\n"))
        case "nft":
            # Of the two forms one; without the tables that iptables prints, whose chains have no order.
            shown = "" if name == "nft/json" else text if whole_nft else TABLE.sub("", text)
            return (COUNTERS["nft"].sub(r"\1\2", shown),)
        case _:
            return _rules(COUNTERS["iptables"].sub(r"\1", text).split("\n"))


def _rules(lines: Iterable[str]) -> list[str]:
    """Rules keep their order within their chain; that of chains and tables is nobody's."""
    table = ""
    keyed: list[tuple[str, str, str]] = []
    for line in lines:
        if line.startswith("*"):
            table = line
        if line and not line.startswith("#"):
            words = line.split(" ", 2)
            keyed.append((table, words[1] if line.startswith("-") and len(words) > 1 else "", line))
    keyed.sort(key=lambda one: (one[0], one[1], "" if one[1] else one[2]))
    return [f"{place} {line}" for place, _, line in keyed]
