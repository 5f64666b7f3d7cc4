"""What a CNI configuration directory says: which file counts, and the fields of its plugins that judges ask for."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_interface, ip_network
from pathlib import PurePosixPath

from planner.models.change import DocumentChange, FileChange
from planner.models.node import NodeState
from planner.parse.cni import DIRECTORY, load_cni
from planner.risks.risk import Review

BINARIES = "/opt/cni/bin"
SUBNET_ENV = "/run/flannel/subnet.env"
STANDARD = frozenset(
    {
        "bridge", "ipvlan", "loopback", "macvlan", "ptp", "host-device", "vlan", "dummy", "tap",
        "dhcp", "host-local", "static", "tuning", "portmap", "bandwidth", "sbr", "firewall", "vrf",
    }
)  # fmt: skip
"""Plugins of the containernetworking project: they accept every released version of the specification."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """One plugin of a chain, with what its delegate (flannel, multus) passes on."""

    type: str
    bridge: str = ""
    mtu: int | None = None
    hairpin: bool = False
    promiscuous: bool = False
    masquerade: bool = False
    gateway: bool = False
    force_address: bool = False
    ipam: str = ""
    ranges: tuple[str, ...] = ()
    """Address ranges of its ipam as prefixes with host bits cleared."""
    port_mappings: bool = False
    """Declares the `portMappings` capability."""


@dataclass(frozen=True, slots=True)
class Network:
    """One readable configuration."""

    path: str
    name: str
    version: str
    plugins: tuple[Plugin, ...]

    @property
    def base(self) -> Plugin:
        """The plugin that makes the pod's link."""
        return self.plugins[0]

    @property
    def types(self) -> tuple[str, ...]:
        """Types of the chain and of its ipam plugins: each needs a binary."""
        return tuple(plugin.type for plugin in self.plugins) + tuple(
            plugin.ipam for plugin in self.plugins if plugin.ipam
        )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A configuration that no runtime loads."""

    path: str
    problem: str


def concerns_cni(change: DocumentChange | FileChange) -> bool:
    """Whether the change is one of the directory's files."""
    return str(PurePosixPath(change.path).parent) == DIRECTORY or change.path == SUBNET_ENV


def tells(change: DocumentChange | FileChange, review: Review, *words: str) -> bool:
    """Whether a finding about these words (keys, types of plugins) hangs on this change of the directory.

    It hangs on the changes that name one of them; on all of the directory when none does, as when another file wins.
    """
    if not concerns_cni(change):
        return False
    telling = [
        other
        for other in review.changes
        if isinstance(other, DocumentChange) and concerns_cni(other) and _names(other, words)
    ]
    return not telling or change in telling


def _names(change: DocumentChange, words: tuple[str, ...]) -> bool:
    parts = change.pointer.split("/")
    values = f"{change.before or ''} {change.after or ''}"
    return any(word in parts or f'"{word}"' in values for word in words)


def configurations(state: NodeState) -> tuple[Network | Unreadable, ...]:
    """Every file of the directory that runtimes look at, in their order."""
    networks, gaps = load_cni(state.files)
    found: list[Network | Unreadable] = [
        Network(
            path=item.path,
            name=item.name,
            version=item.version or "0.1.0",
            plugins=tuple(_plugin(plugin.options, state) for plugin in item.plugins),
        )
        for item in networks
        if item.plugins
    ]
    found += [Unreadable(gap.source.name, gap.reason) for gap in gaps if gap.source is not None]
    return tuple(sorted(found, key=lambda item: item.path.encode("utf-8", "surrogateescape")))


def active(state: NodeState) -> Network | Unreadable | None:
    """The configuration that new pods get, an unreadable one that stands in its place, or None when there is none."""
    found = configurations(state)
    if not found:
        return None
    if skips_unreadable(state):
        return next((item for item in found if isinstance(item, Network)), found[0])
    return found[0]


def skips_unreadable(state: NodeState) -> bool:
    """Whether the runtime goes on to the next file; containerd stops with an error at the first."""
    # cri-o/ocicni loadNetworks logs and continues; containerd/go-cni loadFromConfDir returns the error.
    return any(name in state.tools for name in ("crio", "cri-o"))


def network(state: NodeState) -> Network | None:
    """The active configuration, when it can be read."""
    found = active(state)
    return found if isinstance(found, Network) else None


def installed(state: NodeState) -> frozenset[str] | None:
    """Names of the plugin binaries, or None when the snapshot does not list them."""
    listing = state.volatile.extra.get("cni-bin", state.volatile.extra.get(BINARIES))
    if listing is not None:
        return frozenset(word.rsplit("/", 1)[-1] for word in listing.split())
    names = frozenset(
        PurePosixPath(path).name for path in state.files if str(PurePosixPath(path).parent) == BINARIES
    )
    return names or None


def subnet_env(state: NodeState) -> dict[str, str]:
    """The lease file of flannel as it would be read by its plugin."""
    file = state.files.get(SUBNET_ENV)
    pairs = (line.partition("=") for line in (file.text if file else "").splitlines())
    return {key.strip(): value.strip() for key, _, value in pairs if key.strip()}


def overlap(one: str, other: str) -> bool:
    """Whether two prefixes of the same family share an address."""
    left, right = ip_network(one, strict=False), ip_network(other, strict=False)
    return left.version == right.version and left.overlaps(right)


def _plugin(item: Mapping[str, object], state: NodeState) -> Plugin:
    kind = _text(item, "type")
    merged = dict(item)
    lease: dict[str, str] = {}
    if kind == "flannel":
        # flannel-io/cni-plugin, flannel_linux.go: the delegate is a bridge with the lease's subnet and MTU.
        delegate = item.get("delegate")
        merged = dict(delegate) if isinstance(delegate, dict) else {}
        lease = subnet_env(state)
        merged.setdefault("type", "bridge")
        if merged["type"] == "bridge":
            merged.setdefault("isGateway", True)
    raw_ipam = merged.get("ipam")
    ipam: dict[str, object] = raw_ipam if isinstance(raw_ipam, dict) else {}
    capabilities = item.get("capabilities")
    ranges = tuple(_ranges(ipam)) or tuple(_prefixes([lease.get("FLANNEL_SUBNET", "")]))
    bridged = merged.get("type") == "bridge"
    return Plugin(
        type=kind,
        bridge=(_text(merged, "bridge") or "cni0") if bridged else "",
        mtu=_number(merged, "mtu")
        or (int(lease["FLANNEL_MTU"]) if _digits(lease.get("FLANNEL_MTU")) else None),
        hairpin=merged.get("hairpinMode") is True,
        promiscuous=merged.get("promiscMode") is True,
        masquerade=merged.get("ipMasq") is True,
        gateway=merged.get("isGateway") is True or merged.get("isDefaultGateway") is True,
        force_address=merged.get("forceAddress") is True,
        ipam=_text(ipam, "type"),
        ranges=ranges,
        port_mappings=isinstance(capabilities, dict) and capabilities.get("portMappings") is True,
    )


def _ranges(ipam: Mapping[str, object]) -> Iterator[str]:
    sets = ipam.get("ranges")
    parts: list[object] = [ipam]
    for entry in sets if isinstance(sets, list) else []:
        parts += entry if isinstance(entry, list) else [entry]
    yield from _prefixes([part.get("subnet") for part in parts if isinstance(part, dict)])


def _prefixes(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str) and "/" in value:
            try:
                yield str(ip_interface(value).network)
            except ValueError:
                continue


def _text(item: Mapping[str, object], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""


def _number(item: Mapping[str, object], key: str) -> int | None:
    value = item.get(key)
    if isinstance(value, str) and value.isdigit():
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _digits(value: str | None) -> bool:
    return bool(value) and str(value).isdigit()
