"""The kind of a proposed file is told by its path and content, or named."""

import pytest

from planner.errors import NetchangeError
from planner.models.proposal import FragmentKind
from planner.proposal.fragments import decode, node_path, recognise

SYSCTL = "net.ipv4.ip_forward = 1\n"


@pytest.mark.parametrize(
    ("path", "text", "kind", "target"),
    [
        ("roles/x/files/etc/sysctl.d/90-a.conf", SYSCTL, "sysctl", "/etc/sysctl.d/90-a.conf"),
        ("90-a.conf", SYSCTL, "sysctl", "/etc/sysctl.d/90-a.conf"),
        ("sysctl.conf", "# empty of settings\n", "sysctl", "/etc/sysctl.conf"),
        (
            "usr/lib/sysctl.d/50-default.conf",
            "-net.ipv4.conf.all.rp_filter\n",
            "sysctl",
            "/usr/lib/sysctl.d/50-default.conf",
        ),
        ("fw.rules", "# x\n*filter\n:INPUT DROP [0:0]\nCOMMIT\n", "iptables-restore", ""),
        ("etc/iptables/rules.v6", "*filter\nCOMMIT\n", "ip6tables-restore", "/etc/iptables/rules.v6"),
        ("fw.rules", "*filter\n-A INPUT -d 10.0.0.1 -p ipv6-icmp -j DROP\nCOMMIT\n", "iptables-restore", ""),
        ("fw6.rules", "*filter\n-A INPUT -s fd00::/8 -j DROP\nCOMMIT\n", "ip6tables-restore", ""),
        ("a.sh", "#!/bin/sh\niptables -F\n", "script", ""),
        ("run-me", "sysctl -w net.ipv4.ip_forward=1\nip route add 10.0.0.0/8 via 10.1.1.1\n", "script", ""),
        ("routes", "route add 10.0.0.0/8 via 10.1.1.1\nrule add fwmark 1 lookup 100\n", "ip-batch", ""),
        ("sets", "create a hash:ip family inet\nadd a 10.0.0.1\n", "ipset-restore", ""),
        (
            "10-flannel.conflist",
            '{"cniVersion": "1.0.0", "plugins": []}',
            "cni",
            "/etc/cni/net.d/10-flannel.conflist",
        ),
        ("x/etc/cni/net.d/05.conf", '{"type": "bridge"}', "cni", "/etc/cni/net.d/05.conf"),
        (
            "kubelet.yaml",
            "kind: KubeletConfiguration\nclusterDNS: [10.96.0.10]\n",
            "kubelet",
            "/var/lib/kubelet/config.yaml",
        ),
        ("etc/resolv.conf", "nameserver 10.0.0.1\n", "file", "/etc/resolv.conf"),
        (
            "n/etc/systemd/network/10-eth0.network",
            "[Match]\nName=eth0\n",
            "file",
            "/etc/systemd/network/10-eth0.network",
        ),
    ],
)
def test_recognised(path: str, text: str, kind: str, target: str) -> None:
    """Kind, and where the file goes on the node."""
    fragment = recognise(path, text)

    assert (kind, target) == (fragment.kind.value, fragment.target)


@pytest.mark.parametrize(
    ("path", "text", "word"),
    [
        (
            "cm.yaml",
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  a: |\n    net.ipv4.ip_forward = 0\n",
            "ConfigMap",
        ),
        (
            "ds.yml",
            "---\nkind: DaemonSet\napiVersion: apps/v1\nx: |\n    ip link set eth0 down\n",
            "DaemonSet",
        ),
        ("t.json", '{\n  "apiVersion": "v1",\n  "kind": "Service"\n}\n', "Service"),
    ],
)
def test_what_is_recognised_and_not_read_is_refused(path: str, text: str, word: str) -> None:
    """Objects of the cluster are not taken for commands or settings that stand in them."""
    with pytest.raises(NetchangeError) as caught:
        recognise(path, text)

    assert "fragment-kind-unread" == caught.value.reference
    assert word in str(caught.value)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("fw.conf", "#!/usr/sbin/nft -f\nflush ruleset\n"),
        ("fw.nft", "define x = 1\n"),
        ("etc/nftables.conf", "table inet fw\n"),
        ("fw", "table inet fw {\n chain c {\n  ip saddr 10.0.0.0/8 drop\n }\n}\n"),
        ("fw", "add table ip x\nadd rule ip x y ip daddr 10.0.0.1 drop\n"),
    ],
)
def test_a_file_of_nft_is_told_from_commands_of_iproute2(path: str, text: str) -> None:
    """`ip saddr …` within it is no command of `ip`."""
    assert FragmentKind.NFT is recognise(path, text).kind


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("table inet fw {\n chain c {\n", 2, "not closed"),
        ("table inet fw {\n chain c { accept }\n}\n", 2, "`}` where a `;` or a new line"),
        ("flush ruleset\nip saddr 10.0.0.1 drop\n", 2, "add rule"),
        ("table inet fw {\n chain c {\n  ip saddr $lan drop\n }\n}\n", 3, "`$lan` is not defined"),
    ],
)
def test_what_nft_would_not_read_is_told_with_its_line(text: str, line: int, words: str) -> None:
    """A mistake of syntax is the author's: one sentence with file, line and what to do."""
    with pytest.raises(NetchangeError) as caught:
        recognise("fw.nft", text)

    assert "nft-syntax" == caught.value.reference
    assert f"`fw.nft:{line}`" in str(caught.value)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "mode: 0644\ncontents:\n  inline: |\n    net.ipv4.ip_forward = 0\n",
        "[connection]\nipv4.dhcp-client-id=mac\n",
        "A sentence about\nnet.ipv4.ip_forward = 0\n",
    ],
)
def test_settings_within_another_language_are_not_a_sysctl_file(text: str) -> None:
    """By content a file is one of sysctl.d only when every line could stand there."""
    with pytest.raises(NetchangeError, match="none of the kinds"):
        recognise("some-file", text)


def test_a_script_that_writes_a_manifest_is_a_script() -> None:
    """The innocent twin: what stands in a here-document says nothing of the file."""
    text = "#!/bin/sh\nip link set eth0 mtu 1400\ncat <<E\napiVersion: v1\nkind: Pod\ntable ip x {\nE\n"

    assert FragmentKind.SCRIPT is recognise("a.sh", text).kind


@pytest.mark.parametrize("name", ["change.sh", "change", "change.rules"])
def test_tables_within_a_script_do_not_make_it_a_restore_file(name: str) -> None:
    """Its other commands would not be seen."""
    text = (
        "iptables -P FORWARD DROP\niptables-restore --noflush <<EOF\n*filter\n-A INPUT -j DROP\nCOMMIT\nEOF\n"
    )

    assert FragmentKind.SCRIPT is recognise(name, text).kind
    assert FragmentKind.SCRIPT is recognise(name, f"# for the nodes\n{text}").kind
    piped = "cat <<EOF | $RESTORE\n*filter\nCOMMIT\nEOF\n"
    assert FragmentKind.SCRIPT is recognise(name, piped).kind
    commented = "# made by: iptables-save << nobody\n*filter\n-A INPUT -j DROP\nCOMMIT\n"
    assert FragmentKind.IPTABLES_RESTORE is recognise("rules", commented).kind


def test_named_kind_wins() -> None:
    """`--as` is the last word."""
    assert FragmentKind.FILE is recognise("90-a.conf", SYSCTL, kind=FragmentKind.FILE).kind


def test_unknown_kind_says_what_to_do() -> None:
    """One sentence with the file and the way out."""
    with pytest.raises(NetchangeError, match=r"`notes.txt` is none of the kinds .* `--as`"):
        recognise("notes.txt", "hello world\n")


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"a\nb\0c", "`f:2` has a NUL"),
        (b"ok\n\xff\xfe", "`f:2` is not valid UTF-8"),
    ],
)
def test_what_is_no_text_is_refused_with_its_line(data: bytes, words: str) -> None:
    """Empty, binary, wrong encoding: one sentence each."""
    with pytest.raises(NetchangeError, match=words):
        decode(data, name="f")


def test_node_path_begins_at_a_directory_of_the_node() -> None:
    """Without one the file has no place on the node."""
    assert ("/etc/x/y", "", "") == (node_path("../a/etc/x/y"), node_path("a/b/y"), node_path("etc"))
