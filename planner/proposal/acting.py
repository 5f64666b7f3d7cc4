"""From which horizon on a file on disk acts: when the program that reads it reads it."""

from collections.abc import Mapping

from planner.models.horizon import Horizon
from planner.models.node import ConfigFile

ACTS: tuple[tuple[str, Horizon], ...] = (
    # containerd and CRI-O watch the directory; a pod's network is made from it when the pod starts.
    ("/etc/cni/net.d/", Horizon.NEW_PODS),
    ("/opt/cni/bin/", Horizon.NEW_PODS),
    # Read by flannel's CNI plugin at each ADD.
    ("/run/flannel/subnet.env", Horizon.NEW_PODS),
    ("/var/lib/kubelet/", Horizon.SERVICE_RESTART),
    ("/etc/kubernetes/", Horizon.SERVICE_RESTART),
    ("/etc/systemd/system/", Horizon.SERVICE_RESTART),
    ("/etc/default/", Horizon.SERVICE_RESTART),
    ("/etc/systemd/network/", Horizon.SERVICE_RESTART),
    ("/run/systemd/network/", Horizon.SERVICE_RESTART),
    ("/usr/lib/systemd/network/", Horizon.SERVICE_RESTART),
    ("/etc/netplan/", Horizon.SERVICE_RESTART),
    ("/etc/NetworkManager/", Horizon.SERVICE_RESTART),
    ("/etc/network/", Horizon.SERVICE_RESTART),
    ("/etc/sysconfig/", Horizon.SERVICE_RESTART),
    ("/etc/iptables/", Horizon.SERVICE_RESTART),
    ("/etc/nftables", Horizon.SERVICE_RESTART),
    ("/etc/ufw/", Horizon.SERVICE_RESTART),
    ("/etc/firewalld/", Horizon.SERVICE_RESTART),
    ("/etc/sysctl.d/", Horizon.REBOOT),
    ("/run/sysctl.d/", Horizon.REBOOT),
    ("/usr/local/lib/sysctl.d/", Horizon.REBOOT),
    ("/usr/lib/sysctl.d/", Horizon.REBOOT),
    ("/etc/sysctl.conf", Horizon.REBOOT),
    ("/etc/modules-load.d/", Horizon.REBOOT),
    ("/etc/modprobe.d/", Horizon.REBOOT),
    ("/etc/modules", Horizon.REBOOT),
)


def acts_at(path: str) -> Horizon:
    """The first horizon at which a change of the file can show; NOW for a file that is read at each use."""
    for prefix, horizon in ACTS:
        if path.startswith(prefix):
            return horizon
    return Horizon.NOW


def acting(
    before: Mapping[str, ConfigFile], after: Mapping[str, ConfigFile], horizon: Horizon
) -> dict[str, ConfigFile]:
    """The files as the programs that read them act on them at a horizon."""
    result: dict[str, ConfigFile] = {}
    for path in sorted({*before, *after}):
        file = after.get(path) if acts_at(path) <= horizon else before.get(path)
        if file is not None:
            result[path] = file
    return result
