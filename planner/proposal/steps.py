"""A fragment's operations: what the tool that would apply it runs, command by command."""

import re
from collections.abc import Iterator, Sequence

from planner.models.node import NodeState
from planner.models.proposal import Command, FileWrite, Fragment, FragmentKind, Operation
from planner.models.source import Gap, Source
from planner.proposal.ip import read_ip_batch
from planner.proposal.shell import NotUnderstood, Simple, read_script

HARMLESS = frozenset(
    {
        "true",
        ":",
        "set",
        "echo",
        "printf",
        "sleep",
        "cd",
        "umask",
        "exit",
        "logger",
        "date",
        "test",
        "[",
        "trap",
        "ulimit",
        "mkdir",
        "sync",
        "wait",
        "unset",
        "shift",
        "return",
        "type",
        "command",
        "which",
        "id",
        "uname",
        "hostname",
        "ss",
        "ping",
        "dig",
        "curl",
        "grep",
        "cat",
        "ls",
    }
)
"""Commands without effect on the network state; those that write a file are looked at by their redirection."""
INTERPRETED = re.compile(
    r"(?:.*/)?(?:sysctl|ip|bridge|ipset|nft|ip6?tables(?:-nft|-legacy)?(?:-restore)?)", re.ASCII
)
NETWORKING = frozenset(
    {
        "tc", "ethtool", "rmmod", "conntrack", "brctl", "ifconfig", "route", "arp", "ipmaddr", "iptunnel", "vconfig", "ifup", "ifdown",
        "ifenslave", "ebtables", "ebtables-restore", "arptables", "arptables-restore", "ipvsadm", "ipvsadm-restore", "wg", "wg-quick",
        "nmcli", "netplan", "networkctl", "bpftool", "devlink", "dcb", "rdma", "firewall-cmd", "ufw", "calicoctl", "cilium", "ovs-vsctl",
        "ovs-ofctl", "dhclient", "dhcpcd", "iptables-apply", "netfilter-persistent", "ipset-persistent", "shorewall", "birdc", "vtysh",
    }
)  # fmt: skip
"""Programs that are there to change the network."""
READING = frozenset(
    {"show", "list", "ls", "status", "is-active", "is-enabled", "dump", "-L", "-i", "-k", "--version"}
)
"""Words by which such a program only tells."""
MANAGERS = re.compile(
    r"(?:systemd-networkd|NetworkManager|networking|network|firewalld|ufw|nftables|iptables|ip6tables|ipset|netfilter-persistent|"
    r"wg-quick@.*|kube-proxy|flanneld|calico-node|bird6?|frr|keepalived)(?:\.service)?"
)
"""Services that write rules, routes or links when they start or end."""
PROC = "/proc/sys/"

Compiled = Operation | Gap


def changes_network(words: Sequence[str]) -> bool:
    """Whether a command exists to change the network: a program for it, a module taken out, a service that manages it."""
    program = words[0].rpartition("/")[2]
    if program in {"systemctl", "service", "rc-service"}:
        return any(MANAGERS.fullmatch(word) for word in words[1:]) and not set(words) & READING
    if program == "modprobe":
        return bool({"-r", "--remove"} & set(words))
    return program in NETWORKING and not set(words[1:3]) & READING


def compile_fragment(fragment: Fragment, state: NodeState) -> Iterator[Compiled]:
    """Operations in order; a gap stands where something was not understood. `state` only decides what globs match."""
    source = Source(name=fragment.path)
    match fragment.kind:
        case FragmentKind.SYSCTL:
            yield FileWrite(path=fragment.target, text=fragment.text, source=source)
            if fragment.text is not None:
                yield from _sysctl_file(fragment, state)
        case FragmentKind.IPTABLES_RESTORE | FragmentKind.IP6TABLES_RESTORE:
            if fragment.target:
                yield FileWrite(path=fragment.target, text=fragment.text, source=source)
            six = fragment.kind is FragmentKind.IP6TABLES_RESTORE
            program = "ip6tables-restore" if six else "iptables-restore"
            if fragment.text is not None:
                argv = (program, "--noflush") if fragment.noflush else (program,)
                yield Command(argv=argv, stdin=fragment.text, source=source)
        case FragmentKind.IPSET_RESTORE:
            if fragment.text is not None:
                yield Command(argv=("ipset", "restore"), stdin=fragment.text, source=source)
        case FragmentKind.NFT:
            if fragment.target:
                yield FileWrite(path=fragment.target, text=fragment.text, source=source)
            if fragment.text is not None:
                yield Command(argv=("nft", "-f", "-"), stdin=fragment.text, source=source)
        case FragmentKind.IP_BATCH:
            yield from read_ip_batch(fragment.text or "", name=fragment.path)
        case FragmentKind.SCRIPT:
            yield from compile_script(fragment.text or "", name=fragment.path)
        case FragmentKind.CNI | FragmentKind.KUBELET | FragmentKind.FILE:
            yield FileWrite(path=fragment.target or fragment.path, text=fragment.text, source=source)


def _sysctl_file(fragment: Fragment, state: NodeState) -> Iterator[Compiled]:
    """What `sysctl -p FILE` writes: the file's own lines in order. Another file may still win at the next boot."""
    from planner.models.node import ConfigFile
    from planner.parse.sysctl_d import Reader, effective_assignments

    alone = {fragment.target: ConfigFile(text=fragment.text or "")}
    for assignment in effective_assignments(alone, Reader.PROCPS, state.sysctls):
        line = assignment.source.line if assignment.source else 0
        yield Command(
            argv=("sysctl", "-w", f"{assignment.key}={assignment.value}"),
            tolerate=assignment.ignore_errors,
            source=Source(name=fragment.path, line=line),
        )


def compile_script(text: str, *, name: str) -> Iterator[Compiled]:
    """Operations of a POSIX-sh script."""
    pieces = list(read_script(text))
    for position, piece in enumerate(pieces):
        following = pieces[position + 1] if position + 1 < len(pieces) else None
        source = Source(name=name, line=piece.line)
        if isinstance(piece, NotUnderstood):
            reason = f"not understood: {piece.reason}: `{piece.text}`"
            yield Gap(section="proposal", reason=reason, source=source)
            continue
        previous = pieces[position - 1] if piece.follows else None
        after = following if isinstance(following, Simple) and following.follows else None
        yield from _simple(piece, previous, after, source)


def stops_at_error(text: str) -> bool:
    """Whether a script ends at the first failing command (`set -e`)."""
    return bool(re.search(r"^[ \t]*(?:set\s+-\w*e|#!\s*\S+.*\s-\w*e)", text, re.MULTILINE))


def _is_check(words: tuple[str, ...]) -> bool:
    return bool(INTERPRETED.fullmatch(words[0])) and any(
        word in {"-C", "--check", "test"} for word in words[1:]
    )


def _plain(words: tuple[str, ...]) -> tuple[str, ...]:
    """Without `sudo`, `env`, `exec` and the program's directory."""
    while words and words[0] in {"sudo", "exec", "env", "nohup", "command", "-E", "-n", "-H"}:
        words = words[1:]
    return (words[0].rsplit("/", 1)[-1], *words[1:]) if words else words


def _simple(
    piece: Simple, previous: Simple | NotUnderstood | None, after: Simple | None, source: Source
) -> Iterator[Compiled]:
    words = _plain(piece.words)
    if not words:
        return
    unless: tuple[str, ...] = ()
    only_if: tuple[str, ...] = ()
    tolerate = False
    if after is not None and after.follows == "||":
        if _plain(after.words)[:1] in {("true",), (":",), ("echo",), ("logger",)}:
            tolerate = True
        elif _is_check(words):
            return  # it is the condition of what follows
    if after is not None and after.follows == "&&" and _is_check(words):
        return
    if piece.follows and isinstance(previous, Simple):
        condition = _plain(previous.words)
        if piece.follows == "||" and words[0] not in HARMLESS:
            unless = condition
        elif piece.follows == "&&" and _is_check(condition):
            only_if = condition
    elif piece.follows and words[0] not in HARMLESS:
        reason = f"not understood: whether `{' '.join(words)[:160]}` runs depends on what comes before it"
        yield Gap(section="proposal", reason=reason, source=source)
        return
    if piece.output_file.startswith(PROC) and words[0] in {"echo", "printf"}:
        key = piece.output_file.removeprefix(PROC).replace("/", "\0").replace(".", "/").replace("\0", ".")
        value = " ".join(word for word in words[1:] if word not in {"-n", "-e", "%s\\n", "%s"})
        argv = ("sysctl", "-w", f"{key}={value}")
        yield Command(argv=argv, source=source, unless=unless, only_if=only_if, tolerate=tolerate)
        return
    if piece.output_file and not piece.output_file.startswith("/dev/"):
        yield from _writes_file(piece, words, source)
        return
    if not INTERPRETED.fullmatch(words[0]):
        if words[0] not in HARMLESS:
            reason = f"not understood: what `{' '.join(words)[:160]}` does to the network is not modelled"
            yield Gap(section="proposal", reason=reason, source=source, network=changes_network(words))
        return
    yield Command(
        argv=words,
        stdin=piece.stdin or "",
        stdin_path=piece.stdin_file,
        unless=unless,
        only_if=only_if,
        tolerate=tolerate,
        source=source,
    )


def _writes_file(piece: Simple, words: tuple[str, ...], source: Source) -> Iterator[Compiled]:
    text: str | None = None
    if words[0] == "cat" and piece.stdin is not None:
        text = piece.stdin
    elif words[0] == "echo" and words[1:2] != ("-e",):
        text = " ".join(word for word in words[1:] if word != "-n") + "\n"
    if text is None or piece.appends:
        reason = f"not understood: what is written to `{piece.output_file}` depends on the run"
        yield Gap(section="proposal", reason=reason, source=source)
        return
    yield FileWrite(path=piece.output_file, text=text, source=source)
