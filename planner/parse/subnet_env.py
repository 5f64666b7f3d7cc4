"""flannel's subnet.env: what the daemon tells its CNI plugin about this node."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from planner.models.node import ConfigFile

PATH = "/run/flannel/subnet.env"
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


@dataclass(frozen=True, slots=True)
class SubnetEnv:
    """The file's variables (flannel pkg/subnet/subnet.go WriteSubnetFile)."""

    network: str = ""
    """The cluster's pod range, or several with commas."""
    subnet: str = ""
    """This node's range, written as the bridge's address: `10.244.1.1/24`."""
    mtu: int | None = None
    ip_masq: bool | None = None
    network6: str = ""
    subnet6: str = ""
    other: tuple[tuple[str, str], ...] = ()


def parse_env(text: str) -> dict[str, str]:
    """`NAME=value` lines without their quotes; the last one counts."""
    values: dict[str, str] = {}
    for line in text.split("\n"):
        found = _LINE.fullmatch(line.rstrip("\r"))
        if found:
            value = found[2].strip()
            if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
                value = value[1:-1]
            values[found[1]] = value
    return values


def parse_subnet_env(text: str) -> SubnetEnv:
    """Numbers and switches that cannot be read are absent."""
    values = parse_env(text)
    mtu = values.pop("FLANNEL_MTU", "")
    masq = values.pop("FLANNEL_IPMASQ", "").lower()
    return SubnetEnv(
        network=values.pop("FLANNEL_NETWORK", ""),
        subnet=values.pop("FLANNEL_SUBNET", ""),
        mtu=int(mtu) if mtu.isdecimal() and len(mtu) < 7 else None,
        ip_masq={"true": True, "false": False}.get(masq),
        network6=values.pop("FLANNEL_IPV6_NETWORK", ""),
        subnet6=values.pop("FLANNEL_IPV6_SUBNET", ""),
        other=tuple(sorted(values.items())),
    )


def load_subnet_env(files: Mapping[str, ConfigFile], *, path: str = PATH) -> SubnetEnv | None:
    """None when flannel wrote nothing here."""
    file = files.get(path)
    return None if file is None else parse_subnet_env(file.text)
