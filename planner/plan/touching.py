"""Which things a command of an undo writes, by the names that the checks give them."""

from collections.abc import Sequence
from itertools import pairwise

LINK_WORDS = {
    "mtu": "MTU of {}",
    "up": "{}, counted when it is up,",
    "down": "{}, counted when it is up,",
    "master": "master of {}",
    "nomaster": "master of {}",
    "address": "hardware address of {}",
}


def touched(argv: Sequence[str]) -> frozenset[str]:
    """Names of things; none where nothing that is read back is written, or nobody else can have changed it."""
    words = list(argv)
    match words:
        case ["sysctl", "-w", setting]:
            return frozenset({setting.partition("=")[0]})
        case ["install", *_] | ["ln", *_] | ["rm", *_]:
            path = words[-1]
            return frozenset({path, f"symbolic link {path}", f"mode of {path}"})
        case ["bridge", "fdb", _, mac, "dev", link, *rest]:
            return _entry(mac, link, _options(rest))
        case ["ip", "nexthop", _, "id", key, *_]:
            return frozenset({f"nexthop object {key}", f"number of nexthop objects with id {key}"})
        case ["ip", "neighbour", _, "to", address, *rest]:
            return frozenset({f"permanent neighbour {address} on {_options(rest).get('dev', '')}"})
        case ["ip", "link", "set", "dev", link, *rest]:
            return frozenset(LINK_WORDS[word].format(link) for word in rest[:1] if word in LINK_WORDS)
        case ["sh", "-c", _, "address", link, _]:
            return frozenset({LINK_WORDS["address"].format(link)})
        case ["ip", "-4" | "-6", "address", _, *rest]:
            return frozenset({f"addresses of {_options(rest).get('dev', '')}"})
        case ["ip", "-4" | "-6" as option, "rule", _, "pref", preference, *_]:
            name = f"{preference} ({'ip6' if option == '-6' else 'ip'})"
            return frozenset({f"policy rule {name}", f"number of policy rules {name}"})
        case ["ip", "-4" | "-6", "route", _, *rest] if len(rest) > 3 and rest[2] == "table":
            name = f"{rest[1]}" + (f" of table {rest[3]}" if rest[3] != "254" else "")
            return frozenset({f"route {name}", f"number of routes to {name}"})
        case _:
            return frozenset()


def _options(words: Sequence[str]) -> dict[str, str]:
    return dict(pairwise(words))


def _entry(mac: str, link: str, options: dict[str, str]) -> frozenset[str]:
    vlans = f" of VLAN {options['vlan']}" if "vlan" in options else ""
    name = f"forwarding entry {mac}{vlans}"
    places = ["", *([f" to {options['dst']}"] if "dst" in options else [])]
    return frozenset(f"{name}{place} on {link}" for place in places)
