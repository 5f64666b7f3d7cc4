"""A recorded node, rebuilt in namespaces that die with this process."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from secrets import token_hex
from socket import socket
from types import TracebackType
from typing import Self

from planner.collect.host import TOKEN_BYTES, collector_script
from planner.collect.sections import DIRECTORIES, FILES, wanted_file
from planner.models.change import StateChange
from planner.models.link import Link
from planner.models.node import ConfigFile, NodeState
from planner.models.rehearsal import NotRehearsed
from planner.models.section import Section
from planner.parse.node import parse_node
from planner.parse.stream import parse_stream
from planner.rehearse.fidelity import Unlike, compare_with, told
from planner.rehearse.isolation import Isolation, usual
from planner.rehearse.look import Looks, Seen
from planner.rehearse.modules import Modules, needed
from planner.rehearse.namespaces import Namespaces, StageFailedError
from planner.rehearse.process import Completed, Running
from planner.rehearse.rebuild import Rebuilt, addressed, rebuild, settle, waits_for
from planner.rehearse.without import why_not, without

TOOLS = ("ip", "bridge", "sh")
COLLECTOR_DEADLINE = 3600.0
COMMAND_DEADLINE = 600


def available() -> str:
    """Why nothing can be rehearsed here; empty when it can."""
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    if absent:
        return f"there is no {', '.join(absent)} on this machine"
    try:
        opened(usual(), name="trial").close()
    except StageFailedError as error:
        return error.message
    return ""


def opened(
    walls: Iterable[Isolation], *, name: str, iptables: str = "", absent: Iterable[str] = ()
) -> Namespaces:
    """Namespaces with the first of these walls that the kernel allows; why the first is refused, where none is allowed."""
    refused: StageFailedError | None = None
    for wall in walls:
        try:
            return Namespaces(wall, name=name, iptables=iptables, absent=absent)
        except StageFailedError as error:
            refused = refused or error
    raise refused or StageFailedError("there is no way to make namespaces")


class Stage:
    """One node. Whatever is started here is in its network, its files and its process numbers, and ends with it."""

    def __init__(
        self,
        node: NodeState,
        *,
        isolation: Isolation | None = None,
        load_modules: bool = False,
        later: Iterable[NodeState] = (),
    ) -> None:
        """`later`: states that it is to be led to. `load_modules`: the machine may load kernel modules for all of them."""
        self._node = node
        self._later = tuple(later)
        self._load_modules = load_modules
        self._walls = (isolation,) if isolation else usual()
        self._unlike = Unlike()
        self._rebuilt = Rebuilt()
        self._rested: Seen | None = None
        self._abandoned = False
        self.isolation: str = ""
        """A sentence."""
        self.kernel: str = os.uname().release
        self.tools: dict[str, str] = {}
        """Versions of the programs that are used here."""
        self.original: NodeState = NodeState(name=node.name)
        """What was found right after `rebuild`: what every way back must lead to."""
        self.not_rebuilt: tuple[NotRehearsed, ...] = ()
        """What `original` lacks of the node, grouped by reason."""
        self.modules: tuple[str, ...] = ()
        """Kernel modules that the machine has loaded since the stage was made."""

    def __enter__(self) -> Self:
        self._modules = Modules()
        missing = needed([self._node, *self._later], self._modules)
        if missing and not self._load_modules:
            raise StageFailedError(
                f"rehearsing {self._node.name} would load kernel modules on this machine ({', '.join(missing)}): "
                "`--load-modules` allows it",
            )
        directories = {one.directory for one in DIRECTORIES}
        self._namespaces = opened(
            self._walls,
            name=self._node.name,
            iptables=self._node.iptables_default,
            absent={*directories, *FILES, *self._node.files},
        )
        self.isolation = "; ".join((self._namespaces.walls.value, *self._namespaces.weak))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and not self._abandoned:
            with contextlib.suppress(StageFailedError):
                self._namespaces.clear()
        self._namespaces.close()
        for file in self._rebuilt.taps.values():
            os.close(file)
        self._rebuilt.taps = {}

    def abandon(self) -> None:
        """End it now, whatever it is at, from any thread. It has to be left all the same."""
        self._abandoned = True
        self._namespaces.kill()

    @property
    def taps(self) -> Mapping[str, int]:
        """Descriptors of the links that end in this process, ready to be read without waiting.

        A frame that was written has crossed the whole kernel when `write` returns, and what it caused can be read. Links
        with a hardware address take Ethernet frames, the others packets.
        """
        return self._rebuilt.taps

    @property
    def facts(self) -> int:
        """Facts of the node that were rebuilt and found equal."""
        return self._unlike.equal

    @property
    def reasons(self) -> Mapping[str, str]:
        """Every fact that is not as on the node, by the name that `facts` gives it, with the reason."""
        return self._unlike.reasons

    def rebuild(self) -> None:
        """Put the node there, look at it, and note what is not as it was."""
        self._rebuilt = rebuild(self._namespaces, self._node, self._modules)
        sections = self._collected()
        self.original = parse_node(sections, name=self._node.name)
        self._looks = Looks(self._namespaces, self._node.name, sections)
        self.tools = dict(self.original.tools)
        self._unlike = compare_with(self._node, self.original, self._rebuilt, self._modules)
        self.not_rebuilt = told(self._unlike, self._node, self.original)

    def snapshot(self) -> NodeState:
        """The stage as the project's own collector sees it."""
        return parse_node(self._collected(), name=self._node.name)

    def look(self, paths: Iterable[str] = ()) -> Seen:
        """The same, seen with less work, and with other files at `paths`."""
        seen = self._looks.look(paths)
        if seen is None:
            others = self._namespaces.files((), [path for path in paths if not wanted_file(path)])
            seen = Seen(self._node.name, self._collected(), others, digest="")
        return seen

    def _collected(self) -> tuple[Section, ...]:
        token = token_hex(TOKEN_BYTES)
        argv = ("sh", "-c", collector_script(), "netchange", token, "/", str(COMMAND_DEADLINE))
        done = self._namespaces.run(argv, b"", {}, COLLECTOR_DEADLINE)
        sections, _ = parse_stream(done.stdout, token=token)
        self.modules = self._modules.new()
        return sections

    def rested(self, paths: Sequence[str] = ()) -> Seen:
        """How it was seen last, where nobody has touched it since; else it is looked at."""
        seen, self._rested = self._rested, None
        return seen if seen is not None and not paths else self.look(paths)

    def rests(self, seen: Seen) -> None:
        """It was found to be the original again, and will be left alone until `rested` is asked for."""
        self._rested = None if seen.others else seen

    def waits_for(self, here: Sequence[Link]) -> tuple[str, ...]:
        """Links that have not seen their carrier yet."""
        return waits_for(self._node, here)

    def settle(self) -> None:
        """Wait until links have seen their carriers, where a command took one away or gave one."""
        settle(self._namespaces, self._node)
        addressed(self._namespaces)

    def place(self, state: NodeState) -> NodeState:
        """The state without what `not_rebuilt` lists, and without nothing else.

        For both sides of a comparison: `compare(stage.place(predicted), stage.place(stage.snapshot()))`.
        """
        return without(state, self._unlike)

    def why_not(self, change: StateChange) -> str:
        """Why a change of that thing cannot be shown here; empty when it can."""
        return why_not(change, self._unlike)

    def run(
        self,
        argv: Sequence[str],
        stdin: str = "",
        *,
        timeout: float = 120.0,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command to its end. When it cannot be started: exit status 127 and a sentence on stderr."""
        return self._namespaces.run(argv, stdin.encode("utf-8", "surrogateescape"), env or {}, timeout)

    def spawn(self, argv: Sequence[str], stdin: str = "", *, env: Mapping[str, str] | None = None) -> Running:
        """Start a command in a session of its own and go on."""
        return self._namespaces.spawn(argv, stdin.encode("utf-8", "surrogateescape"), env or {})

    def clear(self) -> None:
        """End everything that still runs here, timers too."""
        self._namespaces.clear()

    def write(self, path: str, text: str | None, *, mode: int = 0o644) -> None:
        """A file of the stage, with the directories above it; None deletes it."""
        file = None if text is None else ConfigFile(text=text, mode=f"{mode:04o}")
        errors = self._namespaces.write({path: file})
        if errors:
            raise StageFailedError(errors[0])

    def read(self, path: str) -> str | None:
        """A file of the stage; None when it is not there."""
        return self._namespaces.read(path)

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket:
        """A socket that was opened on the stage: raw ones see what is delivered to the node itself."""
        return self._namespaces.socket(family, kind, protocol)
