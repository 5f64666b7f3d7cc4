"""Packet filter rules: what a packet could notice is reported, and nothing else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner.diff.commute import Commute, no_proof
from planner.diff.lists import diff_lists
from planner.diff.rules import diff_rulesets
from planner.models.change import ChainChange, ChainEdit, ChainPolicyChange, RuleChange, RuleEdit
from planner.models.node import NodeState
from planner.models.ruleset import Ruleset, Table
from planner.models.source import Gap


def node(chains, *, policies=None, table="filter", family="ip", gaps=()):
    policies = policies if policies is not None else {"INPUT": "ACCEPT"}
    return NodeState(
        name="node-1",
        rulesets=(
            Ruleset(
                family=family,
                backend="nft",
                tables={
                    table: Table(
                        name=table,
                        policies=policies,
                        chains={name: tuple(rules) for name, rules in chains.items()},
                    )
                },
            ),
        ),
        gaps=gaps,
    )


def diff(before, after, **options):
    return list(diff_rulesets(node(before, **options), node(after, **options)))


def edits(before, after):
    return [
        (change.edit, change.rule, change.before, change.after)
        for change in diff({"INPUT": before}, {"INPUT": after})
        if isinstance(change, RuleChange)
    ]


SSH = "-p tcp -m tcp --dport 22 -j ACCEPT"
TELNET = "-p tcp -m tcp --dport 23 -j DROP"
OFFICE = "-s 192.0.2.0/24 -j DROP"
WEB = "-p tcp -m tcp --dport 80 -j ACCEPT"


class TestLists:
    """One chain against itself."""

    def test_an_inserted_rule_is_one_change(self):
        """What follows an inserted rule moved down, and is not reported."""
        assert [(RuleEdit.ADDED, OFFICE, None, 1)] == edits([SSH, TELNET], [OFFICE, SSH, TELNET])

    def test_a_changed_rule_is_removed_and_added(self):
        """A rule has no name: the former text goes, the new text comes, at their places."""
        assert [(RuleEdit.REMOVED, SSH, 2, None), (RuleEdit.ADDED, WEB, None, 2)] == edits(
            [TELNET, SSH, OFFICE], [TELNET, WEB, OFFICE]
        )

    def test_disjoint_rules_may_stand_in_any_order(self):
        """Two rules that no packet can both match may be swapped."""
        assert [] == edits([TELNET, SSH], [SSH, TELNET])

    def test_a_move_across_an_overlapping_rule_is_one_move(self):
        """A drop that passes in front of what it overlaps is reported once, with both places."""
        assert [(RuleEdit.MOVED, OFFICE, 4, 1)] == edits(
            [SSH, TELNET, WEB, OFFICE], [OFFICE, SSH, TELNET, WEB]
        )

    def test_comments_are_not_what_a_packet_meets(self):
        """Another comment is no change."""
        assert [] == edits(
            ['-m comment --comment "shop/web:http" -j DROP'], ["-m comment --comment shop/web -j DROP"]
        )

    def test_a_comment_inside_of_a_log_prefix_is_not_a_comment(self):
        """Quoted words belong to their option."""
        assert 2 == len(
            edits(
                ['-j LOG --log-prefix "-m comment --comment a "'],
                ['-j LOG --log-prefix "-m comment --comment b "'],
            )
        )

    def test_of_two_equal_rules_the_right_one_goes(self):
        """Removing the first of two equal rules is that, and no move."""
        assert [(RuleEdit.REMOVED, SSH, 1, None)] == edits([SSH, OFFICE, SSH], [OFFICE, SSH])

    def test_rules_of_one_verdict_may_stand_in_any_order(self):
        """Whichever of two accepts comes first, the packet is accepted."""
        office, ssh = "-s 192.0.2.0/24 -j ACCEPT", "-p tcp -m tcp --dport 22 -j ACCEPT"
        assert [] == edits([office, ssh], [ssh, office])

    def test_overlapping_ranges_are_told_apart_by_the_language_of_rules(self):
        """Port ranges, prefixes and states are compared as sets, not as text."""
        low, high = "-p tcp -m tcp --dport 1:1023 -j DROP", "-p tcp -m multiport --dports 8080,8443 -j ACCEPT"
        new, known = (
            "-m conntrack --ctstate NEW -j DROP",
            "-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
        )
        assert [] == edits([low, high], [high, low])
        assert [] == edits([new, known], [known, new])
        assert 1 == len(edits([low, SSH], [SSH, low]))

    def test_two_notations_are_one_rule(self):
        """What the kernel keeps is compared: 31 bits of a probability, an or-mark as set-xmark, a bare address."""
        assert [] == edits(
            [
                "-m statistic --mode random --probability 0.3333333333 -j A",
                "-j MARK --or-mark 0x4000",
                "-s 192.0.2.1 -j DROP",
            ],
            [
                "-m statistic --mode random --probability 0.33333333349 -j A",
                "-j MARK --set-xmark 0x4000/0x4000",
                "-s 192.0.2.1/32 -j DROP",
            ],
        )

    def test_a_match_with_a_memory_keeps_its_place(self):
        """A limit is used up by packets that a later match of its rule refuses, so ports prove nothing there."""
        limited = "-p tcp -m limit --limit 5/min -m tcp --dport 22 -j ACCEPT"
        assert 1 == len(edits([limited, TELNET], [TELNET, limited]))

    def test_addresses_prove_even_beside_a_memory(self):
        """Addresses are compared before any match is tried."""
        limited = "-s 192.0.2.1/32 -m limit --limit 5/min -j ACCEPT"
        other = "-s 192.0.2.2/32 -j DROP"
        assert [] == edits([limited, other], [other, limited])

    def test_a_negated_address_proves_nothing(self):
        """`! -s` pins nothing."""
        one, other = "! -s 192.0.2.1/32 -j ACCEPT", "-s 192.0.2.2/32 -j DROP"
        assert 1 == len(edits([one, other], [other, one]))

    def test_a_target_that_rewrites_addresses_keeps_its_place(self):
        """SNPT changes the source and lets the next rule see the packet."""
        rewrite = "-s 2001:db8::1/128 -j SNPT --src-pfx 2001:db8::/64 --dst-pfx 2001:db8:1::/64"
        mark = "-s 2001:db8:1::1/128 -j MARK --set-xmark 0x1/0xffffffff"
        found = list(
            diff_rulesets(
                node({"POSTROUTING": [rewrite, mark]}, policies={}, table="mangle", family="ip6"),
                node({"POSTROUTING": [mark, rewrite]}, policies={}, table="mangle", family="ip6"),
            )
        )
        assert 1 == len(found)

    def test_thousands_of_rules_in_reverse_are_no_change_when_disjoint(self):
        """A dispatch chain has no order, however long it is."""
        rules = [f"-d 10.0.{n // 250}.{n % 250}/32 -j S{n}" for n in range(5000)]
        assert [] == edits(rules, rules[::-1])

    def test_thousands_of_overlapping_rules_out_of_order_are_moves(self):
        """Where nothing can be shown the fewest moves that explain the order are reported."""
        rules = [f"-m string --string s{n} --algo bm -j DROP" for n in range(3000)]
        shifted = [*rules[10:], *rules[:10]]
        assert {RuleEdit.MOVED} == {edit for edit, *_ in edits(rules, shifted)}
        assert 10 == len(edits(rules, shifted))


class TestChains:
    """Chains that come, go and change their names."""

    BEFORE = {
        "INPUT": ["-d 10.0.0.1/32 -j KUBE-SVC-OLD"],
        "KUBE-SVC-OLD": ["-m statistic --mode random --probability 0.5 -j KUBE-SEP-A", "-j KUBE-SEP-B"],
        "KUBE-SEP-A": ["-j DNAT --to-destination 10.1.0.1:80"],
        "KUBE-SEP-B": ["-j DNAT --to-destination 10.1.0.2:80"],
    }

    def test_a_new_hash_is_a_new_name_only(self):
        """Chains with the same rules under other names are renamed, and their callers stay unmentioned."""
        after = {
            "INPUT": ["-d 10.0.0.1/32 -j KUBE-SVC-NEW"],
            "KUBE-SVC-NEW": ["-m statistic --mode random --probability 0.5 -j KUBE-SEP-C", "-j KUBE-SEP-D"],
            "KUBE-SEP-C": ["-j DNAT --to-destination 10.1.0.1:80"],
            "KUBE-SEP-D": ["-j DNAT --to-destination 10.1.0.2:80"],
        }
        found = diff(self.BEFORE, after)
        assert {
            ("KUBE-SVC-OLD", "KUBE-SVC-NEW"),
            ("KUBE-SEP-A", "KUBE-SEP-C"),
            ("KUBE-SEP-B", "KUBE-SEP-D"),
        } == {(change.renamed_from, change.chain) for change in found if isinstance(change, ChainChange)}
        assert 3 == len(found)

    def test_a_new_endpoint_is_not_a_new_name(self):
        """A chain with other rules is another chain, and its caller says so."""
        after = {
            **{name: rules for name, rules in self.BEFORE.items() if name != "KUBE-SEP-B"},
            "KUBE-SVC-OLD": [
                "-m statistic --mode random --probability 0.5 -j KUBE-SEP-A",
                "-j KUBE-SEP-E",
            ],
            "KUBE-SEP-E": ["-j DNAT --to-destination 10.1.0.9:80"],
        }
        assert [
            ("KUBE-SEP-B", ChainEdit.REMOVED),
            ("KUBE-SEP-E", ChainEdit.ADDED),
            ("KUBE-SVC-OLD", RuleEdit.REMOVED),
            ("KUBE-SVC-OLD", RuleEdit.ADDED),
        ] == [(change.chain, change.edit) for change in diff(self.BEFORE, after)]

    def test_chains_of_one_content_are_told_apart_by_who_calls_them(self):
        """Two chains with equal rules keep their own callers when both are renamed."""
        before = {
            "INPUT": ["-s 192.0.2.1/32 -j A", "-s 192.0.2.2/32 -j B"],
            "A": ["-j DROP"],
            "B": ["-j DROP"],
        }
        after = {
            "INPUT": ["-s 192.0.2.1/32 -j Y", "-s 192.0.2.2/32 -j X"],
            "X": ["-j DROP"],
            "Y": ["-j DROP"],
        }
        assert {("A", "Y"), ("B", "X")} == {
            (change.renamed_from, change.chain) for change in diff(before, after)
        }

    def test_an_empty_chain_that_nothing_calls_is_a_change(self):
        """Its coming is reported; an empty chain is never somebody's new name."""
        assert [
            ("KUBE-PROXY-CANARY", ChainEdit.REMOVED),
            ("KUBE-KUBELET-CANARY", ChainEdit.ADDED),
        ] == [
            (change.chain, change.edit)
            for change in diff(
                {"INPUT": [], "KUBE-PROXY-CANARY": []}, {"INPUT": [], "KUBE-KUBELET-CANARY": []}
            )
        ]

    def test_a_loop_of_jumps_is_survived(self):
        """The kernel refuses loops; a file that was written by hand may hold one."""
        before = {"A": ["-j B"], "B": ["-j A"]}
        after = {"C": ["-j D"], "D": ["-j C"]}
        assert {"A", "B"} == {
            change.renamed_from or change.chain
            for change in diff(before, after, policies={})
            if change.edit is not ChainEdit.ADDED
        }

    def test_a_removed_rule_is_shown_as_it_stood(self):
        """A rule that went keeps the former name of the renamed chain it jumped to."""
        before = {"INPUT": ["-s 192.0.2.1/32 -j A", "-s 192.0.2.2/32 -j A"], "A": ["-j DROP"]}
        after = {"INPUT": ["-s 192.0.2.1/32 -j Z"], "Z": ["-j DROP"]}
        assert ["-s 192.0.2.2/32 -j A"] == [
            change.rule for change in diff(before, after) if isinstance(change, RuleChange)
        ]


class TestTables:
    """Whole tables and chain policies."""

    def test_a_policy_is_a_change_of_its_own(self):
        """The rules are the same, the policy is not."""
        assert [("INPUT", "ACCEPT", "DROP")] == [
            (change.chain, change.before, change.after)
            for change in diff_rulesets(
                node({"INPUT": [SSH]}), node({"INPUT": [SSH]}, policies={"INPUT": "DROP"})
            )
            if isinstance(change, ChainPolicyChange)
        ]

    def test_a_table_that_appears_brings_policy_and_rules(self):
        """The rules of a base chain are rules, those of a user chain come with it."""
        found = list(diff_rulesets(NodeState(name="node-1"), node({"INPUT": [SSH], "MINE": [TELNET]})))
        assert ["chain-policy", "chain", "rule"] == [change.kind for change in found]

    @pytest.mark.parametrize(
        "section", ["iptables", "iptables/nft", "iptables/nft/ip", "iptables/nft/ip/filter"]
    )
    def test_what_could_not_be_read_is_not_gone(self, section):
        """A table that is missing where the state has a gap gives no change."""
        unread = NodeState(name="node-1", gaps=(Gap(section=section, reason="Permission denied"),))
        assert [] == list(diff_rulesets(node({"INPUT": [SSH]}), unread))
        assert [] == list(diff_rulesets(unread, node({"INPUT": [SSH]})))


# A small world of packets: the judge of the properties knows nothing of how the diff proves anything.
PACKETS = [(to, port) for to in (1, 2, 3) for port in (1, 2)]
shapes = st.tuples(
    st.sampled_from([0, 1, 2, 3]),
    st.sampled_from([0, 1, 2]),
    st.sampled_from(["DROP", "ACCEPT", "MINE", "YOURS"]),
)


def text(shape):
    to, port, target = shape
    address = f"-d 10.0.0.{to}/32 " if to else ""
    transport = f"-p tcp -m tcp --dport {port} " if port else ""
    return f"{address}{transport}-j {target}"


def fate(shape_list, packet):
    """The chains that one packet is sent through, and the verdict that ends its way."""
    way = []
    for to, port, target in shape_list:
        if to in {0, packet[0]} and port in {0, packet[1]}:
            way.append(target)
            if target in {"DROP", "ACCEPT"}:
                break
    return way


@given(
    st.lists(shapes, max_size=12),
    st.lists(shapes, max_size=12),
    st.randoms(use_true_random=False),
    st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_applying_the_edits_gives_the_other_list(before, after, chance, shuffled):
    """Without the rules that went or moved, no packet can tell the rest of `before` from that of `after`."""
    if shuffled:
        after = [*before, *after[:3]]
        chance.shuffle(after)
    found = diff_lists(
        [text(shape) for shape in before],
        [text(shape) for shape in after],
        commute=Commute("ip", "filter", no_proof),
        normal=lambda rule, _family: rule,
    )
    taken_out = {edit.before - 1 for edit in found if edit.before is not None}
    put_in = {edit.after - 1 for edit in found if edit.after is not None}
    rest_before = [shape for at, shape in enumerate(before) if at not in taken_out]
    rest_after = [shape for at, shape in enumerate(after) if at not in put_in]

    for packet in PACKETS:
        assert fate(rest_before, packet) == fate(rest_after, packet)
    for edit in found:
        assert edit.before is None or edit.rule == text(before[edit.before - 1])
        assert edit.after is None or edit.rule == text(after[edit.after - 1])


@given(st.lists(shapes, max_size=10, unique=True), st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None)
def test_no_more_edits_than_a_text_diff_has_lines(before, chance):
    """A reader never gets more to read than from `diff`: a longest common part stays unmentioned."""
    after = [*before[1:], (0, 0, "EXTRA")]
    chance.shuffle(after)
    found = diff_lists(
        [text(shape) for shape in before],
        [text(shape) for shape in after],
        commute=Commute("ip", "filter", no_proof),
        normal=lambda rule, _family: rule,
    )
    table = [[0] * (len(after) + 1) for _ in range(len(before) + 1)]
    for i, one in enumerate(before):
        for j, other in enumerate(after):
            table[i + 1][j + 1] = table[i][j] + 1 if one == other else max(table[i][j + 1], table[i + 1][j])
    assert len(found) <= len(before) + len(after) - 2 * table[-1][-1]


@given(st.dictionaries(st.sampled_from(["INPUT", "A", "B", "C"]), st.lists(shapes.map(text), max_size=4)))
def test_nothing_differs_from_itself(chains):
    """diff(a, a) is empty."""
    assert [] == diff(chains, chains)
