"""What `nft -f` and commands of nft do to the tables of a node: one transaction."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from planner.models.change import Cause
from planner.models.node import NodeState
from planner.models.proposal import Command, Effect
from planner.models.ruleset import NativeRuleset
from planner.models.source import Gap, Source
from planner.nft.apply import Carried, RefusalError, carry_out
from planner.nft.commands import AddRule, At, TableKey
from planner.nft.commands import Command as NftCommand
from planner.nft.reader import read_alone, read_commands
from planner.nft.rules import links_of
from planner.nft.state import Recorded, UnreadableTableError
from planner.nft.tokens import SyntaxMistakeError
from planner.proposal.nft_managed import Managed
from planner.proposal.outcome import Outcome

PLACES = ("/etc/", "/etc/nftables/")
"""Where nft looks for an included file that is given by its name alone (nft(8), INCLUDE FILES)."""
STREAMS = frozenset({"-", "/dev/stdin"})
VALUED = frozenset({"-f", "--file", "-I", "--includepath", "-D", "--define"})


def run_nft(command: Command, state: NodeState) -> Outcome:
    """The node after one call of `nft`."""
    call = _call(command, state)
    if isinstance(call, str):
        return _gap(state, command.source, call) if call else Outcome(state)
    text, name = call
    missing: list[tuple[int, str]] = []
    try:
        commands: Sequence[NftCommand] = (
            list(read_commands(text, include=lambda path: included(path, state), missing=missing))
            if "include" in text
            else read_alone(text)
        )
    except SyntaxMistakeError as error:
        return Outcome(state, error=f"nft: {_where(command, At(error.line), name)}: {error.message}")
    return _transaction(commands, missing, command, state, name)


def _call(command: Command, state: NodeState) -> tuple[str, str] | str:
    """The text that is read, and the file's name where it is not that of the command; or why it is not known."""
    words = list(command.argv[1:])
    path = ""
    rest: list[str] = []
    while words:
        word = words.pop(0)
        if word in {"-c", "--check", "-v", "-V", "-h", "--version", "--help"}:
            return ""
        if word in {"-j", "--json"}:
            return (
                ""
                if "list" in words
                else "not understood: `nft -j` reads commands as JSON, which is not modelled"
            )
        if word in VALUED and words:
            value = words.pop(0)
            if word in {"-f", "--file"}:
                path = value
            else:
                return f"not understood: `nft {word}` changes what the file means"
        elif word.startswith("-f") and len(word) > len("-f"):
            path = word.removeprefix("-f")
        elif word == "--" or (word.startswith("-") and not rest):
            continue
        else:
            rest.append(word)
    if not path:
        return (" ".join(rest) + "\n", "") if rest else ""
    if path in STREAMS:
        return command.stdin, ""
    file = state.files.get(path)
    if file is None:
        return f"not understood: `{path}` is loaded, and the snapshot does not hold it"
    return file.text, "" if path == command.source.name or command.source.name.endswith(path) else path


def included(path: str, state: NodeState) -> Sequence[tuple[str, str]] | None:
    """Files of the node that an included path stands for, in the order of their names; None when none is recorded."""
    wanted = [path] if path.startswith("/") else [f"{place}{path.removeprefix('./')}" for place in PLACES]
    for one in wanted:
        found = [
            (known, state.files[known].text)
            for known in sorted(state.files)
            if known == one
            or (_is_pattern(one) and known.count("/") == one.count("/") and fnmatchcase(known, one))
        ]
        if found:
            return found
    return None


def _is_pattern(path: str) -> bool:
    return any(letter in path for letter in "*?[")


def _transaction(
    commands: Sequence[NftCommand], missing: Sequence[tuple[int, str]], command: Command, state: NodeState, name: str
) -> Outcome:  # fmt: skip
    native = state.native
    tables = Recorded(native.text, native.json_text)
    managed = Managed(state, tables)
    try:
        _check_links(commands, state)
        mine, gaps = managed.take(commands, lambda at: _source(command, at, name))
        done = carry_out(mine, tables)
    except RefusalError as refusal:
        where = _where(command, refusal.at, name)
        return Outcome(state, error=f"nft: {where}: {refusal}; nothing of it is loaded")
    except UnreadableTableError as error:
        return _gap(state, command.source, f"not understood: {error}")
    reasons = [
        (At(line), f"`{path}` is included and not known: what it loads is missing here")
        for line, path in missing
    ]
    gaps += tuple(
        Gap(section="proposal", reason=f"not understood: {reason}", source=_source(command, at, name))
        for at, reason in (*reasons, *done.unknown)
    )
    gaps += _not_recorded(state, command)
    text, json_text = tables.text(), tables.json_text()
    if native.text.strip() and not native.json_text and not _emptied(commands):
        json_text = ""
    update: dict[str, object] = {}
    if text != native.text or json_text != native.json_text:
        update["native"] = NativeRuleset(text=text, json_text=json_text, tool=native.tool)
    rulesets = managed.rulesets()
    if rulesets is not state.rulesets:
        update["rulesets"] = rulesets
    if managed.unknown:
        update["gaps"] = (*state.gaps, *managed.unknown)
    after = state.model_copy(update=update) if update else state
    return Outcome(after, effects=(*_effects(done, command, name), *managed.effects), gaps=gaps)


def _check_links(commands: Sequence[NftCommand], state: NodeState) -> None:
    """`iif NAME` is the number that the link has now: without the link nft refuses the file. Raises RefusalError."""
    if not state.links or state.gap("links") is not None:
        return
    names = {link.name for link in state.links}
    for command in commands:
        absent = sorted(links_of(command.rule.expr) - names) if isinstance(command, AddRule) else []
        if absent:
            raise RefusalError(
                command.at, f"there is no link {absent[0]} (`iifname` asks for a name, and may wait for it)"
            )


def _emptied(commands: Sequence[NftCommand]) -> bool:
    from planner.nft.commands import Flush

    return any(isinstance(one, Flush) and one.kind == "ruleset" and not one.table[0] for one in commands)


def _not_recorded(state: NodeState, command: Command) -> tuple[Gap, ...]:
    unknown = state.gap("nft")
    if unknown is None:
        return ()
    reason = f"laid on nft tables that are not known: {unknown.reason}"
    return (Gap(section="nft", reason=reason, source=command.source),)


def _effects(done: Carried, command: Command, name: str) -> tuple[Effect, ...]:
    tables = [
        Effect(what=f"nft/{_title(key)}", cause=Cause.PROPOSED, source=_source(command, at, name))
        for key, at in done.lines.items()
    ]
    rules = [
        Effect(
            what=f"nft/{_title(key)}/chain/{chain}/{text}",
            cause=Cause.PROPOSED,
            source=_source(command, at, name),
        )
        for key, chain, text, at in done.rules
    ]
    objects = [
        Effect(
            what=f"nft/{_title(key)}/{one}/{thing}", cause=Cause.PROPOSED, source=_source(command, at, name)
        )
        for key, kind, thing, at in done.objects
        for one in ((kind,) if kind else ("set", "map"))
    ]
    return (*tables, *objects, *rules)


def _title(key: TableKey) -> str:
    return f"{key[0]} {key[1]}"


def _source(command: Command, at: At, name: str) -> Source:
    """Line of the text in its own file; a command of a script stands on one line of that."""
    if "-f" not in command.argv and "--file" not in command.argv:
        return command.source
    if command.source.line and not name and not at.name:
        return Source(name=command.source.name, line=command.source.line + at.line)
    return Source(name=at.name or name or command.source.name, line=at.line)


def _where(command: Command, at: At, name: str) -> str:
    return str(_source(command, at, name))


def _gap(state: NodeState, source: Source, reason: str) -> Outcome:
    return Outcome(state, gaps=(Gap(section="proposal", reason=reason, source=source),))
