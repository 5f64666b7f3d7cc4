"""What ipset commands and `ipset restore` do to the sets of a node."""

from collections.abc import Iterator
from contextlib import suppress
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Network,
    ip_address,
    ip_network,
    summarize_address_range,
)
from itertools import product

from planner.models.change import Cause
from planner.models.node import NodeState
from planner.models.proposal import Command, Effect
from planner.models.ruleset import IpSet
from planner.models.source import Gap, Source
from planner.netfilter.words import split_words
from planner.proposal.outcome import Outcome

ACTIONS = {
    "n": "create",
    "create": "create",
    "-N": "create",
    "add": "add",
    "-A": "add",
    "del": "del",
    "-D": "del",
    "x": "destroy",
    "destroy": "destroy",
    "-X": "destroy",
    "flush": "flush",
    "-F": "flush",
    "rename": "rename",
    "e": "rename",
    "-E": "rename",
    "swap": "swap",
    "w": "swap",
    "-W": "swap",
    "list": "list",
    "save": "list",
    "test": "list",
    "-L": "list",
    "-S": "list",
    "-T": "list",
}
TOLERANT = frozenset({"-!", "-exist", "--exist"})
QUIET = frozenset({"-q", "-quiet", "--quiet", "-o", "-r", "-s"})
MOST_ELEMENTS = 65536
VOLATILE = frozenset({"timeout", "packets", "bytes"})
"""Element options that count or run down."""
FLAGS = frozenset({"counters", "comment", "forceadd", "skbinfo"})
PRINTED = (
    "range",
    "family",
    "markmask",
    "hashsize",
    "maxelem",
    "netmask",
    "bitmask",
    "size",
    "timeout",
    "counters",
    "comment",
    "forceadd",
    "skbinfo",
)
"""Options of a set in the order in which they are printed."""


class RefusedError(Exception):
    """The tool would refuse; a range is done up to the element that stops it."""

    def __init__(self, message: str, done: NodeState | None = None) -> None:
        super().__init__(message)
        self.done = done


def run_ipset(command: Command, state: NodeState) -> Outcome:
    """The node after one call of `ipset`; `ipset restore` reads `stdin`."""
    words = [word for word in command.argv[1:] if word not in QUIET]
    tolerant = any(word in TOLERANT for word in words)
    words = [word for word in words if word not in TOLERANT]
    unknown = state.gap("ipset")
    gaps: tuple[Gap, ...] = ()
    if unknown is not None:
        reason = f"laid on sets that are not known: {unknown.reason}"
        gaps = (Gap(section="ipset", reason=reason, source=command.source),)
    entries: list[tuple[Source, str | None]] = [(command.source, None)]
    if words and words[0] in {"restore", "-R"}:
        entries = [
            (Source(name=command.source.name, line=number), text) for number, text in _lines(command.stdin)
        ]
    effects: list[Effect] = []
    before = state
    for source, text in entries:
        entry = words if text is None else [w for w in split_words(text) if w not in TOLERANT | QUIET]
        lenient = tolerant or (text is not None and bool(TOLERANT & set(text.split())))
        try:
            after = _one(state, entry, tolerant=lenient)
        except RefusedError as refusal:
            if refusal.done is not None:
                effects.extend(_effects(state, refusal.done, source))
                state = refusal.done
            where = f"{source}: " if text is not None else ""
            return Outcome(state, tuple(effects), gaps, "" if unknown else f"ipset: {where}{refusal}")
        effects.extend(_effects(state, after, source))
        state = after
    return Outcome(state if effects else before, tuple(effects), gaps)


def _effects(before: NodeState, after: NodeState, source: Source) -> list[Effect]:
    former = {item.name: item for item in before.ipsets}
    latter = {item.name: item for item in after.ipsets}
    return [
        Effect(what=f"ipset/{name}", cause=Cause.PROPOSED, source=source)
        for name in sorted({*former, *latter})
        if former.get(name) != latter.get(name)
    ]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#") and line.strip() != "COMMIT":
            yield number, line


def elements(words: list[str], kind: str) -> list[str]:
    """Elements as the kernel keeps them: host bits masked, ranges of single addresses and ports spread out, ports with
    their protocol, without counters and remaining time (ipset(8); measured in tests/kernel/test_ipset_commands.py).
    """
    kept: list[str] = []
    position = 1
    while position < len(words):
        if words[position] in VOLATILE:
            position += 2
            continue
        if words[position] == "comment" and position + 1 < len(words):
            # Printed with its quotes, and not at all when it is empty; there is no way to write a quote inside.
            kept += ["comment", f'"{words[position + 1]}"'] if words[position + 1] else []
            position += 2
            continue
        kept.append(words[position])
        position += 1
    method, _, fields = kind.partition(":")
    parts = words[0].split(",")
    spread: list[list[str]] = [
        _values(part, field, method)
        for part, field in zip(parts, [*fields.split(","), *[""] * len(parts)], strict=False)
    ]
    total = 1
    for values in spread:
        total *= len(values)
    if total > MOST_ELEMENTS:
        raise RefusedError(f"`{words[0]}` stands for more than {MOST_ELEMENTS} elements")
    return [" ".join([",".join(chosen), *kept]) for chosen in product(*spread)]


def _values(part: str, field: str, method: str) -> list[str]:
    if field == "port":
        protocol, colon, ports = part.rpartition(":")
        first, dash, last = ports.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            return [part]
        prefix = "" if method == "bitmap" else f"{protocol if colon else 'tcp'}:"
        return [f"{prefix}{port}" for port in range(int(first), int(last or first) + 1)]
    if field == "mac":
        return [part.upper()]
    if field not in {"ip", "net"}:
        return [part]
    try:
        if "-" in part:
            first, _, last = part.partition("-")
            low, high = ip_address(first), ip_address(last)
            if isinstance(low, IPv4Address) and isinstance(high, IPv4Address):
                networks = list(summarize_address_range(low, high))
                return [_shown(address) for network in networks for address in _members(network, field)]
            return [part]
        return [_shown(network) for network in _members(ip_network(part, strict=False), field)]
    except ValueError:
        return [part]


def _members(network: IPv4Network | IPv6Network, field: str) -> list[IPv4Network | IPv6Network]:
    """A network as elements: itself in a set of networks, its addresses in a set of addresses."""
    if field == "net" or network.num_addresses > MOST_ELEMENTS or network.version == 6:
        return [network]
    return list(network.subnets(new_prefix=network.max_prefixlen))


def _shown(network: IPv4Network | IPv6Network) -> str:
    host = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if host else str(network)


def _find(state: NodeState, name: str) -> IpSet:
    for item in state.ipsets:
        if item.name == name:
            return item
    raise RefusedError(f"the set with the given name `{name}` does not exist")


def _replace(state: NodeState, *changed: IpSet, gone: tuple[str, ...] = ()) -> NodeState:
    kept = {item.name: item for item in state.ipsets if item.name not in gone}
    kept.update({item.name: item for item in changed})
    return state.model_copy(update={"ipsets": tuple(kept[name] for name in sorted(kept))})


def references(state: NodeState, name: str) -> int:
    """Rules and list:set members that name the set: while there are any it cannot be destroyed."""
    wanted = f"--match-set {name} "
    rules = sum(
        wanted in rule or f"-set {name} " in rule
        for ruleset in state.rulesets
        for table in ruleset.tables.values()
        for chain in table.chains.values()
        for rule in chain
    )
    return rules + sum(
        item.type == "list:set" and any(e.split()[0] == name for e in item.elements) for item in state.ipsets
    )


def _add(state: NodeState, item: IpSet, words: list[str], *, tolerant: bool) -> NodeState:
    present = {e.split()[0] for e in item.elements}
    together = list(item.elements)
    double = ""
    for added in elements(words, item.type):
        if added.split()[0] not in present:
            together.append(added)
        elif tolerant:
            # What it has besides is replaced (net/netfilter/ipset/ip_set_hash_gen.h, mtype_add: overwrite_extensions).
            together = [added if e.split()[0] == added.split()[0] else e for e in together]
        else:
            double = added
            break
    # The order of a list counts: the first set that matches decides.
    ordered = together if item.type == "list:set" else sorted(together)
    after = _replace(state, item.model_copy(update={"elements": tuple(ordered)}))
    if double:
        raise RefusedError(
            f"element `{double}` cannot be added to set `{item.name}`: it is there already", after
        )
    return after


def _delete(state: NodeState, item: IpSet, words: list[str], *, tolerant: bool) -> NodeState:
    present = {e.split()[0] for e in item.elements}
    gone: set[str] = set()
    missing = ""
    for one in elements(words, item.type):
        if one.split()[0] in present:
            gone.add(one.split()[0])
        elif not tolerant:
            missing = one
            break
    kept = tuple(e for e in item.elements if e.split()[0] not in gone)
    after = _replace(state, item.model_copy(update={"elements": kept}))
    if missing:
        raise RefusedError(
            f"element `{missing}` cannot be deleted from set `{item.name}`: it is not there", after
        )
    return after


def created(kind: str, words: list[str]) -> str:
    """Options as `ipset save` prints them: in its order, with what the kernel takes where nothing is said (measured, 7.17)."""
    said: dict[str, str] = {}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        said[word] = "" if word in FLAGS or not rest else rest.pop(0)
    if kind.startswith("hash:"):
        usual = {"hashsize": "1024", "maxelem": "65536", **({} if kind == "hash:mac" else {"family": "inet"})}
        said = {**usual, **said}
    elif kind == "list:set":
        said.setdefault("size", "8")
    if kind.startswith("bitmap:ip") and "/" in said.get("range", ""):
        with suppress(ValueError):
            network = ip_network(said["range"], strict=False)
            said["range"] = f"{network[0]}-{network[-1]}"
    said.pop("forceadd", None)  # Taken, and not printed (measured, 7.17 on Linux 6.18).
    known = [name for name in PRINTED if name in said]
    return " ".join(
        f"{name} {said[name]}".strip() for name in (*known, *(n for n in said if n not in PRINTED))
    )


def _one(state: NodeState, words: list[str], *, tolerant: bool) -> NodeState:
    if not words or words[0] not in ACTIONS:
        raise RefusedError(f"unknown command `{' '.join(words[:1])}`")
    action, rest = ACTIONS[words[0]], words[1:]
    needed = {"create": 2, "add": 2, "del": 2, "rename": 2, "swap": 2}.get(action, 0)
    if len(rest) < needed:
        raise RefusedError(f"`{words[0]}` needs {needed} words")
    match action:
        case "create":
            name, kind = rest[0], rest[1]
            options = created(kind, rest[2:])
            same = next((item for item in state.ipsets if item.name == name), None)
            if same is not None:
                if tolerant and same.type == kind:
                    return state
                raise RefusedError(f"set `{name}` cannot be created: it exists already")
            return _replace(state, IpSet(name=name, type=kind, options=options))
        case "add":
            return _add(state, _find(state, rest[0]), rest[1:], tolerant=tolerant)
        case "del":
            return _delete(state, _find(state, rest[0]), rest[1:], tolerant=tolerant)
        case "flush":
            names = [_find(state, rest[0])] if rest else list(state.ipsets)
            return _replace(state, *(item.model_copy(update={"elements": ()}) for item in names))
        case "destroy":
            doomed = [_find(state, rest[0])] if rest else list(state.ipsets)
            for item in doomed:
                if references(state, item.name):
                    raise RefusedError(f"set `{item.name}` cannot be destroyed: it is in use")
            return _replace(state, gone=tuple(item.name for item in doomed))
        case "rename":
            item = _find(state, rest[0])
            if any(other.name == rest[1] for other in state.ipsets):
                raise RefusedError(f"set `{rest[1]}` exists already")
            if references(state, item.name):
                raise RefusedError(f"set `{item.name}` cannot be renamed: it is in use")
            return _replace(state, item.model_copy(update={"name": rest[1]}), gone=(item.name,))
        case "swap":
            first, second = _find(state, rest[0]), _find(state, rest[1])
            return _replace(
                state,
                first.model_copy(update={"name": second.name}),
                second.model_copy(update={"name": first.name}),
            )
        case _:
            return state
