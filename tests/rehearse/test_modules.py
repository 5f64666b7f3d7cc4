"""Which kernel modules a node's state would bring to a machine."""

import os
from pathlib import Path

import pytest

from planner.models.link import Link
from planner.models.node import NodeState
from planner.models.ruleset import IpSet, Ruleset, Table
from planner.rehearse.modules import Modules, needed

ALIASES = """
alias ipt_physdev xt_physdev
alias ip6t_physdev xt_physdev
alias ipt_MARK xt_mark
alias ipt_mark xt_mark
alias rtnl-link-vxlan vxlan
alias char-major-10-200 tun
alias nft-chain-2-* nft_chain_nat
"""
THERE = (
    "xt_physdev",
    "xt_mark",
    "vxlan",
    "tun",
    "iptable_filter",
    "ip_set",
    "ip_set_hash_ipport",
    "nft_chain_nat",
)


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    folder = tmp_path / "lib/modules" / os.uname().release
    folder.mkdir(parents=True)
    (folder / "modules.alias").write_text(ALIASES)
    (folder / "modules.dep").write_text("".join(f"kernel/net/{name}.ko.xz: kernel/x.ko\n" for name in THERE))
    (folder / "modules.builtin").write_text("kernel/net/bridge/bridge.ko\nkernel/drivers/net/veth.ko\n")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/modules").write_text("tun 61440 2 - Live 0x0\n")
    return tmp_path


def node(*rules: str, **fields: object) -> NodeState:
    table = Table(name="filter", policies={"INPUT": "ACCEPT"}, chains={"INPUT": rules, "own": ()})
    ruleset = Ruleset(family="ip", backend="legacy", tables={"filter": table})
    return NodeState(name="n", rulesets=(ruleset,)).model_copy(update=fields)


def test_a_match_brings_its_module(machine: Path) -> None:
    """`-m physdev` brings xt_physdev, by its alias; the table itself is a module too."""
    assert ("iptable_filter", "xt_physdev") == needed(
        [node("-m physdev --physdev-in a -j own")], Modules(machine)
    )


def test_a_jump_to_a_chain_brings_nothing(machine: Path) -> None:
    """Verdicts and chains of the table are no extensions; a target is."""
    assert ("iptable_filter",) == needed([node("-j own", "-j ACCEPT")], Modules(machine))
    assert ("iptable_filter", "xt_mark") == needed([node("-j MARK --set-mark 1")], Modules(machine))


def test_what_is_there_is_not_brought(machine: Path) -> None:
    """Loaded and built in count as there; what no file has cannot be loaded at all."""
    (machine / "sys/module/xt_physdev").mkdir(parents=True)
    links = (Link(name="br0", kind="bridge"), Link(name="v", kind="veth"))
    state = node("-m physdev --physdev-in a -m nothing-like-it", links=links)
    assert ("iptable_filter",) == needed([state], Modules(machine))


def test_links_and_sets_bring_theirs(machine: Path) -> None:
    """A kind of link by its alias, a type of set by its name."""
    state = NodeState(
        name="n", links=(Link(name="vx", kind="vxlan"),), ipsets=(IpSet(name="s", type="hash:ip,port"),)
    )
    assert ("ip_set", "ip_set_hash_ipport", "vxlan") == needed([state], Modules(machine))


def test_an_alias_may_be_a_pattern(machine: Path) -> None:
    """As modprobe reads them."""
    assert "nft_chain_nat" == Modules(machine).would_load("nft-chain-2-nat")


def test_a_kernel_without_modules_loads_none(machine: Path) -> None:
    """It has no list of them."""
    (machine / "proc/modules").unlink()
    assert () == needed([node("-m physdev --physdev-in a")], Modules(machine))


def test_what_came_meanwhile_is_told(machine: Path) -> None:
    """By the list of the kernel."""
    modules = Modules(machine)
    assert () == modules.new()
    (machine / "proc/modules").write_text("tun 61440 2 - Live 0x0\nbr_netfilter 32768 0 - Live 0x0\n")
    assert ("br_netfilter",) == modules.new()
