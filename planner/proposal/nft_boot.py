"""What nftables.service makes of the node's tables: it empties the rule set and loads its file (its ExecStop= and ExecStart=)."""

from planner.models.node import NodeState
from planner.models.ruleset import NativeRuleset
from planner.models.source import WOULD_FAIL, Gap, Source
from planner.nft.apply import RefusalError, carry_out
from planner.nft.commands import AddTable, Command, Flush, TableKey
from planner.nft.reader import read_commands
from planner.nft.state import Recorded, UnreadableTableError
from planner.nft.tokens import SyntaxMistakeError
from planner.proposal.nft import included

LOADED = {
    "/etc/systemd/system/sysinit.target.wants/nftables.service": "/etc/nftables.conf",
    "/etc/systemd/system/multi-user.target.wants/nftables.service": "/etc/sysconfig/nftables.conf",
}
"""Where it is enabled, and what it then loads: Debian's unit is wanted by sysinit.target, Red Hat's by multi-user.target."""
PLACES = ("/etc/nftables", "/etc/sysconfig/nftables.conf")


def loaded_file(node: NodeState) -> str:
    """The file that the service loads at boot; empty when it is not known to be enabled."""
    found = [path for unit, path in LOADED.items() if unit in node.files and path in node.files]
    return found[0] if found else ""


def differs(before: NodeState, after: NodeState) -> bool:
    """Whether what the service loads is another text."""
    return loaded_file(before) != loaded_file(after) or any(
        before.files.get(path) != after.files.get(path)
        for path in {*before.files, *after.files}
        if path.startswith(PLACES)
    )


def after_restart(
    running: NodeState, files: NodeState, former: NodeState
) -> tuple[NativeRuleset, tuple[Gap, ...]]:
    """Tables of `running` once the service has loaded the file as it lies in `files`.

    Tables that the file does not name, neither now nor in `former`, are somebody else's, who makes them again.
    """
    path = loaded_file(files)
    wanted = _commands(files, path)
    tables = Recorded(running.native.text, running.native.json_text)
    for key in {*_tables(wanted), *_tables(_commands(former, loaded_file(former)))} & {*tables.names()}:
        tables.remove(key)
    bare = NativeRuleset(text=tables.text(), json_text=tables.json_text(), tool=running.native.tool)
    try:
        carry_out([one for one in wanted if not _empties(one)], tables)
    except (RefusalError, UnreadableTableError) as error:
        line = error.line if isinstance(error, RefusalError) else 0
        reason = f"would fail on {running.name} when nftables.service starts, and leave no table of the file: {error}"
        return bare, (Gap(section=WOULD_FAIL, reason=reason, source=Source(name=path, line=line)),)
    return bare.model_copy(update={"text": tables.text(), "json_text": tables.json_text()}), ()


def _commands(node: NodeState, path: str) -> list[Command]:
    """What the file asks for; nothing of it where nft could not read it."""
    file = node.files.get(path)
    try:
        return (
            list(read_commands(file.text, include=lambda one: included(one, node), missing=[]))
            if file
            else []
        )
    except SyntaxMistakeError:
        return []


def _tables(commands: list[Command]) -> list[TableKey]:
    return sorted({one.table for one in commands if isinstance(one, AddTable)})


def _empties(command: Command) -> bool:
    return isinstance(command, Flush) and command.kind == "ruleset"
