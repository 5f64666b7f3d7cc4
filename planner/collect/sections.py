"""The closed list of what is collected from a node: from it the commands are shown, and a test holds the script to it."""

from dataclasses import dataclass
from enum import StrEnum


class Privilege(StrEnum):
    """What reading it takes."""

    NONE = "none"
    NET_ADMIN = "CAP_NET_ADMIN"
    ROOT = "root"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One section: what is run or read, what that takes, and what stays unknown without it."""

    name: str
    command: str
    """The command line, or the path that is read."""
    privilege: Privilege
    unknown: str
    """What the analysis cannot know without it."""


@dataclass(frozen=True, slots=True)
class WantedFiles:
    """Files of one directory that are read when they exist: sections `file/PATH` and `link/PATH`."""

    directory: str
    patterns: tuple[str, ...]
    masked: bool = False
    """Lines that hold keys or passwords lose their value before they are printed."""


NONE, ADMIN, ROOT = Privilege.NONE, Privilege.NET_ADMIN, Privilege.ROOT

SECTIONS: tuple[Wanted, ...] = (
    Wanted(
        "boot-id/first", "/proc/sys/kernel/random/boot_id", NONE, "whether the node was rebooted meanwhile"
    ),
    Wanted("kernel", "/proc/sys/kernel/osrelease", NONE, "what depends on the kernel's version"),
    Wanted("hostname", "/proc/sys/kernel/hostname", NONE, "the node's own name"),
    Wanted("user", "id -u", NONE, "whether it was collected as root"),
    Wanted("uptime", "/proc/uptime", NONE, "since when the node runs"),
    Wanted("cpus", "/proc/cpuinfo", NONE, "limits that grow with processors"),
    Wanted("meminfo", "/proc/meminfo", NONE, "limits that grow with memory"),
    Wanted("modules", "/proc/modules", NONE, "loaded kernel modules"),
    Wanted("version/ip", "ip -V", NONE, "how far the tool's print can be trusted"),
    Wanted("version/iptables", "iptables -V", NONE, "which backend plain `iptables` means"),
    Wanted("version/iptables-nft", "iptables-nft -V", NONE, "how far the tool's print can be trusted"),
    Wanted("version/iptables-legacy", "iptables-legacy -V", NONE, "how far the tool's print can be trusted"),
    Wanted("version/nft", "nft -v", NONE, "how far the tool's print can be trusted"),
    Wanted("version/ipset", "ipset -v", NONE, "how far the tool's print can be trusted"),
    Wanted("version/conntrack", "conntrack -V", NONE, "nothing that is judged"),
    Wanted("version/kubelet", "kubelet --version", NONE, "what depends on the kubelet's version"),
    Wanted("version/containerd", "containerd --version", NONE, "what depends on the runtime's version"),
    Wanted("version/crio", "crio --version", NONE, "what depends on the runtime's version"),
    Wanted("version/docker", "docker --version", NONE, "what depends on the runtime's version"),
    Wanted("sysctl", "/proc/sys/net and the few others", NONE, "running sysctl values (bpf_jit_* need root)"),
    Wanted("ip/addr", "ip -j -d addr", NONE, "links and addresses"),
    Wanted("ip/addr-text", "ip -d addr", NONE, "links, where `ip` is too old for JSON"),
    Wanted("ip/addr-text", "ip addr", NONE, "links, where `ip` is that of busybox"),
    Wanted("ip/route4", "ip -4 -j -d -N route show table all", NONE, "IPv4 routes"),
    Wanted("ip/route6", "ip -6 -j -d -N route show table all", NONE, "IPv6 routes"),
    Wanted(
        "ip/route4-text", "ip -4 -d -N route show table all", NONE, "locked metrics, which JSON leaves out"
    ),
    Wanted(
        "ip/route4-text", "ip -4 route show table all", NONE, "IPv4 routes, where `ip` is that of busybox"
    ),
    Wanted(
        "ip/route6-text", "ip -6 -d -N route show table all", NONE, "locked metrics, which JSON leaves out"
    ),
    Wanted(
        "ip/route6-text", "ip -6 route show table all", NONE, "IPv6 routes, where `ip` is that of busybox"
    ),
    Wanted("ip/rule4", "ip -4 -j -d -N rule", NONE, "IPv4 policy rules"),
    Wanted("ip/rule4-text", "ip -4 rule", NONE, "IPv4 policy rules, where `ip` is too old for JSON"),
    Wanted("ip/rule6", "ip -6 -j -d -N rule", NONE, "IPv6 policy rules"),
    Wanted("ip/rule6-text", "ip -6 rule", NONE, "IPv6 policy rules, where `ip` is too old for JSON"),
    Wanted("ip/nexthop", "ip -j -d nexthop", NONE, "next hops that routes share"),
    Wanted("ip/neigh4", "ip -4 -j neigh", NONE, "permanent IPv4 neighbours"),
    Wanted("ip/neigh-text", "ip neigh", NONE, "permanent neighbours, where `ip` is too old for JSON"),
    Wanted("ip/neigh6", "ip -6 -j neigh", NONE, "permanent IPv6 neighbours"),
    Wanted("ip/neigh-proxy4", "ip -4 -j neigh show proxy", NONE, "addresses answered for by proxy ARP"),
    Wanted("ip/neigh-proxy6", "ip -6 -j neigh show proxy", NONE, "addresses answered for by proxy NDP"),
    Wanted("bridge/fdb", "bridge -j fdb", NONE, "where an overlay sends what"),
    Wanted("bridge/fdb-text", "bridge fdb", NONE, "the same, where `bridge` is too old for JSON"),
    Wanted("iptables-nft/ip", "iptables-nft-save", ADMIN, "IPv4 rules of the nft backend"),
    Wanted("iptables-nft/ip6", "ip6tables-nft-save", ADMIN, "IPv6 rules of the nft backend"),
    Wanted("iptables-legacy/ip", "iptables-legacy-save", ROOT, "IPv4 rules of the legacy backend"),
    Wanted("iptables-legacy/ip6", "ip6tables-legacy-save", ROOT, "IPv6 rules of the legacy backend"),
    Wanted("iptables/ip", "iptables-save", ROOT, "IPv4 rules, where there is but one backend"),
    Wanted("iptables/ip6", "ip6tables-save", ROOT, "IPv6 rules, where there is but one backend"),
    Wanted(
        "legacy-tables/ip", "/proc/net/ip_tables_names", ROOT, "whether the legacy backend holds IPv4 tables"
    ),
    Wanted(
        "legacy-tables/ip6",
        "/proc/net/ip6_tables_names",
        ROOT,
        "whether the legacy backend holds IPv6 tables",
    ),
    Wanted("nft/json", "nft -j list ruleset", ADMIN, "nft tables, and whether iptables' print is whole"),
    Wanted("nft/text", "nft list ruleset", ADMIN, "nft tables in the form that can be loaded again"),
    Wanted("ipset", "ipset save", ADMIN, "ipsets and their elements"),
    Wanted("proc/sockstat", "/proc/net/sockstat", NONE, "sockets in use"),
    Wanted("proc/sockstat6", "/proc/net/sockstat6", NONE, "sockets in use"),
    Wanted("proc/snmp", "/proc/net/snmp", NONE, "limits that were hit"),
    Wanted("proc/netstat", "/proc/net/netstat", NONE, "limits that were hit"),
    Wanted("proc/conntrack", "/proc/net/stat/nf_conntrack", NONE, "connections that could not be tracked"),
    Wanted("proc/arp_cache", "/proc/net/stat/arp_cache", NONE, "size of the neighbour table"),
    Wanted("proc/ndisc_cache", "/proc/net/stat/ndisc_cache", NONE, "size of the neighbour table"),
    Wanted("proc/file-nr", "/proc/sys/fs/file-nr", NONE, "how many files are open"),
    Wanted("listeners", "ss -Hnltup", ROOT, "which process waits on a port"),
    Wanted("listeners", "ss -Hnltu", NONE, "ports on which the node waits"),
    Wanted("cni-plugins", "/opt/cni/bin", NONE, "CNI plugins that are installed"),
    Wanted(
        "flags/kube-apiserver",
        "/etc/kubernetes/manifests/kube-apiserver.yaml",
        ROOT,
        "ranges of services and NodePorts (of the file, lines with those flags only)",
    ),
    Wanted(
        "flags/kube-controller-manager",
        "/etc/kubernetes/manifests/kube-controller-manager.yaml",
        ROOT,
        "the pods' range (of the file, lines with that flag only)",
    ),
    Wanted(
        "flags/kube-proxy",
        "/etc/kubernetes/manifests/kube-proxy.yaml",
        ROOT,
        "the pods' range and kube-proxy's mode (of the file, lines with those flags only)",
    ),
    Wanted("modes", "stat -L -c '%a %n'", NONE, "modes of the files below"),
    Wanted("links-last", "/proc/net/dev", NONE, "whether links came or went meanwhile"),
    Wanted(
        "boot-id/last", "/proc/sys/kernel/random/boot_id", NONE, "whether the node was rebooted meanwhile"
    ),
)

SYSCTLS = (
    "/proc/sys/net",
    "/proc/sys/fs/file-max",
    "/proc/sys/fs/nr_open",
    "/proc/sys/fs/inotify",
    "/proc/sys/kernel/panic",
    "/proc/sys/kernel/panic_on_oops",
    "/proc/sys/kernel/pid_max",
    "/proc/sys/kernel/threads-max",
    "/proc/sys/kernel/keys/root_maxbytes",
    "/proc/sys/kernel/keys/root_maxkeys",
    "/proc/sys/user/max_net_namespaces",
    "/proc/sys/vm/max_map_count",
    "/proc/sys/vm/overcommit_memory",
    "/proc/sys/vm/panic_on_oom",
    "/proc/sys/vm/min_free_kbytes",
)
"""Trees and files of the section `sysctl`."""


def _systemd(where: str) -> tuple[WantedFiles, ...]:
    return (
        WantedFiles(f"{where}/sysctl.d", ("*.conf", ".[!.]*.conf")),
        WantedFiles(f"{where}/modules-load.d", ("*.conf",)),
        WantedFiles(f"{where}/modprobe.d", ("*.conf",)),
        WantedFiles(
            f"{where}/systemd/network", ("*.network", "*.link", "*.network.d/*.conf", "*.link.d/*.conf")
        ),
        WantedFiles(f"{where}/systemd/network", ("*.netdev", "*.netdev.d/*.conf"), masked=True),
    )


DIRECTORIES: tuple[WantedFiles, ...] = (
    *_systemd("/etc"),
    *_systemd("/run"),
    *_systemd("/usr/local/lib"),
    *_systemd("/usr/lib"),
    *_systemd("/lib"),
    WantedFiles("/lib/systemd/system/kubelet.service.d", ("*.conf",)),
    WantedFiles("/lib/netplan", ("*.yaml",), masked=True),
    WantedFiles("/etc/cni/net.d", ("*.conf", "*.conflist", "*.json"), masked=True),
    WantedFiles("/etc/kubernetes/kubelet/config.json.d", ("*.conf",)),
    WantedFiles("/etc/systemd/system/kubelet.service.d", ("*.conf",)),
    WantedFiles("/run/systemd/system/kubelet.service.d", ("*.conf",)),
    WantedFiles("/usr/lib/systemd/system/kubelet.service.d", ("*.conf",)),
    WantedFiles("/etc/systemd/resolved.conf.d", ("*.conf",)),
    WantedFiles("/etc/systemd/networkd.conf.d", ("*.conf",)),
    WantedFiles("/etc/netplan", ("*.yaml",), masked=True),
    WantedFiles("/run/netplan", ("*.yaml",), masked=True),
    WantedFiles("/usr/lib/netplan", ("*.yaml",), masked=True),
    WantedFiles("/etc/NetworkManager/conf.d", ("*.conf",)),
    WantedFiles("/etc/NetworkManager/system-connections", ("*.nmconnection",), masked=True),
    WantedFiles("/run/NetworkManager/system-connections", ("*.nmconnection",), masked=True),
    WantedFiles(
        "/etc/sysconfig/network-scripts", ("ifcfg-*", "route-*", "route6-*", "rule-*", "rule6-*"), masked=True
    ),
    WantedFiles("/etc/sysconfig/network", ("ifcfg-*", "ifroute-*", "routes", "config"), masked=True),
    WantedFiles("/etc/network", ("interfaces", "interfaces.d/*"), masked=True),
    WantedFiles("/etc/iproute2/rt_tables.d", ("*.conf",)),
    WantedFiles("/etc/nftables", ("*.nft", "*.conf")),
    WantedFiles("/etc/nftables.d", ("*.nft", "*.conf")),
    WantedFiles("/etc/ufw", ("*.rules", "*.conf")),
    WantedFiles("/etc/firewalld/zones", ("*.xml",)),
    WantedFiles("/etc/firewalld/policies", ("*.xml",)),
    WantedFiles("/etc/firewalld/services", ("*.xml",)),
    WantedFiles("/etc/firewalld/ipsets", ("*.xml",)),
    WantedFiles("/etc/tuned", ("*/tuned.conf",)),
)

FILES: tuple[str, ...] = (
    "/etc/os-release",
    "/usr/lib/os-release",
    "/etc/sysctl.conf",
    "/lib/systemd/system/kubelet.service",
    "/etc/modules",
    "/var/lib/kubelet/config.yaml",
    "/var/lib/kubelet/kubeadm-flags.env",
    "/etc/default/kubelet",
    "/etc/sysconfig/kubelet",
    "/etc/kubernetes/kubelet/kubelet-config.json",
    "/etc/kubernetes/kubelet/config.json",
    "/etc/systemd/system/kubelet.service",
    "/usr/lib/systemd/system/kubelet.service",
    "/var/lib/kube-proxy/config.conf",
    "/var/lib/kube-proxy/kube-proxy-config.yaml",
    "/etc/kubernetes/kube-proxy-config.yaml",
    "/run/flannel/subnet.env",
    "/etc/kube-flannel/net-conf.json",
    "/etc/docker/daemon.json",
    "/etc/resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    "/etc/systemd/resolved.conf",
    "/etc/systemd/networkd.conf",
    "/etc/NetworkManager/NetworkManager.conf",
    "/etc/sysconfig/network",
    "/etc/iproute2/rt_tables",
    "/usr/share/iproute2/rt_tables",
    "/etc/iptables/rules.v4",
    "/etc/iptables/rules.v6",
    "/etc/iptables/ipsets",
    "/etc/sysconfig/iptables",
    "/etc/sysconfig/ip6tables",
    "/etc/sysconfig/ipset",
    "/etc/ipset.conf",
    "/etc/nftables.conf",
    "/etc/sysconfig/nftables.conf",
    "/etc/systemd/system/sysinit.target.wants/nftables.service",
    "/etc/systemd/system/multi-user.target.wants/nftables.service",
    "/etc/default/ufw",
    "/etc/firewalld/firewalld.conf",
    "/etc/firewalld/direct.xml",
    "/etc/tuned/active_profile",
)
"""Single files that are read when they exist."""

NEVER = (
    "private keys, certificates and kubeconfigs (/etc/kubernetes/*.conf, /etc/cni/net.d/*kubeconfig)",
    "command lines and environments of processes",
    "net.ipv6.conf.*.stable_secret, net.ipv4.tcp_fastopen_key",
    "the rest of static pods' manifests, of which lines with four flags are read",
    "values of lines that name a key, a password, a token or a secret in network files",
)
"""What is never read or never printed."""


def wanted_file(path: str) -> bool:
    """Whether a persisted file of that absolute path is of the list."""
    from fnmatch import fnmatchcase

    if path in FILES:
        return True
    for files in DIRECTORIES:
        rest = path.removeprefix(f"{files.directory}/")
        if rest == path:
            continue
        for pattern in files.patterns:
            if rest.count("/") == pattern.count("/") and fnmatchcase(rest, pattern):
                # A shell's `*` passes over hidden names, Python's does not.
                if rest.startswith(".") and not pattern.startswith("."):
                    continue
                return True
    return False


@dataclass(frozen=True, slots=True)
class Shown:
    """One line of `--show-commands`."""

    command: str
    privilege: Privilege
    unknown: str


def show_commands() -> tuple[Shown, ...]:
    """Everything that is run and read on a node, in order, for those who have to allow it."""
    commands = [Shown(one.command, one.privilege, one.unknown) for one in SECTIONS]
    sysctls = [Shown(path, NONE, "running sysctl values") for path in SYSCTLS]
    directories = [
        Shown(
            f"{one.directory}/{pattern}",
            ROOT if one.masked else NONE,
            "what a restart brings" + (" (keys and passwords are masked)" if one.masked else ""),
        )
        for one in DIRECTORIES
        for pattern in one.patterns
    ]
    files = [Shown(path, NONE, "what a restart brings") for path in FILES]
    return tuple(dict.fromkeys((*commands, *sysctls, *directories, *files)))
