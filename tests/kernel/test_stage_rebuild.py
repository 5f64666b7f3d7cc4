"""A recorded node is on its stage as it was; what is not is told with its reason."""

import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from namespace import Namespace
from nasty_node import SETUP
from plan_node import observe

from planner.models.change import LinkChange, SysctlChange
from planner.models.link import Link
from planner.models.node import ConfigFile, NodeState
from planner.models.ruleset import IpSet, Ruleset, Table
from planner.models.source import Gap
from planner.parse.snapshot import load_snapshot
from planner.rehearse.facts import compare
from planner.rehearse.fidelity import UNKNOWN
from planner.rehearse.stage import Stage

DEMO = Path(__file__).parents[2] / "docs" / "demo" / "node.json.gz"


@cache
def demo() -> NodeState:
    return load_snapshot(DEMO.read_bytes(), name="demo").nodes[0]


@cache
def nasty() -> NodeState:
    with Namespace() as node:
        node.sh(SETUP)
        return observe(node)


def unexplained(stage: Stage) -> list[str]:
    return [name for name, reason in stage.reasons.items() if UNKNOWN in reason]


@pytest.fixture(scope="module")
def demo_stage() -> Iterator[Stage]:
    with Stage(demo(), load_modules=True) as stage:
        stage.rebuild()
        yield stage


@pytest.fixture(scope="module")
def nasty_stage() -> Iterator[Stage]:
    with Stage(nasty(), load_modules=True) as stage:
        stage.rebuild()
        yield stage


def test_the_demo_is_rebuilt(demo_stage: Stage) -> None:
    """Whatever is not as on the node has its reason, and is nothing but sysctls and what stands in for pods' links."""
    assert [] == unexplained(demo_stage)
    kinds = {name.partition(" ")[0] for name in demo_stage.reasons}
    assert kinds <= {"sysctl", "link"}
    assert demo_stage.facts > 4000


def test_a_stand_in_differs_in_its_kind_only(demo_stage: Stage) -> None:
    """Name, index, MTU, hardware address, master and port settings are those of the node."""
    unlike = {"kind", "peer_elsewhere", "operstate", "options"}
    found = {link.name: link for link in demo_stage.original.links}
    for link in demo().links:
        fields = {
            name for name in Link.model_fields if getattr(link, name) != getattr(found[link.name], name)
        }
        assert fields <= unlike, link.name


def test_the_nasty_node_is_rebuilt(nasty_stage: Stage) -> None:
    """Stacked links, indexes with holes, equal routes, jumps in rules, both backends, sets in sets: all of it is there."""
    # The test leaves these two out of what it records.
    known = {"sysctl net.netfilter.nf_conntrack_events"}
    assert [] == [name for name in unexplained(nasty_stage) if name not in known]
    kinds = {name.partition(" ")[0] for name in nasty_stage.reasons}
    assert kinds <= {"sysctl", "link"}
    assert {"link tun5", "link tap5"} >= {name for name in nasty_stage.reasons if name.startswith("link ")}


def test_a_bridge_of_a_router_has_joined_its_groups() -> None:
    """Its carrier comes after its addresses, and with it nothing that joins them."""
    with Namespace() as node, Namespace() as pod:
        node.sh("sysctl -qw net.ipv6.conf.all.forwarding=1\nip link add br0 type bridge\nip link set br0 up")
        node.wire("v0", pod, "eth0")
        pod.sh("ip link set eth0 up")
        node.sh(
            "ip link set v0 master br0\nip link set v0 up\nip -6 addr add fd00:1::1/64 dev br0\n"
            "until [ $(ip -6 route show table local | grep -c '^anycast .* dev br0') = 2 ]; do sleep 0.1; done"
        )
        state = observe(node)

    with Stage(state) as stage:
        stage.rebuild()

        assert [] == [name for name in stage.reasons if name.startswith("route")]


def test_two_looks_at_a_stage_are_equal(nasty_stage: Stage) -> None:
    """What has settled does not move."""
    assert () == compare(nasty_stage.original, nasty_stage.snapshot())


def test_a_placed_node_is_the_placed_stage(nasty_stage: Stage, demo_stage: Stage) -> None:
    """Without what is listed nothing differs."""
    for stage, node in ((nasty_stage, nasty()), (demo_stage, demo())):
        assert () == compare(stage.place(node), stage.place(stage.original))


def test_placing_hides_nothing_else() -> None:
    """A change of something that was rebuilt is still seen, also one of a stand-in's MTU."""
    with Stage(demo(), load_modules=True) as stage:
        stage.rebuild()
        eth0 = demo().link("eth0")
        assert eth0 is not None
        assert 0 == stage.run(["ip", "link", "set", "dev", "eth0", "mtu", str(eth0.mtu - 100)]).status
        assert 0 == stage.run(["ip", "route", "del", "default"]).status
        found = {each.what for each in compare(stage.place(demo()), stage.place(stage.snapshot()))}
    assert "link eth0" in found
    assert "route ip table 254 0.0.0.0/0 metric 0" in found


def test_why_a_change_cannot_be_shown(demo_stage: Stage) -> None:
    """A sysctl of the whole machine has a reason; a stand-in's MTU has none, but its kind has."""
    for key in ("net.core.bpf_jit_enable", "vm.max_map_count"):
        change = SysctlChange(node="n", key=key, before="0", after="1")
        assert bool(demo_stage.why_not(change)) == (f"sysctl {key}" in demo_stage.reasons)
    mtu = LinkChange(node="n", link="eth0", field="mtu", before="1500", after="1400")
    kind = LinkChange(node="n", link="eth0", field="kind", before="veth", after="dummy")
    assert "" == demo_stage.why_not(mtu)
    assert "veth" in demo_stage.why_not(kind)


def test_what_the_kernel_refuses_is_told() -> None:
    """A rule that cannot be loaded leaves one that does nothing at its place; the chain is listed with what was said."""
    rules = ("-s 10.0.0.0/8 -j ACCEPT", "-m no-such-match -j DROP", "-j RETURN")
    table = Table(name="filter", policies={"INPUT": "DROP"}, chains={"INPUT": rules})
    node = NodeState(
        name="n",
        rulesets=(Ruleset(family="ip", backend="legacy", tables={"filter": table}),),
        ipsets=(
            IpSet(name="odd", type="hash:nothing"),
            IpSet(name="fine", type="hash:ip", elements=("10.0.0.1",)),
        ),
    )
    with Stage(node, load_modules=True) as stage:
        stage.rebuild()
        found = stage.original.ruleset("ip", "legacy")
        reasons = dict(stage.reasons)
        sets = [ipset.name for ipset in stage.original.ipsets]
    assert found is not None
    loaded = found.tables["filter"].chains["INPUT"]
    assert (rules[0], 3, rules[2]) == (loaded[0], len(loaded), loaded[2])
    assert "no-such-match" in reasons["chain INPUT of table filter (ip, legacy)"]
    assert "refused" in reasons["ipset odd"]
    assert ["fine"] == sets


def test_files_are_those_of_the_node_alone() -> None:
    """The machine's own settings are not seen; a link leads to what the node's led to."""
    files = {
        "/etc/sysctl.d/10-a.conf": ConfigFile(text="net.ipv4.ip_forward = 1\n", mode="0600"),
        "/etc/sysctl.d/99-sysctl.conf": ConfigFile(text="# nothing\n", link_to="../sysctl.conf", mode="0644"),
        "/usr/lib/sysctl.d/50-b.conf": ConfigFile(text="kernel.panic = 1\n", mode="0644"),
        "/run/flannel/subnet.env": ConfigFile(text="FLANNEL_MTU=1450\n", mode="0644"),
        "/var/lib/kubelet/config.yaml": ConfigFile(text="kind: KubeletConfiguration\n", mode="0644"),
        "/etc/sysctl.conf": ConfigFile(text="# nothing\n", mode="0644"),
    }
    with Stage(NodeState(name="n", files=files), load_modules=True) as stage:
        stage.rebuild()
        assert files == stage.original.files
        assert "# nothing\n" == stage.read("/etc/sysctl.d/99-sysctl.conf")


def test_plain_iptables_is_that_of_the_node() -> None:
    """A command of a plan means the backend that it means on the node."""
    for backend, words in (("legacy", "(legacy)"), ("nft", "(nf_tables)")):
        with Stage(NodeState(name="n", iptables_default=backend), load_modules=True) as stage:
            assert words in stage.run(["iptables", "-V"]).stdout


def test_a_packet_crosses_the_stage(demo_stage: Stage) -> None:
    """What is written into a stand-in has an answer to be read when `write` returns."""
    address = "10.0.0.11"
    eth0 = demo().link("eth0")
    assert eth0 is not None
    assert address in [one.address for one in eth0.addresses]
    asker = bytes.fromhex("020000000001")
    sender, target = bytes([10, 0, 0, 200]), bytes(map(int, address.split(".")))
    question = (
        b"\xff" * 6 + asker + bytes.fromhex("08060001080006040001") + asker + sender + bytes(6) + target
    )
    tap = demo_stage.taps["eth0"]
    _drain(tap)
    os.write(tap, question)
    answers = [frame for frame in _drain(tap) if frame[12:14] == b"\x08\x06" and frame[21] == 2]
    assert [bytes.fromhex(eth0.mac.replace(":", ""))] == [frame[22:28] for frame in answers]


def _drain(file: int) -> list[bytes]:
    frames: list[bytes] = []
    try:
        while True:
            frames.append(os.read(file, 65536))
    except BlockingIOError:
        return frames


def test_commands_end_as_they_ended(demo_stage: Stage) -> None:
    """Status, signal, deadline, and what could not be started; what is read comes from standard input."""
    assert 3 == demo_stage.run(["sh", "-c", "exit 3"]).status
    assert "word" == demo_stage.run(["cat"], stdin="word").stdout
    missing = demo_stage.run(["no-such-program"])
    assert (127, True) == (missing.status, "no-such-program" in missing.stderr)
    assert None is demo_stage.run(["sleep", "1000"], timeout=0.2).status
    running = demo_stage.spawn(["sh", "-c", "echo begun; exec sleep 1000"])
    assert None is running.poll()
    running.kill()
    assert -9 == running.wait(10.0)


def test_clear_ends_what_left_its_session(demo_stage: Stage) -> None:
    """A timer that was detached is ended too, and the stage goes on."""
    demo_stage.run(["sh", "-c", "setsid sh -c 'exec sleep 12345' >/dev/null 2>&1 &"])
    demo_stage.clear()
    seen = demo_stage.run(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]).stdout
    assert not re.search(r"sleep 12345", seen)


def test_what_was_not_recorded_is_told() -> None:
    """A part of the node that nobody could read is not on the stage, and is listed."""
    gap = Gap(
        section="iptables/legacy/ip", reason="iptables-legacy-save: exit 1: Permission denied (needs root)"
    )
    with Stage(NodeState(name="n", gaps=(gap,)), load_modules=True) as stage:
        stage.rebuild()
    assert gap.reason in {line.reason.removeprefix("was not recorded: ") for line in stage.not_rebuilt}


def test_a_table_may_be_larger_than_one_message() -> None:
    """A user namespace may not send messages beyond net.core.wmem_max: what loads a large table is run with that right."""
    rules = tuple(
        f'-s 10.{i >> 8}.{i & 255}.0/24 -m comment --comment "rule {i}" -j RETURN' for i in range(4000)
    )
    chains = {"FORWARD": ("-j many",), "many": rules}
    table = Table(name="filter", policies={"FORWARD": "ACCEPT"}, chains=chains)
    node = NodeState(name="n", rulesets=(Ruleset(family="ip", backend="nft", tables={"filter": table}),))
    with Stage(node, load_modules=True) as stage:
        stage.rebuild()
        found = stage.original.ruleset("ip", "nft")
    assert found is not None
    assert rules == found.tables["filter"].chains["many"]
