"""Which kind of file is this: recognised from path and content, or named by the user."""

import re
from pathlib import PurePosixPath
from typing import assert_never

from planner.errors import NetchangeError
from planner.models.proposal import Fragment, FragmentKind
from planner.nft.reader import read_alone
from planner.nft.tokens import SyntaxMistakeError

ROOTS = ("etc", "usr", "run", "var", "lib", "opt")
"""Top directories of a node; a pull request's path is cut to begin at the first of them."""

RESTORE_TARGETS = {
    "/etc/iptables/rules.v4": FragmentKind.IPTABLES_RESTORE,
    "/etc/iptables/rules.v6": FragmentKind.IP6TABLES_RESTORE,
    "/etc/sysconfig/iptables": FragmentKind.IPTABLES_RESTORE,
    "/etc/sysconfig/ip6tables": FragmentKind.IP6TABLES_RESTORE,
}
COMMANDS = (
    r"(?:sudo\s+)?(?:/\S*/)?(?:sysctl|ip6?tables(?:-nft|-legacy)?(?:-restore)?|ip|ipset|bridge|nft)\s+\S"
)
SCRIPT_LINE = re.compile(rf"^[ \t]*{COMMANDS}", re.MULTILINE)
BATCH_LINE = re.compile(
    r"^[ \t]*(?:r(?:o(?:u(?:te?)?)?)?|ru(?:le?)?|a(?:d(?:d(?:r(?:ess)?)?)?)?|l(?:i(?:nk?)?)?|n(?:e(?:igh(?:bou?r)?)?)?|nexthop)"
    r"\s+(?:a(?:dd?|ppend)?|d(?:el(?:ete)?)?|r(?:eplace)?|c(?:hange)?|s(?:et)?|f(?:lush)?)\b",
    re.MULTILINE,
)
TABLE_LINE = re.compile(r"^\*(?:raw|mangle|nat|filter|security)\s*$", re.MULTILINE)
NFT_SHEBANG = (
    "#!/usr/sbin/nft",
    "#! /usr/sbin/nft",
    "#!/sbin/nft",
    "#!/usr/bin/env -S nft",
    "#!/usr/bin/nft",
)
"""Such a file is loaded by nft, not run by a shell."""
NFT_TARGETS = frozenset({"/etc/nftables.conf", "/etc/sysconfig/nftables.conf"})
"""What nftables.service loads: Debian's and Red Hat's."""
NFT_DIRECTORIES = frozenset({"/etc/nftables", "/etc/nftables.d"})
NFT_LINE = re.compile(
    r"^[ \t]*(?:flush\s+ruleset\b|(?:(?:add|create|delete|destroy|flush)\s+)?table\s+(?:(?:ip6?|inet|arp|bridge|netdev)\s+)?[\w-]+\s*[{;\n])",
    re.MULTILINE,
)
"""What the rules of nft(8) begin with; `ip saddr …` within would pass for a command of iproute2."""
MANIFEST_LINE = re.compile(r"^(?:apiVersion:[ \t]*\S|[ \t]*\"apiVersion\"[ \t]*:)", re.MULTILINE)
KIND_LINE = re.compile(r"^\s{0,2}\"?kind\"?\s*:\s*\"?(?P<kind>[A-Za-z]+)", re.MULTILINE)
IPSET_LINE = re.compile(r"^(?:create|add|destroy|flush|swap|rename)\s+\S+", re.MULTILINE)
FREE_SYSCTL_LINE = re.compile(r"^[ \t]*-?[\w*?\[\]:-]+(?:[./][\w*?\[\]:-]+)*[ \t]*=", re.MULTILINE)
FREE_IPSET_LINE = re.compile(
    r"^[ \t]*(?:-[!q]\s+)*(?:-[NXFWEAD]\s|(?:--)?(?:create|add|del|destroy|flush|swap|rename)\b)",
    re.MULTILINE,
)
YAML_KEY = re.compile(r"^[ \t]*(?:[{\"]|[A-Za-z]\w*\s*:)", re.MULTILINE)
COMMENTS = re.compile(r"^[ \t]*(?:[#;].*)?$\n?", re.MULTILINE)
SYSCTL_LINE = re.compile(
    r"\s*(?:-?[a-z0-9_]+(?:[./][\w*?\[\]:-]+)+\s*=|-[a-z0-9_]+(?:[./][\w*?\[\]:-]+)+\s*$|[#;]|$)"
)
"""A setting, an exception from a pattern, a comment or nothing (sysctl.d(5)). Any other line tells of another language."""
IP6_WORD = re.compile(
    r"(?:-s|-d|--source|--destination)\s+\S*::|\bipv6-icmp\b|\bicmp6\b|icmp6-port-unreachable", re.MULTILINE
)
IP4_WORD = re.compile(r"(?:-s|-d|--source|--destination)\s+\d+\.\d+\.|icmp-port-unreachable")
"""`-p ipv6-icmp` stands in rules of iptables too: protocol 58 of IPv4."""


def decode(data: bytes, *, name: str) -> str:
    """Text of a proposed file. CRLF and a byte-order mark are left for the reader of the kind: tools differ about them."""
    if not data.strip():
        raise NetchangeError(
            reference="fragment-empty",
            message=f"`{name}` is empty",
            hint="propose the file's whole new content, or leave it out",
        )
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise NetchangeError(
            reference="fragment-binary",
            message=f"`{name}:{line}` has a NUL octet: this is not a text file",
            hint="give configuration files, scripts or snapshots",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise NetchangeError(
            reference="fragment-not-utf8",
            message=f"`{name}:{line}` is not valid UTF-8",
            hint="save the file as UTF-8",
        ) from error


def node_path(path: str) -> str:
    """Where a file of a pull request goes on the node: `roles/x/files/etc/sysctl.d/9.conf` → `/etc/sysctl.d/9.conf`."""
    parts = [part for part in PurePosixPath(path).parts if part not in {"/", ".", ".."}]
    for position, part in enumerate(parts[:-1]):
        if part in ROOTS:
            return "/" + "/".join(parts[position:])
    return ""


def recognise(
    path: str, text: str, *, kind: FragmentKind | None = None, target: str = "", noflush: bool = False
) -> Fragment:
    """The fragment that a proposed file is. Raises NetchangeError when its kind cannot be told."""
    where = target or node_path(path)
    found = kind or _from_path(where, path, text)
    if found is None:
        _refuse_unread(path, text)
        found = _from_content(path, text)
    if found is None:
        raise NetchangeError(
            reference="fragment-kind-unknown",
            message=f"`{path}` is none of the kinds of file that can be proposed",
            hint="name its kind with `--as`: " + ", ".join(k.value for k in FragmentKind),
        )
    lacks = _lacks(kind, text.removeprefix("\ufeff")) if kind else ""
    if kind and lacks:
        own = _from_content(path, text)
        other = f"it reads as {own.value}" if own not in {None, kind} and own else "its kind is another one"
        raise NetchangeError(
            reference="fragment-kind-contradicted",
            message=f"`{path}` is given as {kind.value} and has {lacks}",
            hint=f"{other}: leave `--as` out, or name the kind that it is",
        )
    if found is FragmentKind.NFT:
        _check_nft(path, text)
    return Fragment(
        path=path, kind=found, target=where or _default_target(found, path, text), text=text, noflush=noflush
    )


def _check_nft(path: str, text: str) -> None:
    """Raises NetchangeError at what nft would refuse before it looks at any table."""
    try:
        read_alone(text.removeprefix("\ufeff"))
    except SyntaxMistakeError as error:
        raise NetchangeError(
            reference="nft-syntax",
            message=f"`{path}:{error.line}`: {error.message}",
            hint=f"nft would load nothing of the file; `nft -c -f {path}` on a node names the same line; `--as file` compares the text alone",
        ) from error


def _refuse_unread(path: str, text: str) -> None:
    """Kinds that are recognised and not read yet: better no answer than one about lines taken for something else."""
    if text.startswith("#!") or TABLE_LINE.search(text):
        return
    kinds = sorted({found["kind"] for found in KIND_LINE.finditer(text)} - {"KubeletConfiguration"})
    if MANIFEST_LINE.search(text) and kinds:
        raise NetchangeError(
            reference="fragment-kind-unread",
            message=f"`{path}` holds objects of the cluster ({', '.join(kinds[:4])}), whose effect on nodes is not read yet",
            hint="propose the files that its agent writes on the node, such as those in /etc/cni/net.d",
        )


def _lacks(kind: FragmentKind, text: str) -> str:
    """What every file of that kind has and this one has not; a file of comments may be of any kind."""
    content = COMMENTS.sub("", text).strip()
    if not content:
        return ""
    structured = content[0] in "{["
    tables = bool(TABLE_LINE.search(text))
    match kind:
        case FragmentKind.SYSCTL:
            return "" if FREE_SYSCTL_LINE.search(text) and not structured else "no line `key = value`"
        case FragmentKind.IPTABLES_RESTORE | FragmentKind.IP6TABLES_RESTORE:
            return "" if re.search(r"^\*\w+", text, re.MULTILINE) else "no line `*table`"
        case FragmentKind.CNI:
            return "" if content[0] == "{" else "no JSON object"
        case FragmentKind.KUBELET:
            return "" if YAML_KEY.search(content) and not tables else "no line `key: value`"
        case FragmentKind.NFT:
            return "the tables of a restore file" if tables else ""
        case FragmentKind.IPSET_RESTORE:
            found = FREE_IPSET_LINE.search(text) and not tables
            return "" if found else "no line `create SET …` or `add SET …`"
        case FragmentKind.SCRIPT | FragmentKind.IP_BATCH:
            if re.match(r'\{\s*"', content):
                return "no command, but a JSON document"
            shell = text.startswith("#!") or SCRIPT_LINE.search(text)
            return "no command, but the tables of a restore file" if tables and not shell else ""
        case FragmentKind.FILE:
            return ""
        case _:
            assert_never(kind)


def _default_target(kind: FragmentKind, path: str, text: str) -> str:
    name = PurePosixPath(path).name
    match kind:
        case FragmentKind.SYSCTL:
            # Only *.conf is read there (sysctl.d(5)), and a pipe's name has no suffix.
            installed = name if name.endswith(".conf") else f"{name}.conf"
            return "/etc/sysctl.conf" if name == "sysctl.conf" else f"/etc/sysctl.d/{installed}"
        case FragmentKind.CNI:
            known = name.endswith((".conf", ".conflist", ".json"))
            return f"/etc/cni/net.d/{name}" + (
                "" if known else ".conflist" if '"plugins"' in text else ".conf"
            )
        case FragmentKind.KUBELET:
            return "/var/lib/kubelet/config.yaml"
        case _:
            return ""


def _from_path(where: str, path: str, text: str) -> FragmentKind | None:
    pure = PurePosixPath(where or path)
    if pure.parent.name == "sysctl.d" and pure.suffix == ".conf":
        return FragmentKind.SYSCTL
    if pure.name == "sysctl.conf":
        return FragmentKind.SYSCTL
    if pure.parent.name == "net.d" and pure.suffix in {".conf", ".conflist", ".json"}:
        return FragmentKind.CNI
    if where in RESTORE_TARGETS:
        return RESTORE_TARGETS[where]
    if _is_nft(where, path, text):
        return FragmentKind.NFT
    if where == "/var/lib/kubelet/config.yaml":
        return FragmentKind.KUBELET
    script = text.startswith("#!") and not text.startswith(NFT_SHEBANG)
    if where and not TABLE_LINE.search(text) and not script and _is_known_file(where):
        return FragmentKind.FILE
    return None


def _is_nft(where: str, path: str, text: str) -> bool:
    """Whether nft reads the file: by its place or name, its first line, or what its lines begin with."""
    if text.startswith("#!"):
        return text.startswith(NFT_SHEBANG)
    if where in NFT_TARGETS or PurePosixPath(where).parent.as_posix() in NFT_DIRECTORIES:
        return True
    return not TABLE_LINE.search(text) and (path.endswith(".nft") or bool(NFT_LINE.search(text)))


def _is_known_file(where: str) -> bool:
    directories = (
        "/etc/systemd/network",
        "/run/systemd/network",
        "/usr/lib/systemd/network",
        "/etc/netplan",
        "/etc/NetworkManager",
        "/etc/modules-load.d",
        "/etc/modprobe.d",
        "/etc/network",
        "/etc/sysconfig/network-scripts",
        "/etc/ufw",
        "/etc/firewalld",
        "/etc/kubernetes",
        "/etc/systemd",
        "/etc/default",
    )
    files = {
        "/etc/resolv.conf",
        "/etc/modules",
        "/run/flannel/subnet.env",
        "/etc/hosts",
    }
    return where in files or where.startswith(tuple(f"{directory}/" for directory in directories))


def _is_script(text: str) -> bool:
    """Whether a text with tables holds them for commands: a restore file has no line of a shell before its first table."""
    table = TABLE_LINE.search(text)
    before = text[: table.start()] if table else text
    return text.startswith("#!") or bool(SCRIPT_LINE.search(before)) or "<<" in COMMENTS.sub("", before)


def _from_content(path: str, text: str) -> FragmentKind | None:
    name = PurePosixPath(path).name
    stripped = text.lstrip("\ufeff \t\r\n")
    if TABLE_LINE.search(text) and not _is_script(text):
        six = bool(re.search(r"(?:v6|ip6|ipv6)", name)) or bool(
            IP6_WORD.search(text) and not IP4_WORD.search(text)
        )
        return FragmentKind.IP6TABLES_RESTORE if six else FragmentKind.IPTABLES_RESTORE
    if stripped.startswith("{") and '"cniVersion"' in text:
        return FragmentKind.CNI
    if re.search(r'^(?:kind[ \t]*:|[ \t]*"kind"[ \t]*:)[ \t]*"?KubeletConfiguration', text, re.MULTILINE):
        return FragmentKind.KUBELET
    if _is_script(text) or name.endswith(".sh") or SCRIPT_LINE.search(text):
        return FragmentKind.SCRIPT
    if IPSET_LINE.search(text):
        return FragmentKind.IPSET_RESTORE
    if BATCH_LINE.search(text):
        return FragmentKind.IP_BATCH
    lines = text.lstrip("\ufeff").splitlines()
    if all(SYSCTL_LINE.match(line) for line in lines) and any("=" in line for line in lines):
        return FragmentKind.SYSCTL
    return None
