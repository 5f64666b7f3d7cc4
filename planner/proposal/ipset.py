"""What ipset commands and `ipset restore` do to the sets of a node."""

from collections.abc import Iterator

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
FLAGS = frozenset({"-q", "-quiet", "--quiet", "-o", "-r", "-s"})
VOLATILE = frozenset({"timeout", "packets", "bytes"})
"""Element options that count or run down."""


class RefusedError(Exception):
    """The tool would refuse."""


def run_ipset(command: Command, state: NodeState) -> Outcome:
    """The node after one call of `ipset`; `ipset restore` reads `stdin`."""
    words = [word for word in command.argv[1:] if word not in FLAGS]
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
        entry = words if text is None else [w for w in split_words(text) if w not in TOLERANT | FLAGS]
        lenient = tolerant or (text is not None and bool(TOLERANT & set(text.split())))
        try:
            after = _one(state, entry, tolerant=lenient)
        except RefusedError as refusal:
            where = f"{source}: " if text is not None else ""
            return Outcome(state, tuple(effects), gaps, "" if unknown else f"ipset: {where}{refusal}")
        effects.extend(
            Effect(what=f"ipset/{name}", cause=Cause.PROPOSED, source=source)
            for name in _touched(state, after)
        )
        state = after
    return Outcome(state if effects else before, tuple(effects), gaps)


def _touched(before: NodeState, after: NodeState) -> list[str]:
    former = {item.name: item for item in before.ipsets}
    latter = {item.name: item for item in after.ipsets}
    return [name for name in sorted({*former, *latter}) if former.get(name) != latter.get(name)]


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#") and line.strip() != "COMMIT":
            yield number, line


def element(words: list[str]) -> str:
    """An element as it is compared: without counters and remaining time, host lengths dropped as ipset prints them."""
    first = words[0].lower().removesuffix("/32") if "." in words[0] else words[0].lower().removesuffix("/128")
    kept: list[str] = []
    position = 1
    while position < len(words):
        if words[position] in VOLATILE:
            position += 2
            continue
        kept.append(words[position])
        position += 1
    return " ".join([first, *kept])


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
            options = " ".join(rest[2:])
            present = next((item for item in state.ipsets if item.name == name), None)
            if present is not None:
                if tolerant and present.type == kind:
                    return state
                raise RefusedError(f"set `{name}` cannot be created: it exists already")
            return _replace(state, IpSet(name=name, type=kind, options=options))
        case "add":
            item = _find(state, rest[0])
            added = element(rest[1:])
            if any(e.split()[0] == added.split()[0] for e in item.elements):
                if tolerant:
                    return state
                raise RefusedError(
                    f"element `{added}` cannot be added to set `{item.name}`: it is there already"
                )
            return _replace(
                state, item.model_copy(update={"elements": tuple(sorted((*item.elements, added)))})
            )
        case "del":
            item = _find(state, rest[0])
            gone = element(rest[1:]).split()[0]
            kept = tuple(e for e in item.elements if e.split()[0] != gone)
            if len(kept) == len(item.elements) and not tolerant:
                raise RefusedError(
                    f"element `{gone}` cannot be deleted from set `{item.name}`: it is not there"
                )
            return _replace(state, item.model_copy(update={"elements": kept}))
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
