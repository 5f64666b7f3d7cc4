"""Which program acts on a file, and when: installing the file alone changes nothing that runs."""

ACTORS: tuple[tuple[str, str], ...] = (
    (
        "/etc/cni/net.d/",
        "the container runtime uses it for pods that start from now on; running pods keep their network",
    ),
    (
        "/run/flannel/",
        "flannel's CNI plugin uses it for pods that start from now on; running pods keep their network",
    ),
    ("/var/lib/kubelet/", "kubelet acts on it when it restarts: `systemctl restart kubelet`"),
    ("/etc/kubernetes/manifests/", "kubelet restarts the static pod by itself within seconds"),
    ("/etc/kubernetes/", "kubelet acts on it when it restarts: `systemctl restart kubelet`"),
    ("/etc/systemd/network/", "systemd-networkd acts on it at `networkctl reload`, or when it restarts"),
    ("/run/systemd/network/", "systemd-networkd acts on it at `networkctl reload`, or when it restarts"),
    ("/etc/systemd/system/", "systemd acts on it after `systemctl daemon-reload` and a restart of the unit"),
    ("/etc/netplan/", "netplan acts on it at `netplan apply`, or at the next boot"),
    (
        "/etc/NetworkManager/",
        "NetworkManager acts on it at `nmcli connection reload` and when the connection comes up again",
    ),
    ("/etc/sysconfig/network-scripts/", "the network service acts on it when the connection comes up again"),
    ("/etc/network/", "ifupdown acts on it when the interface comes up again"),
    (
        "/etc/iptables/",
        "the service that loads it (netfilter-persistent) acts on it when it restarts, or at the next boot",
    ),
    ("/etc/sysconfig/", "the service that reads it acts on it when it restarts, or at the next boot"),
    ("/etc/firewalld/", "firewalld acts on it at `firewall-cmd --reload`"),
    ("/etc/ufw/", "ufw acts on it at `ufw reload`"),
    ("/etc/modules-load.d/", "the modules are loaded at the next boot"),
    ("/etc/modprobe.d/", "it acts when the module is loaded the next time"),
    (
        "/etc/resolv.conf",
        "programs read it at their next lookup or start; pods that start from now on inherit it",
    ),
)
SYSCTL_PLACES = (
    "/etc/sysctl.d/",
    "/run/sysctl.d/",
    "/usr/local/lib/sysctl.d/",
    "/usr/lib/sysctl.d/",
    "/lib/sysctl.d/",
    "/etc/sysctl.conf",
)


def is_sysctl_file(path: str) -> bool:
    """Whether the file sets sysctls at boot."""
    return path.startswith(SYSCTL_PLACES)


def acts(path: str) -> str:
    """A sentence part: who acts on the file, and when; empty when we do not know a reader of it."""
    if is_sysctl_file(path):
        return "it acts at the next boot, or when somebody runs `sysctl --system`"
    return next((sentence for prefix, sentence in ACTORS if path.startswith(prefix)), "")
