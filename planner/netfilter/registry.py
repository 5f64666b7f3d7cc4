"""Which extensions there are: found by walking the packages, each loaded when a rule first names it."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from planner.netfilter import matches, targets
from planner.netfilter.extension import Match, Target

MATCH_ALIASES = {"icmpv6": "icmp6", "ipv6-icmp": "icmp6", "mobility-header": "mh", "ipv6-mh": "mh"}
"""What `xtables_find_match` takes for one name (libxtables/xtables.c), and protocols whose match is named otherwise."""


@cache
def match_names() -> frozenset[str]:
    """Every match extension."""
    return frozenset(module.name for module in iter_modules(matches.__path__))


@cache
def target_names() -> frozenset[str]:
    """Every target extension."""
    return frozenset(module.name.upper() for module in iter_modules(targets.__path__))


@cache
def find_match(name: str) -> Match | None:
    """The match of this name, or None when it is not known here."""
    name = MATCH_ALIASES.get(name, name)
    if name not in match_names():
        return None
    extension = import_module(f"{matches.__name__}.{name}").EXTENSION
    if not isinstance(extension, Match) or extension.name != name:
        raise TypeError(f"{name} declares no match of its own name")
    return extension


@cache
def find_target(name: str) -> Target | None:
    """The target of this name, or None when it is a chain or not known here."""
    if name not in target_names():
        return None
    extension = import_module(f"{targets.__name__}.{name.lower()}").EXTENSION
    if not isinstance(extension, Target) or extension.name != name:
        raise TypeError(f"{name} declares no target of its own name")
    return extension
