"""Files and commands of nft laid on a node."""

import json

import pytest

from planner.models.horizon import Horizon
from planner.models.link import Link
from planner.models.node import ConfigFile, NodeState
from planner.models.proposal import Outlook
from planner.models.ruleset import NativeRuleset, Ruleset, Table
from planner.nft.state import Recorded
from planner.proposal.fragments import recognise
from planner.proposal.propose import propose

FW = """table inet fw {
	chain input {
		type filter hook input priority filter; policy accept;
		tcp dport 22 accept
	}
}
"""
MANAGED = Ruleset(
    family="ip",
    backend="nft",
    tables={
        "nat": Table(
            name="nat",
            policies={"PREROUTING": "ACCEPT"},
            chains={"PREROUTING": ("-j KUBE-SERVICES",), "KUBE-SERVICES": ()},
        )
    },
)
ENABLED = "/etc/systemd/system/sysinit.target.wants/nftables.service"


def native(text: str) -> NativeRuleset:
    """What a node records of these tables."""
    tables = Recorded(text, "")
    for key in tables.names():
        tables.table(key)
    return NativeRuleset(text=text, json_text=tables.json_text())


def node(text: str = "", **files: str) -> NodeState:
    """A node with tables of nft, and kube-proxy's."""
    return NodeState(
        name="n",
        native=native(text),
        rulesets=(MANAGED,),
        files={path: ConfigFile(text=one) for path, one in files.items()},
    )


def laid(text: str, on: NodeState, *, path: str = "fw.nft") -> Outlook:
    """The file, applied."""
    return propose(on, [recognise(path, text)])


def after(outlook: Outlook, horizon: Horizon = Horizon.NOW) -> NodeState:
    """The node afterwards."""
    return outlook.after[horizon]


def rules(state: NodeState) -> list[str]:
    """Every rule of native tables."""
    items = json.loads(state.native.json_text)["nftables"] if state.native.json_text else []
    return [f"{one['rule']['chain']} {len(one['rule']['expr'])}" for one in items if "rule" in one]


def test_a_file_makes_its_tables_in_nfts_own_words() -> None:
    """Names of priorities, policies, services and variables become what `nft list ruleset` prints."""
    text = "define ports = { https, 80 }\ntable inet fw {\n chain input {\n  type filter hook input priority 0\n  tcp dport $ports accept\n }\n}\n"

    state = after(laid(text, node()))

    assert FW.replace("tcp dport 22", "tcp dport { 80, 443 }") == state.native.text
    assert ["input 2"] == rules(state)


def test_loading_a_file_twice_doubles_its_rules() -> None:
    """A `table` block adds to a chain that is there."""
    state = after(laid(FW, node(FW)))

    assert ["input 2", "input 2"] == rules(state)


@pytest.mark.parametrize("way", ["delete table inet fw", "destroy table inet fw", "flush table inet fw"])
def test_a_file_that_begins_with_taking_its_table_away_does_not(way: str) -> None:
    """The innocent twin."""
    state = after(laid(f"table inet fw\n{way}\n{FW}", node(FW)))

    assert FW == state.native.text


def test_flush_ruleset_takes_the_tables_of_iptables_nft_too() -> None:
    """They are tables of nft like all others; those of the legacy backend stay."""
    legacy = MANAGED.model_copy(update={"backend": "legacy"})
    start = node(FW).model_copy(update={"rulesets": (MANAGED, legacy)})

    outlook = laid("flush ruleset\ntable ip6 x {\n}\n", start)

    assert "table ip6 x {\n}\n" == after(outlook).native.text
    assert [{}, legacy.tables] == [one.tables for one in after(outlook).rulesets]
    told = {effect.what: str(effect.source) for effect in outlook.effects}
    assert "fw.nft:1" == told["chain/ip/nft/nat/KUBE-SERVICES"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("create table inet fw\n", "exists already"),
        ("delete table inet other\n", "does not exist"),
        ("delete chain inet fw none\n", "does not exist"),
        ("add rule inet fw none accept\n", "does not exist"),
        ("add rule inet fw input jump none\n", "chain none does not exist"),
        ("add rule inet fw input ip saddr @none drop\n", "set none does not exist"),
        ("add rule inet fw input masquerade\n", "belongs into a chain of type nat"),
        ("add rule inet fw input accept drop\n", "has no effect"),
        ("add rule inet fw input ip saddr 1.2.3.4 ip6 saddr ::1 drop\n", "conflicting protocols"),
        ("add chain inet fw a\nadd rule inet fw a jump a\nadd rule inet fw input jump a\n", "call itself"),
        ("add chain inet fw input { type filter hook input priority 5; }\n", "another hook or priority"),
    ],
)
def test_what_fails_leaves_everything_as_it_was(text: str, words: str) -> None:
    """A file is one transaction: what came before the failing command is not done either."""
    outlook = laid(f"add table ip first\n{text}", node(FW))

    assert node(FW) == after(outlook)
    (stage,) = outlook.stages
    assert words in stage.error
    assert "nothing of it is loaded" in stage.error


def test_what_is_not_known_is_kept_and_told_with_its_line() -> None:
    """It is a rule all the same, and answers that hang on it are unknown."""
    text = FW.replace(
        "tcp dport 22 accept", "tcp dport 22 synproxy mss 1460 wscale 7\n\t\tudp dport 53 accept"
    )

    outlook = laid(text, node())

    assert ["input 2", "input 2"] == rules(after(outlook))
    assert "tcp dport 22 synproxy mss 1460 wscale 7\n" in after(outlook).native.text
    (gap,) = outlook.gaps
    assert "`synproxy mss 1460 wscale 7`" in gap.reason
    assert "fw.nft:4" == str(gap.source)


def test_a_chain_of_iptables_that_nft_writes_into_is_no_longer_known() -> None:
    """It is recorded in the words of iptables; nft writes in its own."""
    outlook = laid("add rule ip nat PREROUTING tcp dport 80 redirect to :8080\n", node())

    assert after(outlook).gap("iptables/nft/ip/nat/PREROUTING") is not None
    assert ["fw.nft:1"] == [str(gap.source) for gap in outlook.gaps]


def test_commands_in_a_script_are_those_of_a_file() -> None:
    """Words of the command line, and a file at its input; each with its line."""
    script = (
        "#!/bin/sh\nnft add table inet fw\n"
        "nft add chain inet fw input '{ type filter hook input priority 0; }'\n"
        "nft add rule inet fw input tcp dport 22 accept\nnft -f - <<E\nadd rule inet fw input drop\nE\n"
    )

    outlook = laid(script, node(), path="change.sh")

    assert ["input 2", "input 1"] == rules(after(outlook))
    assert ["change.sh:2", "change.sh:3", "change.sh:4", "change.sh:5"] == [
        str(stage.operation.source) for stage in outlook.stages
    ]


def test_included_files_are_those_of_the_node() -> None:
    """With their own lines; one that is not recorded is missing, and that is told."""
    part = "add rule inet fw input\tudp dport 53 accept\n"
    start = node(FW, **{"/etc/nftables.d/a.nft": part})

    found = laid('include "/etc/nftables.d/*.nft"\n', start)
    lost = laid('include "/etc/nftables.d/b.nft"\nadd table inet z\n', start)

    assert ["input 2", "input 2"] == rules(after(found))
    assert "/etc/nftables.d/a.nft:1" in {str(effect.source) for effect in found.effects}
    assert ["fw.nft:1"] == [str(gap.source) for gap in lost.gaps]


def test_at_boot_the_service_loads_its_file_into_nothing() -> None:
    """Now the rules are doubled; after a restart of the service they are not. A table that only runs stays as it was."""
    other = "table ip other {\n}\n"
    path = "/etc/nftables.conf"
    start = node(FW + other, **{path: FW, ENABLED: "[Unit]\n"})

    outlook = laid(FW.replace("22", "23"), start, path=f"x{path}")

    assert 2 == len(rules(after(outlook)))
    for horizon in (Horizon.SERVICE_RESTART, Horizon.REBOOT):
        assert other + FW.replace("22", "23") == after(outlook, horizon).native.text
        assert other + FW == outlook.before[horizon].native.text


def test_a_service_that_is_not_known_to_be_enabled_changes_nothing_at_boot() -> None:
    """The innocent twin: after a reboot there is what there was before the change."""
    outlook = laid(FW.replace("22", "23"), node(FW), path="etc/nftables.conf")

    assert FW == after(outlook, Horizon.REBOOT).native.text


def test_a_file_that_only_loads_while_its_table_is_there_fails_at_boot() -> None:
    """`flush table` finds nothing to flush then: the node starts without the table, and that is told."""
    path = "/etc/nftables.conf"
    start = node(FW, **{path: FW, ENABLED: "[Unit]\n"})

    outlook = laid(f"flush table inet fw\n{FW}", start, path=f"x{path}")

    assert FW == after(outlook).native.text
    assert "" == after(outlook, Horizon.REBOOT).native.text
    (gap,) = outlook.gaps
    assert "table inet fw does not exist" in gap.reason
    assert "/etc/nftables.conf:1" == str(gap.source)


@pytest.mark.parametrize(("word", "refused"), [("iif", True), ("iifname", False)])
def test_a_link_that_is_not_there_is_refused_by_number_only(word: str, refused: bool) -> None:
    """nft asks the kernel for the number of `iif`; a name is compared packet by packet."""
    start = node(FW).model_copy(update={"links": (Link(name="lo", index=1, kind=""),)})

    outlook = laid(f"add rule inet fw input iif lo accept\nadd rule inet fw input {word} wg0 accept\n", start)

    (stage,) = outlook.stages
    assert refused == bool(stage.error)
    assert (1 if refused else 3) == len(rules(after(outlook)))
