"""Any command of `ip` or `bridge`: which object, which action."""

from collections.abc import Sequence

from planner.iproute.address import run_address
from planner.iproute.grammar import ACTIONS, BRIDGE_LINK, BRIDGE_OBJECTS, OBJECTS, READING, complete
from planner.iproute.link import run_link
from planner.iproute.neighbour import run_fdb, run_neighbour
from planner.iproute.nexthop import run_nexthop
from planner.iproute.port import run_port
from planner.iproute.route import run_route
from planner.iproute.rule import run_rule
from planner.iproute.world import NotModelledError, World
from planner.models.node import NodeState
from planner.models.source import Source

FAMILIES = {"-4": "ip", "-6": "ip6", "inet": "ip", "inet6": "ip6"}
WITHOUT_VALUE = frozenset(
    {
        "-s",
        "-d",
        "-o",
        "-r",
        "-t",
        "-j",
        "-p",
        "-N",
        "-br",
        "-c",
        "-a",
        "-h",
        "-iec",
        "-force",
        "-stats",
        "-statistics",
        "-details",
    }
    | {
        "-oneline",
        "-resolve",
        "-timestamp",
        "-json",
        "-pretty",
        "-Numeric",
        "-brief",
        "-color",
        "-all",
        "-ts",
        "-tshort",
    }
)


def run(argv: Sequence[str], state: NodeState, source: Source) -> World:
    """The world after a command. Raises `RefusedError` when the real command fails and
    `NotModelledError` or `NotUnderstoodError` when it is not known what it does; the state then is as it was.
    """
    world = World(state, source)
    tool = argv[0].rpartition("/")[2] if argv else ""
    family, words = _options(argv[1:])
    _dispatch(world, tool, family, words)
    return world


def _dispatch(world: World, tool: str, family: str, words: Sequence[str]) -> None:
    if not words:
        raise NotModelledError("a command without an object")
    if tool == "bridge":
        what = complete(words[0], BRIDGE_OBJECTS, "Object")
        if what == "link":
            action = complete(words[1] if len(words) > 1 else "show", BRIDGE_LINK, "Command")
            if action not in READING:
                run_port(world, words[2:])
            return
        if what != "fdb":
            if len(words) > 1 and words[1] in READING:
                return
            raise NotModelledError(f"`bridge {words[0]}`")
        action = complete(words[1] if len(words) > 1 else "show", ACTIONS["fdb"], "Command")
        if action in READING:
            return
        if action == "flush":
            raise NotModelledError("`bridge fdb flush`")
        run_fdb(world, action, words[2:])
        return
    what = complete(words[0], OBJECTS, "Object")
    if what not in ACTIONS:
        raise NotModelledError(f"`ip {what}`")
    action = complete(words[1] if len(words) > 1 else "show", ACTIONS[what], "Command")
    if action in READING:
        return
    _run(world, what, action, words[2:], family)


def _run(world: World, what: str, action: str, words: Sequence[str], family: str) -> None:
    if action in {"save", "restore"}:
        raise NotModelledError(f"`ip {what} {action}`")
    match what:
        case "route":
            run_route(world, action, words, family)
        case "rule":
            run_rule(world, action, words, family)
        case "address":
            run_address(world, action, words, family)
        case "link":
            run_link(world, action, words)
        case "neighbor":
            run_neighbour(world, action, words, family)
        case "nexthop":
            run_nexthop(world, action, words)
        case _:
            raise NotModelledError(f"`ip {what}`")


def _options(words: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Options before the object: the family counts, what only shapes the output does not."""
    family = ""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        if words[at] == "--":
            at += 1
            break
        word = words[at].replace("--", "-", 1)
        if word in FAMILIES:
            family = FAMILIES[word]
        elif len(word) > 1 and "-family".startswith(word):
            at += 1
            value = words[at] if at < len(words) else ""
            if value not in FAMILIES:
                raise NotModelledError(f"the family `{value}`")
            family = FAMILIES[value]
        elif word not in WITHOUT_VALUE:
            raise NotModelledError(f"the option `{word}`")
        at += 1
    return family, tuple(words[at:])
