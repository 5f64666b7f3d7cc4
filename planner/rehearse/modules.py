"""Kernel modules: which ones a node's state would bring to the machine that it is rebuilt on.

The kernel loads modules for whoever asks, also from inside a namespace, and for the whole machine: br_netfilter, which
`-m physdev` asks for, turns on filtering for every bridge there is (net/netfilter/xt_physdev.c, net/bridge/br_netfilter_hooks.c).
"""

import os
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from planner.models.node import NodeState
from planner.models.ruleset import Ruleset

_EXTENSION = re.compile(r"(?:^| )(-[mj]) (\S+)")
VERDICTS = frozenset({"ACCEPT", "DROP", "QUEUE", "RETURN"})
STAND_INS = "tun"


class Modules:
    """What the running kernel has, and what its folder of modules could add."""

    def __init__(self, root: Path = Path("/")) -> None:
        release = os.uname().release
        self._list = root / "proc/modules"
        self._loaded = _first_words(self._list)
        folder = root / "lib/modules" / release
        self._built_in = _files(folder / "modules.builtin")
        self._there = _files(folder / "modules.dep")
        self._system = root / "sys/module"
        self._aliases: dict[str, str] = {}
        self._patterns: list[tuple[str, str]] = []
        for words in map(str.split, _lines(folder / "modules.alias")):
            if len(words) == 3 and words[0] == "alias":
                alias = words[1].replace("-", "_")
                if any(sign in alias for sign in "*?["):
                    self._patterns.append((alias, words[2]))
                else:
                    self._aliases[alias] = words[2]

    def would_load(self, name: str) -> str:
        """The module that asking for `name` brings; empty when it is there already, or nowhere."""
        if self._loaded is None:
            return ""  # A kernel without modules.
        wanted = name.replace("-", "_")
        module = self._aliases.get(wanted) or (wanted if wanted in self._there | self._built_in else "")
        if not module:
            module = next((held for alias, held in self._patterns if fnmatchcase(wanted, alias)), "")
        module = module.replace("-", "_")
        if not module or module in self._loaded | self._built_in or (self._system / module).is_dir():
            return ""
        return module

    def new(self) -> tuple[str, ...]:
        """What was loaded since this was read."""
        return tuple(sorted((_first_words(self._list) or frozenset()) - (self._loaded or frozenset())))


def needed(states: Iterable[NodeState], modules: Modules) -> tuple[str, ...]:
    """Modules that rebuilding one of the states would bring, sorted."""
    names = {name for state in states for name in _names(state)}
    return tuple(sorted({module for name in names if (module := modules.would_load(name))}))


def _names(state: NodeState) -> Iterator[str]:
    """What the kernel would be asked for: module names, and the aliases that it makes of links and extensions."""
    yield STAND_INS
    for kind in {link.kind for link in state.links} & {"bridge", "vxlan", "veth"}:
        yield f"rtnl-link-{kind}"
    for ruleset in state.rulesets:
        yield from _ruleset(ruleset)
    if state.native.text.strip():
        yield "nf_tables"
    for ipset in state.ipsets:
        yield "ip_set"
        yield f"ip_set_{ipset.type.replace(':', '_').replace(',', '')}"


def _ruleset(ruleset: Ruleset) -> Iterator[str]:
    prefix = "ip6" if ruleset.family == "ip6" else "ip"
    if ruleset.tables and ruleset.backend == "nft":
        yield from ("nf_tables", "nft_compat")
    for name, table in ruleset.tables.items():
        if ruleset.backend == "legacy":
            yield f"{prefix}table_{name}"
        asked: set[tuple[str, str]] = set()
        for rules in table.chains.values():
            asked.update(pair for rule in rules for pair in _EXTENSION.findall(rule))
        for option, extension in asked:
            if option == "-m" or (extension not in table.chains and extension not in VERDICTS):
                # Both names are tried (net/netfilter/x_tables.c, xt_request_find_match and xt_request_find_target).
                yield f"{prefix}t_{extension}"
                yield f"xt_{extension}"


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _first_words(path: Path) -> frozenset[str] | None:
    if not path.exists():
        return None
    return frozenset(line.split()[0].replace("-", "_") for line in _lines(path) if line.strip())


def _files(path: Path) -> frozenset[str]:
    """Names of modules in a list of files."""
    found = (re.match(r"(?:[^:]*/)?([^/:]+?)\.ko(?:\.\w+)?(?::|$)", line) for line in _lines(path))
    return frozenset(match[1].replace("-", "_") for match in found if match)
