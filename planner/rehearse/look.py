"""A stage seen again: the collector's commands and its reader, without what cannot change there, in few processes at once.

What the first look of the collector found tells which commands there are. Whatever is not as usual (a command that fails, another
module, a file with a key in it) is left to the collector.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from planner.collect.sections import DIRECTORIES, FILES, SECTIONS, SYSCTLS, wanted_file
from planner.models.node import ConfigFile, NodeState
from planner.models.section import Section
from planner.parse.node import parse_node
from planner.parse.sections import ABSENT
from planner.parse.stream import STREAM
from planner.rehearse.digest import MANAGED, digest
from planner.rehearse.inside.files import Found
from planner.rehearse.namespaces import Namespaces
from planner.rehearse.process import Completed
from planner.rehearse.rebuild import tentative

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
DEADLINE = 600.0
LIB = "/lib"
PLACE = "/run/netchange-look"
"""Where the batches of `ip` lie on the stage."""
PATTERNS, MASKED = (
    tuple(
        f"{one.directory}/{pattern}" for one in DIRECTORIES if one.masked in kinds for pattern in one.patterns
    )
    for kinds in ((False, True), (True,))
)
MASKING = re.compile(r"key|pass|psk|secret|token", re.IGNORECASE)
"""A text without any of these has nothing that the collector masks."""
SECRET = re.compile(
    r"^.*/(?:stable_secret|tcp_fastopen_key|netdev_rss_key|fib_multipath_hash_seed):.*\n?", re.MULTILINE
)


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

    @property
    def tentative(self) -> bool:
        """Whether an address still has to be found to be nobody else's: its local route comes only then."""
        return any(tentative(one.text) for one in self.sections if one.name == "ip/addr")


class Looks:
    """Looks at one stage, on which the collector has been before."""

    def __init__(self, namespaces: Namespaces, name: str, first: Sequence[Section]) -> None:
        self._namespaces = namespaces
        self._name = name
        self._first = {section.name: section for section in first}
        self._names = [name for name in COMMANDS if name in self._first and not self._first[name].skipped]
        self._usual = all(self._first[name].usable for name in (*self._names, "sysctl", STREAM))
        self._whole_nft = bool(MANAGED.search(parse_node(first).native.text))
        self._commands = tuple(_commands(self._names))
        self._sysctls = ("", "")
        lines = {
            argv[-1]: "".join(f"{line}\n" for line in batch) for argv, _, batch in self._commands if batch
        }
        namespaces.write({path: ConfigFile(text=text) for path, text in lines.items()})

    def look(self, paths: Iterable[str] = ()) -> Seen | None:
        """The stage as it is, with the files at `paths`; None where only the collector can tell."""
        if not self._usual:
            return None
        running = self._namespaces.start([argv for argv, _, _ in self._commands])
        sysctls = self._values()
        asked = set(paths)
        files = self._namespaces.files(PATTERNS, (*FILES, *PROC.values(), MODULES, LIB, *asked))
        done = self._namespaces.ended(running, DEADLINE)
        fresh = {
            section.name: section
            for one, (_, names, _) in zip(done, self._commands, strict=True)
            for section in _sections(names, one)
        }
        fresh["sysctl"] = Section(name="sysctl", argv="sysctls", text=sysctls)
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
        told = digest(fresh.values(), {**files, **others}, whole_nft=self._whole_nft)
        return Seen(self._name, sections, others, told)

    def _values(self) -> str:
        """Of sysctls, most often the very text of the last look: what was made of it is known then."""
        read = self._namespaces.values(SYSCTLS)
        if read != self._sysctls[0]:
            self._sysctls = read, _without_secrets(read)
        return self._sysctls[1]

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
        text = found.get("text", "")
        return (first is None or first.text != text) and bool(MASKING.search(text))


def _commands(names: Sequence[str]) -> Iterator[tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]]:
    """Command lines, the sections that each prints, and the lines of those that are a batch of `ip`."""
    batches: dict[tuple[str, ...], list[tuple[str, str]]] = {}
    for name in names:
        words = FIRST[name].split()
        last = next((at for at, word in enumerate(words) if at and not word.startswith("-")), len(words))
        if words[0] == "ip" and "-j" in words:
            batches.setdefault(tuple(words[:last]), []).append((name, " ".join(words[last:])))
        else:
            yield tuple(words), (name,), ()
    for number, (prefix, lines) in enumerate(batches.items()):
        sections, commands = zip(*lines, strict=True)
        yield (*prefix, "-batch", f"{PLACE}/{number}"), sections, commands


def _sections(names: Sequence[str], done: Completed) -> Iterator[Section]:
    """In JSON each command of a batch prints one line (iproute2, lib/json_print.c)."""
    parts: Sequence[str] = (
        [f"{line}\n" for line in done.stdout.splitlines()] if len(names) > 1 else [done.stdout]
    )
    whole = done.status == 0 and not (done.stderr and len(names) > 1) and len(parts) == len(names)
    said = done.stderr.strip("\n").split("\n")
    stderr = said[0] if said[0] == said[-1] else f"{said[0]} … {said[-1]}"
    for name, text in zip(names, parts if whole else [""] * len(names), strict=True):
        yield Section(name=name, argv=FIRST[name], text=text, status=0 if whole else 1, stderr=stderr)


def _without_secrets(text: str) -> str:
    """As the collector leaves them out."""
    return SECRET.sub("", text)


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
