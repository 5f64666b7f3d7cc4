"""A plan for a node of a test: the outlook is what a twin of the node really becomes, the scripts run on the node."""

import json
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from namespace import Namespace

from planner.collect.host import collector_script
from planner.models.horizon import Horizon
from planner.models.node import ConfigFile, NodeState
from planner.models.plan import Plan
from planner.models.proposal import Command, FileWrite, Operation, Outlook, Stage
from planner.models.source import Source
from planner.parse.node import parse_node
from planner.parse.stream import parse_stream
from planner.plan.build import build_plan
from planner.plan.scripts import emit_apply, emit_rollback, plan_id

SOURCE = Source(name="change.sh", line=1)
TOKEN = "0123456789abcdef0123456789abcdef"
UNSTABLE = (
    "nf_conntrack_count",
    "/random",
    "fib_multipath_hash_seed",
    "tcp_fastopen_key",
    "nf_conntrack_events",
)


def command(*argv: str, stdin: str = "") -> Command:
    return Command(argv=argv, stdin=stdin, source=SOURCE)


def write(path: Path | str, text: str | None) -> FileWrite:
    return FileWrite(path=str(path), text=text, source=SOURCE)


def inside(node: Namespace, path: Path) -> Path:
    """A path of the node as this process reaches it: its `/run` is its own."""
    return Path(f"/proc/{node.pid}/root") / path.relative_to("/")


def observe(node: Namespace, files: Sequence[Path] = ()) -> NodeState:
    """The node as the collector sees it, with the files of the test in place of the machine's."""
    argv = ["sh", "-c", collector_script(), "netchange", TOKEN, "/nowhere", "20"]
    sections, problems = parse_stream(node.run(argv).stdout, token=TOKEN)
    assert problems == ()
    state = parse_node([s for s in sections if not s.name.startswith(("file/", "link/"))], name="node-1")
    found: dict[str, ConfigFile] = {}
    for name in sorted(files):
        path = inside(node, name)
        if path.is_symlink():
            found[str(name)] = ConfigFile(link_to=str(path.readlink()))
        elif path.exists():
            found[str(name)] = ConfigFile(text=path.read_text(), mode=f"{path.stat().st_mode & 0o7777:04o}")
    sysctls = {key: value for key, value in state.sysctls.items() if not key.endswith(UNSTABLE)}
    return state.model_copy(update={"files": found, "sysctls": sysctls})


def whole_state(node: Namespace, files: Sequence[Path] = ()) -> dict[str, object]:
    """Everything that a rollback must bring back, read with other means than the scripts' own."""
    sysctls = node.sh("sysctl -a 2>/dev/null | grep ^net.", check=False).splitlines()
    routes = [json.loads(node.sh(f"ip -{family} -j -d route show table all") or "[]") for family in (4, 6)]
    return {
        "sysctls": [line for line in sysctls if not any(name in line for name in UNSTABLE)],
        "rules": {
            tool: _without_noise(node.sh(f"{tool}-save"))
            for tool in ("iptables-nft", "iptables-legacy", "ip6tables-nft", "ip6tables-legacy")
        },
        "routes": [sorted(json.dumps(_stable(r), sort_keys=True) for r in family) for family in routes],
        "policy rules": [node.sh("ip -4 rule"), node.sh("ip -6 rule")],
        "links": [_stable(link) for link in json.loads(node.sh("ip -j -d addr"))],
        "neighbours": sorted(node.sh("ip neigh show nud permanent").splitlines()),
        "ipsets": sorted(re.sub(" initval .*", "", line) for line in node.sh("ipset save").splitlines()),
        "files": {str(name): _file(inside(node, name)) for name in files},
    }


def _file(path: Path) -> tuple[str, str] | None:
    if path.is_symlink():
        return str(path.readlink()), "link"
    return (path.read_text(), oct(path.stat().st_mode)) if path.exists() else None


def differences(expected: object, found: object, where: str = "") -> list[str]:
    """Where two states differ, one line each: comparing them as they are prints thousands."""
    if isinstance(expected, dict) and isinstance(found, dict):
        keys = sorted(expected.keys() | found.keys(), key=str)
        return [
            line for key in keys for line in differences(expected.get(key), found.get(key), f"{where}/{key}")
        ]
    if isinstance(expected, list) and isinstance(found, list):
        lines = [f"{where}: - {item}" for item in expected if item not in found]
        lines += [f"{where}: + {item}" for item in found if item not in expected]
        return lines or ([f"{where}: order"] if expected != found else [])
    return [] if expected == found else [f"{where}: {expected!r} -> {found!r}"]


def _stable(value: object) -> object:
    """Without what moves by itself."""
    volatile = {
        "valid_life_time",
        "preferred_life_time",
        "expires",
        "operstate",
        "ifindex",
        "gc_timer",
        "stats64",
    }
    if isinstance(value, dict):
        return {
            key: _stable(inner) for key, inner in value.items() if key not in volatile and "timer" not in key
        }
    if isinstance(value, list):
        return [_stable(inner) for inner in value if inner != "tentative"]
    return value


def _without_noise(text: str) -> dict[str, tuple[list[str], list[str]]]:
    """Chains and rules by table. A table that is empty and accepts decides nothing: it equals none."""
    tables: dict[str, tuple[list[str], list[str]]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("*"):
            name = line[1:]
            tables[name] = ([], [])
        elif line.startswith(":") and " ACCEPT " not in line:
            tables[name][0].append(line.rpartition(" [")[0])
        elif line.startswith("-A"):
            tables[name][1].append(line)
    return {name: (sorted(chains), rules) for name, (chains, rules) in tables.items() if chains or rules}


@dataclass(frozen=True)
class Recipe:
    """A plan, and how a node really is before it and after each of its operations."""

    plan: Plan
    setup: str
    files: tuple[Path, ...]
    states: tuple[dict[str, object], ...]


@cache
def recipe(setup: str, operations: tuple[Operation, ...], files: tuple[Path, ...]) -> Recipe:
    """Made once for equal arguments, on a twin that is thrown away. Operations that fail there are left out."""
    with Namespace() as twin:
        twin.sh(setup)
        before = observe(twin, files)
        states = [whole_state(twin, files)]
        stages: list[Stage] = []
        for operation in operations:
            if isinstance(operation, FileWrite):
                path = inside(twin, Path(operation.path))
                if operation.text is None and not path.exists():
                    continue
                _write(path, operation.text)
            else:
                done = twin.run(operation.argv, stdin=operation.stdin, check=False)
                if done.returncode:
                    continue
            after = observe(twin, files).model_copy(
                update={"volatile": before.volatile, "native": before.native}
            )
            stages.append(Stage(operation=operation, after=after))
            states.append(whole_state(twin, files))
    outlook = Outlook(
        node="node-1",
        before={Horizon.NOW: before},
        after={Horizon.NOW: stages[-1].after if stages else before},
        stages=tuple(stages),
    )
    return Recipe(build_plan(outlook), setup, files, tuple(states))


def _write(path: Path, text: str | None) -> None:
    if text is None:
        path.unlink()
        return
    mode = path.stat().st_mode & 0o7777 if path.exists() else 0o644
    path.unlink(missing_ok=True)
    path.write_text(text)
    path.chmod(mode)


@dataclass(frozen=True)
class Planned:
    """A node that was set up like the twin, with the plan's scripts."""

    node: Namespace
    recipe: Recipe
    directory: Path
    shell: tuple[str, ...] = ("sh",)

    @classmethod
    def on(
        cls, node: Namespace, made: Recipe, directory: Path, shell: tuple[str, ...] = ("sh",)
    ) -> "Planned":
        node.sh(made.setup)
        (directory / "apply.sh").write_text(emit_apply(made.plan))
        (directory / "rollback.sh").write_text(emit_rollback(made.plan))
        return cls(node, made, directory, shell)

    @property
    def steps(self) -> int:
        return len(self.recipe.plan.steps)

    @property
    def state(self) -> Path:
        return self.directory / plan_id(self.recipe.plan)

    def file(self, position: int) -> Path:
        return inside(self.node, self.recipe.files[position])

    def argv(self, name: str, *arguments: str, **environment: str) -> list[str]:
        settings = [f"{key}={value}" for key, value in environment.items()]
        own = [f"NETCHANGE_STATE={self.directory}", *settings]
        return ["env", *own, *self.shell, str(self.directory / name), *arguments]

    def script(self, name: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.node.run(self.argv(name, *arguments, **environment), check=False)

    def apply(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return self.script("apply.sh", *arguments, **environment)

    def rollback(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.script("rollback.sh", *arguments)

    def edited(self, script: str, old: str, new: str) -> str:
        """The script with one place changed, to be cut off there; returns its name."""
        text = (self.directory / script).read_text()
        assert text.count(old) >= 1
        (self.directory / "cut.sh").write_text(text.replace(old, new, 1))
        return "cut.sh"

    def differs_from(self, step: int) -> list[str]:
        """What is not as it was after that many operations; nothing when all is."""
        return differences(self.recipe.states[step], whole_state(self.node, self.recipe.files))
