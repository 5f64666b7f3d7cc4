"""ipsets and native nft tables: what they hold, not how they are printed."""

import os
from pathlib import Path

import pytest

from planner.diff.ipsets import diff_ipsets
from planner.diff.native import diff_native, native_tables
from planner.models.node import NodeState
from planner.models.ruleset import IpSet, NativeRuleset, Ruleset, Table
from planner.models.source import Gap

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))


def sets(*ipsets, gaps=()):
    return NodeState(name="node-1", ipsets=ipsets, gaps=gaps)


def ipset(*elements, name="KUBE-CLUSTER-IP", options="family inet hashsize 1024 maxelem 65536"):
    return IpSet(name=name, type="hash:ip,port", options=options, elements=elements)


class TestIpSets:
    def test_elements_are_a_set(self):
        """One came, one went; the order in which they are printed is nothing."""
        (change,) = diff_ipsets(sets(ipset("a", "b", "c")), sets(ipset("d", "c", "a")))
        assert (("d",), ("b",)) == (change.added, change.removed)
        assert change.before == change.after
        assert [] == list(diff_ipsets(sets(ipset("a", "b")), sets(ipset("b", "a"))))

    def test_the_kernel_grows_the_hash_by_itself(self):
        """hashsize and initval do not say what the set holds; maxelem does."""
        grown = ipset("a", options="family inet hashsize 4096 maxelem 65536 initval 0x1f")
        smaller = ipset("a", options="family inet hashsize 1024 maxelem 1024")
        assert [] == list(diff_ipsets(sets(ipset("a")), sets(grown)))
        assert ["hash:ip,port family inet maxelem 1024"] == [
            c.after for c in diff_ipsets(sets(ipset("a")), sets(smaller))
        ]

    def test_a_set_that_comes_brings_its_elements(self):
        """Created and filled is one change."""
        (change,) = diff_ipsets(sets(), sets(ipset("a")))
        assert (None, ("a",)) == (change.before, change.added)

    def test_what_could_not_be_read_is_not_gone(self):
        """A gap is no destroyed set."""
        unread = sets(gaps=(Gap(section="ipset", reason="needs root"),))
        assert [] == list(diff_ipsets(sets(ipset("a")), unread))


FW = """table inet host_fw {
	set blocked {
		type ipv4_addr
		elements = { 192.0.2.1, 192.0.2.2 }
	}
	set seen {
		type ipv4_addr
		size 65535
		flags dynamic,timeout
		elements = { 198.51.100.1 expires 3s }
	}

	chain input { # handle 1
		type filter hook input priority filter; policy accept;
		ip saddr @blocked counter packets 12 bytes 800 drop # handle 4
		tcp dport 22 accept comment "a } in a comment" # handle 5
	}
}
table ip nat {
	chain PREROUTING {
	}
}
"""


def native(text, *, managed=(), gaps=()):
    tables = {name: Table(name=name) for name in managed}
    return NodeState(
        name="node-1",
        native=NativeRuleset(text=text),
        rulesets=(Ruleset(family="ip", backend="nft", tables=tables),),
        gaps=gaps,
    )


def tables(before, after, **options):
    return [change.table for change in diff_native(native(before, **options), native(after, **options))]


class TestNative:
    def test_tables_are_cut_out_whole(self):
        """Braces in quotes and comments are not braces; a family that is left out is ip."""
        text = FW + 'table mine {\n\tchain c {\n\t\tlog prefix "{{{"\n\t}\n}\n# } table ip no {\n'
        assert ["inet host_fw", "ip mine", "ip nat"] == sorted(native_tables(text))

    def test_what_moves_by_itself_is_no_change(self):
        """Counters, handles, remaining times, what packets added to a set, and the order of elements."""
        other = (
            FW.replace("packets 12 bytes 800", "packets 99 bytes 12345")
            .replace("# handle 4", "# handle 44")
            .replace("198.51.100.1 expires 3s", "198.51.100.77 expires 9s, 198.51.100.78 expires 1s")
            .replace("192.0.2.1, 192.0.2.2", "192.0.2.2,\n\t\t\t     192.0.2.1")
        )
        assert [] == tables(FW, other)

    def test_a_changed_rule_names_its_table_only(self):
        """The other table is not mentioned."""
        assert {"inet host_fw"} == set(tables(FW, FW.replace("tcp dport 22", "tcp dport 2222")))
        assert {"inet host_fw"} == set(tables(FW, FW.replace("192.0.2.2 }", "192.0.2.3 }")))

    def test_what_iptables_manages_is_compared_there(self):
        """A table that iptables-nft shows is not compared a second time, unless it is in doubt."""
        other = FW.replace("chain PREROUTING {\n", "chain PREROUTING {\n\t\tdrop\n")
        assert ["ip nat"] == tables(FW, other)
        assert [] == tables(FW, other, managed=("nat",))
        doubt = (Gap(section="iptables/nft/ip/nat", reason="incompatible"),)
        assert ["ip nat"] == tables(FW, other, managed=("nat",), gaps=doubt)

    def test_a_table_that_went(self):
        """Its former text is kept for the way back."""
        (change,) = diff_native(native(FW), native(FW.partition("table ip nat")[0]))
        assert ("ip nat", None) == (change.table, change.after)
        assert change.before.startswith("table ip nat {")


@pytest.mark.skipif(not DATA.is_dir(), reason="no recorded data")
def test_real_nft_rule_sets_are_cut_into_their_tables():
    """Every `table` line of real files begins a table that is found, and none differs from itself."""
    seen = 0
    for path in sorted((DATA / "real" / "nft").rglob("*.nft")):
        text = path.read_text(errors="replace")
        headers = {
            " ".join(words[1:3]) if len(words) == 4 else f"ip {words[1]}"
            for words in (
                line.split() for line in text.splitlines() if line.startswith("table ") and line.endswith("{")
            )
        }
        assert headers <= set(native_tables(text)), path
        assert [] == tables(text, text)
        seen += len(headers)
    assert seen > 10
