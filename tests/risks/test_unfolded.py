"""Two texts of one program are shown to be one; two programs never are."""

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from planner.models.ruleset import Table
from planner.risks.netfilter.unfolded import concerned

LINKS, PROTOCOLS = ("a", "b"), ("tcp", "udp")
CONDITIONS = ("", "-i a ", "-i b ", "-p tcp ", "-p udp ", "-i a -p tcp ")
Rules = dict[str, tuple[str, ...]]


def table(chains: Rules, policy: str = "ACCEPT") -> Table:
    return Table(name="filter", policies={"INPUT": policy}, chains=chains)


def same(before: Rules, after: Rules, policy: str = "ACCEPT") -> bool:
    return not concerned(table(before, policy), table(after, policy), "ip")


def test_rules_that_move_into_a_chain_of_their_own() -> None:
    """A jump without conditions stands for what it leads to."""
    before = {"INPUT": ("-i a -j ACCEPT", "-p tcp -j DROP")}
    after = {"INPUT": ("-j NEW",), "NEW": ("-i a -j ACCEPT", "-p tcp -j DROP")}

    assert same(before, after)
    assert same(after, before)


def test_a_chain_of_its_own_with_a_return_in_it_is_not_the_same() -> None:
    """The twin: RETURN goes on behind the jump, and to the policy where the rules stood before."""
    before = {"INPUT": ("-i a -j RETURN", "-j DROP")}
    after = {"INPUT": ("-j NEW", "-j DROP"), "NEW": ("-i a -j RETURN", "-j DROP")}

    assert not same(before, after)


def test_a_return_at_the_end_of_a_chain_says_what_the_end_says() -> None:
    """With conditions and without."""
    before = {"INPUT": ("-i a -j C",), "C": ("-p tcp -j DROP", "-p udp -j RETURN", "-j RETURN")}
    after = {"INPUT": ("-i a -j C",), "C": ("-p tcp -j DROP",)}

    assert same(before, after)


def test_a_return_in_front_of_another_rule_matters() -> None:
    """The twin."""
    before = {"INPUT": ("-j C",), "C": ("-i a -j RETURN", "-p tcp -j DROP")}
    after = {"INPUT": ("-j C",), "C": ("-p tcp -j DROP",)}

    assert not same(before, after)


def test_a_chain_with_another_name_and_order_that_nobody_notices() -> None:
    """Disjoint rules in another order, in a chain that is called otherwise."""
    before = {"INPUT": ("-i a -j C",), "C": ("-p tcp -j DROP", "-p udp -j ACCEPT")}
    after = {"INPUT": ("-i a -j D",), "D": ("-p udp -j ACCEPT", "-p tcp -j DROP")}

    assert same(before, after)


def test_equal_jumps_into_chains_that_swapped_their_rules() -> None:
    """The names are the same, what they stand for is not."""
    before = {"INPUT": ("-i a -j C", "-p tcp -j D"), "C": ("-j DROP",), "D": ("-j ACCEPT",)}
    after = {"INPUT": ("-i a -j C", "-p tcp -j D"), "C": ("-j ACCEPT",), "D": ("-j DROP",)}

    assert not same(before, after)


def test_a_match_with_a_memory_is_not_left_out() -> None:
    """A rule without a target fills a list that another rule asks."""
    before = {"INPUT": ("-m recent --set --name x --mask 255.255.255.255 --rsource", "-j C"), "C": ()}
    after = {"INPUT": ("-j C",), "C": ()}

    assert not same(before, after)


def test_only_what_a_base_chain_leads_to_is_concerned() -> None:
    """A change that nothing reaches concerns nobody."""
    before = {"INPUT": ("-j C",), "C": ("-j DROP",), "ALONE": ()}
    after = {"INPUT": ("-j C",), "C": ("-j ACCEPT",), "ALONE": ("-j DROP",)}

    assert frozenset({"INPUT", "C"}) <= concerned(table(before), table(after), "ip")
    assert "ALONE" not in concerned(table(before), table(after), "ip")


def verdict(chains: Rules, policy: str, link: str, protocol: str) -> str:
    """What the kernel's walk over the chains gives (ip_tables.c, ipt_do_table), written as plainly as possible."""

    def walk(chain: str) -> str:
        for text in chains[chain]:
            words = text.split()
            asked = dict(zip(words[:-2:2], words[1:-2:2], strict=True))
            if asked.get("-i", link) != link or asked.get("-p", protocol) != protocol:
                continue
            how, target = words[-2:]
            if target in {"ACCEPT", "DROP"}:
                return target
            if target == "RETURN":
                return ""
            found = walk(target)
            if found or how == "-g":
                return found
        return ""

    return walk("INPUT") or policy


def rules(*targets: str) -> st.SearchStrategy[tuple[str, ...]]:
    how = st.sampled_from(
        [f"-j {target}" for target in ("ACCEPT", "DROP", "RETURN", *targets)] + [f"-g {t}" for t in targets]
    )
    return st.lists(st.builds(str.__add__, st.sampled_from(CONDITIONS), how), max_size=4).map(tuple)


PROGRAMS = st.fixed_dictionaries({"INPUT": rules("C", "D"), "C": rules("D"), "D": rules()})


@settings(max_examples=600, deadline=None)
@given(PROGRAMS, PROGRAMS, st.sampled_from(["ACCEPT", "DROP"]), st.booleans())
def test_what_is_shown_to_be_the_same_treats_every_packet_the_same(
    before: Rules, other: Rules, policy: str, part: bool
) -> None:
    """Sound for any two programs; half of the examples share all but one chain, so that many are shown."""
    after = {**before, "C": other["C"]} if part else other
    if same(before, after, policy):
        for link, protocol in product(LINKS, PROTOCOLS):
            assert verdict(before, policy, link, protocol) == verdict(after, policy, link, protocol)
