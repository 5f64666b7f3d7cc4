"""The list of what is collected and the script that collects it are held to each other."""

import re

from planner.collect.host import collector_script
from planner.collect.sections import (
    DIRECTORIES,
    FILES,
    SECTIONS,
    SYSCTLS,
    Privilege,
    show_commands,
    wanted_file,
)

SCRIPT = collector_script()
BODY = SCRIPT[SCRIPT.index("# --- the node ---") :]
ROOTS = ("/etc", "/run", "/usr/local/lib", "/usr/lib")


def _unrolled():
    """The script's body with its two loops over directories written out."""
    outer = re.search(r"^for where in (/etc .*?); do\n(.*?)^done$", BODY, re.MULTILINE | re.DOTALL)
    inner = re.search(r"^  for where in (/lib); do\n(.*?)^  done$", BODY, re.MULTILINE | re.DOTALL)
    text = BODY.replace(outer.group(0), "").replace(inner.group(0), "")
    for loop in (outer, inner):
        for where in loop.group(1).split():
            text += loop.group(2).replace("$where", where)
    return text


def _words(line):
    return [word.strip("'") for word in line.split()]


def _commands():
    found = set()
    for line in _unrolled().splitlines():
        plain = re.sub(r"^(\[ .*? \] \|\| |if .*; then |.*; else )", "", line.strip())
        for part in re.split(r"; (?:else|fi|then) ?", plain):
            words = part.removesuffix("; fi").split()
            match words:
                case ["run", name, *argv]:
                    found.add((name, " ".join(argv)))
                case ["asks", _, name, *argv]:
                    found.add((name, " ".join(argv)))
                case ["proc" | "listing" | "flags", name, path]:
                    found.add((name, path))
    for line in BODY.splitlines():
        found.update(
            (name, argv.strip()) for name, argv in re.findall(r"(?:then|else) run (\S+) ([^;]+)", line)
        )
    return found


def test_every_command_of_the_script_is_in_the_list_and_no_other():
    """What `--show-commands` prints is what runs."""
    listed = {(one.name, one.command) for one in SECTIONS if one.name not in {"sysctl", "modes"}}

    assert listed == _commands()


def test_the_two_sections_made_by_functions_are_what_the_list_says():
    """sysctl and modes are not plain commands."""
    others = re.search(r"^sysctl_others='(.*?)'", SCRIPT, re.MULTILINE | re.DOTALL).group(1).split()

    assert SYSCTLS == ("/proc/sys/net", *others)
    assert "grep -r '' /proc/sys/net $sysctl_others" in SCRIPT
    assert "stat -L -c '%a %n'" in SCRIPT


def test_every_file_pattern_of_the_script_is_in_the_list_and_no_other():
    """A file that is read without being listed would be a broken promise."""
    single, patterns = set(), set()
    for line in _unrolled().splitlines():
        match _words(line.strip()):
            case ["file", *paths]:
                single.update(paths)
            case ["files" | "masked" as how, directory, *globs]:
                patterns.add((directory, tuple(globs), how == "masked"))

    assert set(FILES) == single
    assert {(one.directory, one.patterns, one.masked) for one in DIRECTORIES} == patterns


def test_nothing_secret_is_on_the_list():
    """Kubeconfigs, keys and process command lines are never read."""
    for path in (
        "/etc/kubernetes/kubelet.conf",
        "/etc/kubernetes/admin.conf",
        "/etc/cni/net.d/calico-kubeconfig",
        "/etc/cni/net.d/multus.d/multus.kubeconfig",
        "/etc/kubernetes/pki/ca.key",
        "/etc/kubernetes/manifests/kube-apiserver.yaml",
        "/proc/1/cmdline",
        "/etc/shadow",
        "/etc/wireguard/wg0.conf",
    ):
        assert not wanted_file(path), path
    for word in ("cmdline", "kubeconfig", "xfrm state", "wg show", "iptables -L", "-t nat", "conntrack -L"):
        code = "\n".join(line for line in SCRIPT.splitlines() if not line.startswith("#"))

        assert word not in code


def test_files_are_recognised_as_the_shell_would():
    """A bundle is read by the same list: `*` does not cross a directory, and hidden names only where asked."""
    assert wanted_file("/etc/cni/net.d/10-flannel.conflist")
    assert wanted_file("/etc/sysctl.d/.hidden.conf")
    assert wanted_file("/etc/network/interfaces.d/eth0")
    assert not wanted_file("/etc/cni/net.d/.10-flannel.conflist")
    assert not wanted_file("/etc/cni/net.d/old/10-flannel.conflist")


def test_the_shown_list_says_what_each_costs_and_what_is_unknown_without_it():
    """Who has to allow the collection reads this."""
    shown = show_commands()
    rules = next(one for one in shown if one.command == "iptables-nft-save")

    assert Privilege.NET_ADMIN == rules.privilege
    assert "nft backend" in rules.unknown
    assert all(one.unknown for one in shown)
    assert len(shown) == len(set(shown))
