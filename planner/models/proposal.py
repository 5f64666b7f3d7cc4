"""What is proposed: the files of one change request, and the operations they amount to."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from planner.models.change import Cause
from planner.models.horizon import Horizon
from planner.models.node import NodeState
from planner.models.noun import Noun
from planner.models.source import Gap, Source


class FragmentKind(StrEnum):
    """The kinds of file that can be proposed; also the words of `--as`."""

    SYSCTL = "sysctl"
    IPTABLES_RESTORE = "iptables-restore"
    IP6TABLES_RESTORE = "ip6tables-restore"
    SCRIPT = "script"
    IP_BATCH = "ip-batch"
    IPSET_RESTORE = "ipset-restore"
    NFT = "nft"
    CNI = "cni"
    KUBELET = "kubelet"
    FILE = "file"
    """A file that some program on the node reads and that is compared as text."""


class Fragment(Noun):
    """One proposed file."""

    path: str
    """As the user wrote it; the reports name it."""
    kind: FragmentKind
    target: str
    """Where it goes on the node: `/etc/sysctl.d/90-hardening.conf`; empty when it is only run."""
    text: str | None
    """None: the file is deleted."""
    noflush: bool = False
    """iptables-restore only: `--noflush`."""


class Command(Noun):
    """One command that applying the proposal runs on the node."""

    kind: Literal["command"] = "command"
    argv: tuple[str, ...]
    """`("sysctl", "-w", "net.ipv4.ip_forward=0")`, `("iptables-restore",)`, `("ip", "route", "add", …)`."""
    stdin: str = ""
    stdin_path: str = ""
    """File on the node that it reads instead: `iptables-restore < /etc/iptables/rules.v4`."""
    unless: tuple[str, ...] = ()
    """Run only if this command fails: `iptables -C … || iptables -A …`."""
    only_if: tuple[str, ...] = ()
    """Run only if this command succeeds: `iptables -C … && iptables -D …`."""
    tolerate: bool = False
    """Its failure is ignored: `… || true`, `sysctl -e`, a `-key` line."""
    source: Source


class FileWrite(Noun):
    """One file that applying the proposal installs, or deletes when `text` is None."""

    kind: Literal["file-write"] = "file-write"
    path: str
    text: str | None
    source: Source


Operation = Annotated[Command | FileWrite, Field(discriminator="kind")]


class Effect(Noun):
    """One value that differs after an operation, told to explain it: `what` names it as a change would."""

    what: str
    """`sysctl/net.ipv4.conf.eth0.forwarding`, `route/ip/254/10.0.0.0/24`."""
    cause: Cause
    source: Source | None = None
    because: str = ""
    """A sentence: `a write that changes net.ipv4.ip_forward is copied to every interface`."""


class Stage(Noun):
    """The node after one operation."""

    operation: Operation
    after: NodeState
    effects: tuple[Effect, ...] = ()
    gaps: tuple[Gap, ...] = ()
    error: str = ""
    """Why the real command would fail here; empty when it would work. Nothing after a failure is assumed undone."""


class Outlook(Noun):
    """What a proposal makes of one node: a before- and an after-state at each horizon."""

    node: str
    before: dict[Horizon, NodeState]
    after: dict[Horizon, NodeState]
    stages: tuple[Stage, ...] = ()
    """The way from before[NOW] to after[NOW], operation by operation."""
    effects: tuple[Effect, ...] = ()
    gaps: tuple[Gap, ...] = ()
