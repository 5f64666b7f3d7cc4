"""A real node is collected: by the script in every shell, as root and as nobody, against what its own tools show."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from planner.collect.bundle import read_bundle
from planner.collect.host import collect_host, collector_script
from planner.collect.runner import Finished
from planner.emit.snapshot import dump_snapshot
from planner.models.node import Volatile
from planner.models.snapshot import Snapshot
from planner.parse.agreement import disagreements
from planner.parse.iptables_save import parse_iptables_save
from planner.parse.native import read_items
from planner.parse.node import parse_node
from planner.parse.snapshot import load_snapshot
from planner.parse.stream import parse_stream

SHELLS = {
    "dash": ["dash"],
    "bash": ["bash"],
    # Debian's busybox takes its own applets before the PATH, so `ip` is that of busybox as well.
    "busybox": ["busybox", "sh"],
}
NOBODY = [
    "setpriv",
    "--reuid=65534",
    "--regid=65534",
    "--clear-groups",
    "--inh-caps=-all",
    "--bounding-set=-all",
]
SETUP = """
sysctl -qw net.ipv6.conf.default.accept_dad=0 net.ipv6.conf.default.router_solicitations=0
ip link add eth0 type veth peer name peer0
ip addr add 192.168.7.10/24 dev eth0
ip link set eth0 address 02:00:00:00:00:10; ip link set eth0 up; ip link set peer0 up
ip route add default via 192.168.7.1
ip link add cni0 type bridge; ip addr add 10.244.1.1/24 dev cni0; ip link set cni0 up
ip link add flannel.1 type vxlan id 1 dstport 8472 local 192.168.7.10 dev eth0 nolearning
ip addr add 10.244.1.0/32 dev flannel.1; ip link set flannel.1 up
bridge fdb append aa:bb:cc:00:00:02 dev flannel.1 dst 192.168.7.11
ip neigh add 10.244.2.0 lladdr aa:bb:cc:00:00:02 dev flannel.1 nud permanent
ip neigh add proxy 10.9.9.9 dev eth0
ip route add 10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink
ip route add 10.77.0.0/16 via 192.168.7.1 mtu lock 1400
ip rule add fwmark 0x80/0x80 lookup 100 pref 100
ip route add default via 192.168.7.1 table 100
ip -6 rule add from fd00::/64 lookup 101
ip nexthop add id 5 via 192.168.7.1 dev eth0
sysctl -qw net.ipv4.conf.eth0.rp_filter=2
iptables-nft -A INPUT -s 10.0.0.0/8 -p tcp --dport 22 -m comment --comment 'ssh "in"' -j ACCEPT
iptables-nft -t nat -A POSTROUTING -m mark --mark 0x4000/0x4000 -j MASQUERADE --random-fully
ip6tables-nft -A INPUT -p ipv6-icmp -j ACCEPT
iptables-legacy -P FORWARD DROP
iptables-legacy -A FORWARD -i cni0 -j ACCEPT
nft add table inet fw
nft add chain inet fw input '{ type filter hook input priority 0; policy accept; }'
nft add rule inet fw input tcp dport 23 counter drop
ipset create allow hash:ip timeout 300 comment
ipset add allow 10.0.0.7 comment "door"
ipset create both list:set
ipset add both allow
"""


class Inside:
    """A runner within the namespace."""

    def __init__(self, node):
        self.node = node

    def run(self, argv, *, stdin=b"", deadline):
        done = self.node.run(argv, stdin=stdin.decode(), check=False)
        return Finished(done.returncode, done.stdout.encode(), done.stderr.encode())


@pytest.fixture
def furnished(node):
    node.sh(SETUP)
    return node


def collected(node, *before):
    """The sections of the node, the script run behind these words."""
    argv = [*before, "-s", "tok", "/"]
    done = node.run(argv, stdin=collector_script())
    sections, problems = parse_stream(done.stdout, token="tok")
    assert () == problems
    return sections


def test_everything_of_a_furnished_node_is_there(furnished):
    """Both backends apart, native tables, ipsets, overlay, policy routing, and what JSON leaves out."""
    state = parse_node(collect_host(Inside(furnished)), name="n1")

    assert () == state.gaps
    assert {"lo", "eth0", "peer0", "cni0", "flannel.1"} == {link.name for link in state.links}
    overlay = state.link("flannel.1")
    assert ("vxlan", "1", "8472") == (overlay.kind, overlay.options["id"], overlay.options["port"])
    locked = next(route for route in state.routes if route.prefix == "10.77.0.0/16")
    assert (1400, "mtu") == (locked.mtu, locked.options["lock"])
    assert "100" in {route.table for route in state.routes}
    assert ["0x80/0x80"] == [rule.fwmark for rule in state.policy_rules if rule.fwmark]
    assert ["fd00::/64"] == [rule.source for rule in state.policy_rules if rule.source]
    assert [5] == [one.id for one in state.nexthop_objects]
    assert ["10.9.9.9"] == [one.address for one in state.neighbours if one.proxy]
    assert ["10.244.2.0"] == [one.address for one in state.neighbours if one.permanent]
    assert ["192.168.7.11"] == [one.destination for one in state.fdb if one.destination]
    sizes = {(one.backend, one.family): one.size for one in state.rulesets}
    assert {("nft", "ip"): 2, ("nft", "ip6"): 1, ("legacy", "ip"): 1, ("legacy", "ip6"): 0} == sizes
    assert "DROP" == state.ruleset("ip", "legacy").tables["filter"].policies["FORWARD"]
    assert ["table inet fw {"] == [
        line for line in state.native.text.splitlines() if line.startswith("table")
    ]
    assert ["allow", "both"] == [one.name for one in state.ipsets]
    assert ('10.0.0.7 comment "door"',) == state.ipsets[0].elements
    assert "2" == state.sysctls["net.ipv4.conf.eth0.rp_filter"]
    assert any(one.port == 8472 for one in state.volatile.listeners)


def test_every_readable_sysctl_has_the_value_that_sysctl_shows(furnished):
    """The one pass over the tree is held against procps."""
    state = parse_node(collect_host(Inside(furnished)))
    shown = furnished.run(["sysctl", "-a"], check=False).stdout
    values = {}
    for line in shown.splitlines():
        key, _, value = line.partition(" = ")
        if key.startswith("net.") and not re.search(
            r"stable_secret|fastopen_key|rss_key|hash_seed|_count$", key
        ):
            values[key] = " ".join(value.split())

    assert values
    assert values == {key: state.sysctls.get(key) for key in values}


def test_the_collector_changes_nothing(furnished):
    """No table, module or set appears because it was asked for."""
    look = "iptables-nft-save; cat /proc/net/ip_tables_names /proc/net/ip6_tables_names; nft list tables; ipset list -n"
    before = re.sub("(?m)^#.*", "", furnished.sh(look))
    collected(furnished, "dash")

    assert before == re.sub("(?m)^#.*", "", furnished.sh(look))


def test_an_empty_node_is_empty_without_gaps(node):
    """And stays so: asking creates no table."""
    first = parse_node(collected(node, "dash"))
    second = parse_node(collected(node, "dash"))

    assert () == first.gaps == second.gaps
    assert [{}, {}, {}, {}] == [one.tables for one in second.rulesets]
    assert "" == second.native.json_text == second.native.text


@pytest.mark.parametrize("shell", [name for name, argv in SHELLS.items() if shutil.which(argv[0])])
def test_every_shell_prints_the_same_node(furnished, shell):
    """dash, bash and busybox ash; the last with its own `ip`, which knows no details."""
    state = parse_node(collected(furnished, *SHELLS[shell]), name="n")
    reference = parse_node(collect_host(Inside(furnished)), name="n")

    if shell == "busybox":
        assert {"links", "nexthop_objects", "routes/ip/protocol", "routes/ip6/protocol"} <= {
            gap.section for gap in state.gaps
        }
        assert [link.name for link in reference.links] == [link.name for link in state.links]
        assert {route.prefix for route in reference.routes} == {route.prefix for route in state.routes}
        assert reference.rulesets == state.rulesets
        assert reference.sysctls == state.sysctls
    else:
        assert reference.model_copy(update={"volatile": state.volatile}) == state


def test_an_untouched_node_gives_the_same_bytes_twice(furnished):
    """All that moves by itself is in `volatile`, and nowhere else."""
    dumped = []
    for _ in range(2):
        state = parse_node(collect_host(Inside(furnished)), name="n1")
        still = state.model_copy(update={"volatile": Volatile()})
        dumped.append(dump_snapshot(Snapshot(taken_at="2026-01-01T00:00:00Z", nodes=(still,)), gz=True))
        furnished.sh("ping -c1 -W1 127.0.0.1 >/dev/null 2>&1 || true")

    assert dumped[0] == dumped[1]
    assert "n1" == load_snapshot(dumped[0], name="x").nodes[0].name


def test_nobody_sees_routing_and_sysctls_and_is_told_that_filters_are_unknown(furnished):
    """Unprivileged is degraded, never wrong: no rule set is empty because it was refused."""
    state = parse_node(collected(furnished, *NOBODY, "sh"), name="n")
    root = parse_node(collected(furnished, "sh"), name="n")

    assert () == state.rulesets
    assert () == state.ipsets
    for section in ("iptables/nft/ip", "iptables/nft/ip6", "iptables/legacy/ip", "nft", "ipset"):
        assert "root" in state.gap(section).reason or "permitted" in state.gap(section).reason
    assert (root.links, root.routes, root.policy_rules, root.fdb, root.files) == (
        state.links,
        state.routes,
        state.policy_rules,
        state.fdb,
        state.files,
    )
    assert root.sysctls == {**root.sysctls, **state.sysctls}
    assert state.gap("sysctl/net.ipv4.ip_forward") is None


def test_a_native_rule_inside_a_table_of_iptables_is_seen(furnished):
    """iptables-nft-save prints it as something else, or calls the table incompatible: both end as a gap."""
    furnished.run(
        ["nft", "-f", "-"],
        stdin="add rule ip filter INPUT ip saddr { 1.2.3.4, 1.2.3.5 } tcp dport vmap { 22 : accept, 80 : drop }\n",
    )
    state = parse_node(collected(furnished, "sh"))

    assert state.gap("iptables/nft/ip/filter/INPUT") is not None
    assert state.gap("iptables/nft/ip/nat/POSTROUTING") is None
    assert "vmap" in state.native.text


def test_the_kernels_own_view_of_real_rule_sets_agrees_with_iptables(node):
    """Rules of real nodes are restored: not one of their rules may be doubted."""
    data = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
    saves = sorted((data / "real" / "iptables-k8s").glob("*.save"))
    if not saves:
        pytest.skip("no real inputs")
    checked = 0
    for path in saves:
        for family, tool in (("ip", "iptables"), ("ip6", "ip6tables")):
            done = node.run([f"{tool}-nft-restore"], stdin=path.read_text(errors="replace"), check=False)
            if done.returncode == 0:
                text = node.run([f"{tool}-nft-save"]).stdout
                ruleset, _ = parse_iptables_save(text, family=family, backend="nft", tool="", name=path.name)

                items = read_items(node.run(["nft", "-j", "list", "ruleset"]).stdout)
                assert () == disagreements(ruleset, items), path.name
                checked += ruleset.size
            node.run(["nft", "flush", "ruleset"])
    assert checked > 100


@pytest.mark.parametrize(
    "missing", [("timeout",), ("timeout", "grep"), ("timeout", "grep", "cat", "stat", "id", "ls")]
)
def test_fewer_tools_give_the_same_files_and_sysctls(furnished, missing, tmp_path):
    """In a root of its own with little more than a shell: the image of kube-proxy has no more."""
    root = tmp_path / "root"
    programs = ["sh", "cat", "grep", "sleep", "timeout", "stat", "id", "ls", "readlink"]
    kept = [name for name in programs if name not in missing]
    _chroot(root, kept)
    furnished.sh(f"mount --bind /proc {root}/proc; mount --bind /sys {root}/sys")
    (root / "etc").mkdir()
    (root / "etc/resolv.conf").write_text("nameserver 10.0.0.2")
    (root / "etc/sysctl.d").mkdir()
    (root / "etc/sysctl.d/1.conf").symlink_to("/dev/null")
    done = furnished.run(["chroot", str(root), "/bin/sh", "-s", "tok", "/"], stdin=collector_script())
    sections, problems = parse_stream(done.stdout, token="tok")
    state = parse_node(sections)

    assert () == problems
    assert "" == done.stderr
    assert "nameserver 10.0.0.2" == state.files["/etc/resolv.conf"].text.rstrip("\n")
    assert "/dev/null" == state.files["/etc/sysctl.d/1.conf"].link_to
    if "cat" in missing:
        # Half of a number is worse than none: dash reads one byte at a time, and the kernel gives no more.
        assert {} == state.sysctls
        assert "one byte at a time" in state.gap("sysctl").reason
    else:
        assert parse_node(collected(furnished, "sh")).sysctls == state.sysctls
    assert "not found" in state.gap("links").reason
    assert "not found" in state.gap("iptables/nft/ip").reason


def _chroot(root, programs):
    """A directory with these programs and the libraries they need."""
    import subprocess

    (root / "bin").mkdir(parents=True)
    for name in ("proc", "sys", "dev"):
        (root / name).mkdir()
    # A shell opens it for commands that must not read what it reads itself.
    os.mknod(root / "dev/null", 0o20666, os.makedev(1, 3))
    for name in programs:
        path = Path(shutil.which(name)).resolve()
        shutil.copy(path, root / "bin" / name)
        for library in re.findall(
            r"(/\S+)", subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
        ):
            (root / library[1:]).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, root / library[1:])


def test_a_saved_stream_makes_the_same_snapshot_later(furnished, tmp_path):
    """Rebuilt from its bundle, without the node."""
    script = tmp_path / "collector.sh"
    script.write_text(collector_script())
    stream = furnished.run(["sh", str(script), "tok", "/"]).stdout
    (tmp_path / "stream.txt").write_text(stream)

    direct, _ = parse_stream(stream, token="tok")
    assert parse_node(direct) == parse_node(read_bundle(tmp_path))
    assert json.loads(dump_snapshot(Snapshot(taken_at="t", nodes=(parse_node(direct),))))["nodes"]
