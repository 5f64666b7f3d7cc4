"""One operation on the state of a node: which interpreter reads the command."""

from dataclasses import replace

from planner.models.change import Cause
from planner.models.node import ConfigFile, NodeState
from planner.models.proposal import Command, Effect, FileWrite, Operation, Stage
from planner.models.source import Gap
from planner.proposal.ip import run_ip
from planner.proposal.ipset import run_ipset
from planner.proposal.iptables.command import program, run_iptables
from planner.proposal.iptables.restore import run_restore
from planner.proposal.nft import run_nft
from planner.proposal.outcome import Outcome
from planner.proposal.sysctl import apply_sysctl_file, write_sysctl


def run(operation: Operation, state: NodeState) -> Stage:
    """The node after one operation, with files as they lie on its disk."""
    if isinstance(operation, FileWrite):
        outcome = write_file(operation, state)
    else:
        outcome = run_command(operation, state)
    error = outcome.error
    if error and isinstance(operation, Command) and operation.tolerate:
        error = ""
    return Stage(
        operation=operation,
        after=outcome.state,
        effects=outcome.effects,
        gaps=outcome.gaps,
        error=error,
    )


def write_file(operation: FileWrite, state: NodeState) -> Outcome:
    """A file installed or deleted; its former mode is kept."""
    files = dict(state.files)
    former = files.get(operation.path)
    if operation.text is None:
        files.pop(operation.path, None)
    else:
        mode = former.mode if former is not None and not former.link_to else "0644"
        files[operation.path] = ConfigFile(text=operation.text, mode=mode)
    effect = Effect(what=f"file{operation.path}", cause=Cause.PROPOSED, source=operation.source)
    ordered = {path: files[path] for path in sorted(files)}
    return Outcome(state.model_copy(update={"files": ordered}), effects=(effect,))


def run_command(command: Command, state: NodeState) -> Outcome:
    """The node after one command; a command that nobody here reads is a gap."""
    if command.unless and _succeeds(command.unless, command, state):
        return Outcome(state)
    if command.only_if and not _succeeds(command.only_if, command, state):
        return Outcome(state)
    if command.stdin_path:
        file = state.files.get(command.stdin_path)
        if file is None:
            reason = f"not understood: `{command.stdin_path}` is read, and the snapshot does not hold it"
            return Outcome(state, gaps=(Gap(section="proposal", reason=reason, source=command.source),))
        command = command.model_copy(update={"stdin": file.text, "stdin_path": ""})
    name = command.argv[0].rsplit("/", 1)[-1]
    if name == "sysctl":
        return run_sysctl(command, state)
    if name in {"ip", "bridge"}:
        return run_ip(command, state)
    if name == "ipset":
        return run_ipset(command, state)
    if name == "nft":
        return run_nft(command, state)
    if program(command.argv) is not None:
        return run_restore(command, state) if name.endswith("-restore") else run_iptables(command, state)
    reason = f"not understood: what `{' '.join(command.argv)[:160]}` does to the network is not modelled"
    return Outcome(state, gaps=(Gap(section="proposal", reason=reason, source=command.source),))


def _succeeds(argv: tuple[str, ...], command: Command, state: NodeState) -> bool:
    """Whether a condition such as `iptables -C …` would succeed on this state."""
    outcome = run_command(Command(argv=argv, source=command.source), state)
    return not outcome.error and not outcome.gaps


def run_sysctl(command: Command, state: NodeState) -> Outcome:
    """`sysctl [-w] key=value…`, `sysctl -p FILE`; `--system` re-applies every file of the node."""
    words = list(command.argv[1:])
    flags = {word for word in words if word.startswith("-") and "=" not in word}
    settings = [word for word in words if "=" in word and not word.startswith("--")]
    tolerate = command.tolerate or bool(flags & {"-e", "--ignore"})
    if flags & {"--system", "-p", "--load"} and not settings:
        return _reload(
            command, state, [word for word in words if not word.startswith("-")], system="--system" in flags
        )
    if not settings:
        return Outcome(state)
    outcome = Outcome(state)
    effects: tuple[Effect, ...] = ()
    gaps: tuple[Gap, ...] = ()
    for setting in settings:
        key, _, value = setting.partition("=")
        outcome = write_sysctl(
            outcome.state, key.strip(), value.strip(), source=command.source, tolerate=tolerate
        )
        effects, gaps = (*effects, *outcome.effects), (*gaps, *outcome.gaps)
        if outcome.error:
            break
    return Outcome(outcome.state, effects=effects, gaps=gaps, error=outcome.error)


def _reload(command: Command, state: NodeState, paths: list[str], *, system: bool) -> Outcome:
    from planner.parse.sysctl_d import Reader, effective_assignments

    if system:
        chosen = state.files
    else:
        wanted = paths or ["/etc/sysctl.conf"]
        missing = [path for path in wanted if path not in state.files]
        if missing:
            reason = f"not understood: `{missing[0]}` is loaded, and the snapshot does not hold it"
            return Outcome(state, gaps=(Gap(section="proposal", reason=reason, source=command.source),))
        chosen = {path: state.files[path] for path in wanted}
    assignments = effective_assignments(chosen, Reader.PROCPS, state.sysctls)
    # `sysctl --system` and `-p` go on after a line that fails.
    return replace(apply_sysctl_file(state, assignments), error="")
