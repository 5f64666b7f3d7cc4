"""What is known of each sysctl: type, scope, range, default, and how `all` and a link's own value combine."""

import difflib
import fnmatch
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from planner.sysctls.names import ALL, KEPT, conf, link_key
from planner.sysctls.numbers import number


class Scope(StrEnum):
    """Where a value lives."""

    INIT_ONLY = "init-only"
    """Once per machine; other network namespaces do not have it, or may only read it."""
    PER_NETNS = "per-netns"
    PER_INTERFACE = "per-interface"
    GLOBAL = "global"
    PER_USER = "per-user"


class Takes(StrEnum):
    """When a written value takes effect."""

    IMMEDIATELY = "immediately"
    MODULE_LOAD = "module-load"
    NAMESPACE_CREATION = "namespace-creation"
    NEW_CONNECTIONS = "new-connections"
    NEW_INTERFACES = "new-interfaces"
    NEW_SOCKETS = "new-sockets"
    NEXT_LISTEN_CALL = "next-listen-call"
    NEXT_PACKET = "next-packet-of-each-flow"
    NO_EFFECT = "no-effect"
    READ_ONLY = "read-only"


class Combine(StrEnum):
    """How `conf.all` and a link's own value make the effective value."""

    OWN = "own"
    OR = "or"
    AND = "and"
    MAX = "max"
    MIN = "min"
    ALL_FIRST = "all-first"
    """`all` when it is not 0, else the link's own."""
    ALL_ONLY = "all-only"
    """`all` decides; the link's own value means something else."""
    REDIRECTS = "redirects"
    """AND while the link forwards, OR while it does not."""
    OTHER = "other"


class Template(StrEnum):
    """What writes to `all` and `default` do to links."""

    IPV4_DEFAULT_COPIES = "ipv4-default-copies"
    """`default` also reaches links without an IPv4 address on which the knob was never written."""
    IPV4_DEFAULT_NEW_ONLY = "ipv4-default-new-only"
    IPV4_FORWARDING = "ipv4-forwarding"
    IPV6_ALL_DEAD = "ipv6-all-dead"
    """Nothing reads `conf.all`, and nothing is copied from it."""
    IPV6_ALL_COMBINED = "ipv6-all-combined"
    IPV6_ALL_COPIED = "ipv6-all-copied"
    NEIGHBOUR = "neighbour"


@dataclass(frozen=True, slots=True)
class SysctlFact:
    """One entry of the catalogue; `<iface>` in the pattern stands for a link, `all` or `default`."""

    pattern: str
    type: str
    """bool, int, enum, bitmask, vector, string."""
    scope: Scope
    takes_effect: Takes
    effect: str
    """What it does, a sentence."""
    unit: str = ""
    defaults: tuple[tuple[str, str], ...] = ()
    """The kernel's own default, for `all`, and for `*`: everything else."""
    low: int | None = None
    high: int | None = None
    """What the kernel accepts; None: no bound of its own."""
    module: str = ""
    """Kernel module that brings the key."""
    combine: Combine | None = None
    template: Template | None = None
    removed: str = ""
    rollback: str = ""
    full: bool = False
    """Studied by hand."""

    def default(self, key: str) -> str | None:
        """The value a freshly booted kernel gives this key; None when it depends on the machine."""
        parts = link_key(key)
        by_link = dict(self.defaults)
        if parts is not None and parts.link == ALL and ALL in by_link:
            return by_link[ALL]
        return by_link.get("*")


def _fact(raw: dict[str, Any]) -> SysctlFact:
    default = raw.get("default")
    low, high = raw.get("range", (None, None))
    defaults = default if isinstance(default, dict) else {} if default is None else {"*": default}
    return SysctlFact(
        pattern=raw["pattern"],
        type=raw["type"],
        scope=Scope(raw["scope"]),
        takes_effect=Takes(raw["takes_effect"]),
        effect=raw["effect"],
        unit=raw.get("unit", ""),
        defaults=tuple(sorted((str(k), str(v)) for k, v in defaults.items())),
        low=low,
        high=high,
        module=raw.get("module", ""),
        combine=Combine(raw["combine"]) if "combine" in raw else None,
        template=Template(raw["template"]) if "template" in raw else None,
        removed=raw.get("removed", ""),
        rollback=raw.get("rollback", ""),
        full=raw.get("full", False),
    )


@cache
def _load() -> tuple[dict[str, SysctlFact], dict[str, str], dict[str, tuple[str | None, str]]]:
    raw = json.loads(files("planner.sysctls").joinpath("catalogue.json").read_text(encoding="utf-8"))
    facts = {entry["pattern"]: _fact(entry) for entry in raw["sysctls"]}
    misses = {m["written"]: (m["meant"], m["why"]) for m in raw["near_misses"]}
    return facts, raw["obsolete"], misses


def facts() -> tuple[SysctlFact, ...]:
    """The whole catalogue, by pattern."""
    return tuple(_load()[0].values())


@lru_cache(maxsize=KEPT)
def lookup(key: str) -> SysctlFact | None:
    """What is known of a canonical key; None when nothing is."""
    known = _load()[0]
    parts = link_key(key)
    if parts is None:
        found = known.get(key)
        return found if found is not None else _by_wildcard(key)
    return known.get(parts.pattern)


def _by_wildcard(key: str) -> SysctlFact | None:
    words = key.split(".")
    for pattern, fact in _load()[0].items():
        if "<" not in pattern:
            continue
        parts = pattern.split(".")
        if len(parts) == len(words) and all(
            p == w or p.startswith("<") for p, w in zip(parts, words, strict=True)
        ):
            return fact
    return None


def obsolete(key: str) -> str | None:
    """Why a key no longer exists in current kernels; None when it does, or nothing is known."""
    for pattern, note in sorted(_load()[1].items()):
        if fnmatch.fnmatchcase(key, pattern):
            return note
    return None


def why_not(key: str) -> str:
    """What is wrong with a well-known slip, a short reason; empty for others."""
    miss = _load()[2].get(key)
    return miss[1] if miss else ""


def suggest(key: str) -> str | None:
    """The key that was probably meant, for one that does not exist; None when nothing is near."""
    known, _, misses = _load()
    if key in misses:
        meant = misses[key][0]
        return None if meant is None else meant.replace("<iface>", ALL)
    parts = link_key(key)
    if lookup(key) is not None or not key.startswith(("net.", "fs.", "kernel.", "user.")):
        return None
    wanted = parts.pattern if parts is not None else key
    near = difflib.get_close_matches(wanted, [p for p in known if p != wanted], n=1, cutoff=0.88)
    if near:
        found = near[0]
        return found.replace("<iface>", parts.link.replace(".", "/") if parts is not None else ALL)
    folded = key.replace("_", "").replace("-", "").lower()
    for pattern in known:
        if pattern.replace("_", "").replace("-", "") == folded:
            return pattern
    return None


def effective(key: str, sysctls: Mapping[str, str]) -> str | None:
    """What the kernel acts on for one link: its own value combined with `conf.all`. Other keys: the value itself.

    Combinations as in include/linux/inetdevice.h (IN_DEV_ORCONF, IN_DEV_ANDCONF, IN_DEV_MAXCONF) and its IPv6
    readers. None when a value that it depends on is not known.
    """
    parts = link_key(key)
    own = sysctls.get(key)
    if parts is None or not parts.real or parts.group != "conf":
        return own
    fact = lookup(key)
    everywhere = sysctls.get(conf(parts.family, ALL, parts.knob))
    match fact.combine if fact else None:
        case None | Combine.OWN | Combine.OTHER:
            return own
        case Combine.ALL_ONLY:
            return everywhere
        case Combine.ALL_FIRST:
            return own if number(everywhere) == 0 else everywhere
        case Combine.REDIRECTS:
            forwards = number(sysctls.get(conf(parts.family, parts.link, "forwarding")))
            if forwards is None:
                return None
            return _combined(Combine.AND if forwards else Combine.OR, everywhere, own)
        case combine:
            return _combined(combine, everywhere, own)


def _combined(combine: Combine, everywhere: str | None, own: str | None) -> str | None:
    left, right = number(everywhere), number(own)
    if left is None or right is None:
        return None
    match combine:
        case Combine.MAX:
            return str(max(left, right))
        case Combine.MIN:
            return str(min(left, right))
        case Combine.AND:
            return str(int(bool(left) and bool(right)))
        case _:
            return str(int(bool(left) or bool(right)))


def is_dead(key: str) -> bool:
    """Whether no code reads this key: a write is accepted and changes nothing."""
    fact = lookup(key)
    if fact is None:
        return False
    if fact.takes_effect is Takes.NO_EFFECT:
        return True
    parts = link_key(key)
    return parts is not None and parts.link == ALL and fact.template is Template.IPV6_ALL_DEAD
