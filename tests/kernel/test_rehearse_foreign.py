"""Somebody else is at work between a change and its way back: played with every kind of thing that a plan can touch."""

import pytest
from rehearsal_node import rehearsed

from planner.models.proposal import Fragment, FragmentKind
from planner.models.rehearsal import Rehearsal, Trial
from planner.rehearse.trials import SAME

BESIDE = "foreign/beside"
PLAYED = {
    "address": ("ip addr add 10.7.0.1/24 dev eth0", "an address more on eth0", "that goes with 10.7.0.1/24"),
    "MTU": ("ip link set eth0 mtu 1400", "the length of eth0's queue", "the MTU of eth0"),
    "neighbour": (
        "ip neigh replace 10.0.0.7 lladdr 02:00:00:00:00:88 dev eth0 nud permanent",
        "another neighbour on eth0",
        "the neighbour 10.0.0.7 on eth0",
    ),
    "policy rule": (
        "ip rule add pref 90 from 10.9.0.0/16 lookup 100",
        "another policy rule of preference 90",
        "the policy rule 90 led to another table",
    ),
    "route": (
        "ip route add 10.98.0.0/16 via 10.0.0.1",
        "a route to 10.98.0.0/16 with another metric",
        "the route to 10.98.0.0/16 replaced",
    ),
    "nexthop": (
        "ip nexthop add id 18 via 10.0.0.1 dev eth0",
        "another nexthop object",
        "nexthop object 18 made to discard",
    ),
    "rule": (
        "iptables -I FORWARD 1 -s 10.9.0.0/16 -j ACCEPT",
        "a rule more at the end of chain FORWARD",
        "a rule of the plan written a second time",
    ),
    "nft rule": (
        "nft add rule inet own c tcp dport 10 drop",
        "a rule more at the end of nft chain c of table inet own",
        "a rule of the plan written a second time, beside it, in nft chain c of table inet own",
    ),
    "nft set": (
        "nft add element inet own2 ports '{ 443 }'",
        "an element more in nft set ports of table inet own2",
        "the element 443 of nft set ports of table inet own2 with another comment",
    ),
    "nft map": (
        "nft add element inet own2 verdicts '{ 443 : accept }'",
        "an element more in nft map verdicts of table inet own2",
        "the element 443 of nft map verdicts of table inet own2 with another comment",
    ),
    "sysctl": (
        "sysctl -w net.ipv4.conf.eth0.arp_ignore=1",
        "net.ipv4.conf.lo.arp_announce",
        "net.ipv4.conf.eth0.arp_ignore written to 2",
    ),
}


def of(found: Rehearsal, name: str) -> list[Trial]:
    """The trials of that name, all trials held."""
    assert [] == [(trial.name, trial.detail) for trial in found.trials if not trial.held]
    return [trial for trial in found.trials if trial.name == name]


@pytest.mark.parametrize("kind", PLAYED)
def test_somebody_else_is_played_with_every_kind(kind: str) -> None:
    """Beside the change it stays; on the very thing the rollback names it, refuses and touches nothing."""
    script, beside, same = PLAYED[kind]

    found = rehearsed(script)

    (trial,) = of(found, BESIDE)
    assert beside in trial.words
    (refused,) = of(found, SAME)
    assert same in refused.words


def test_a_file_of_the_plan_is_changed_by_somebody_else() -> None:
    """The text of somebody else is not overwritten, and a file beside it is not touched."""
    fragment = Fragment(
        path="90-x.conf",
        kind=FragmentKind.SYSCTL,
        target="/etc/sysctl.d/90-x.conf",
        text="net.ipv4.conf.all.log_martians = 1\n",
    )

    found = rehearsed("", fragment)

    assert "another file beside /etc/sysctl.d/90-x.conf" in of(found, BESIDE)[0].words
    assert "/etc/sysctl.d/90-x.conf written" in of(found, SAME)[0].words


NOT_PLAYED = {
    "chain policy": ("iptables -P FORWARD ACCEPT", "not played, chain policy: it has two values"),
    "ipset": ("ipset add web 10.0.0.10", "not played, ipset: an element is there or is not"),
}


@pytest.mark.parametrize("kind", NOT_PLAYED)
def test_where_a_kind_cannot_be_played_the_report_says_why(kind: str) -> None:
    """A thing of two values cannot be set to a third: the reason stands in the evidence."""
    script, reason = NOT_PLAYED[kind]

    found = rehearsed(f"{script}\nsysctl -w net.ipv4.conf.eth0.arp_ignore=1")

    (trial,) = of(found, SAME)
    assert reason in trial.detail


SEVERAL = {
    "rules of a chain": "".join(f"iptables -A INPUT -s 10.9.0.{n} -j ACCEPT\n" for n in (1, 2, 3)),
    "elements of a set": "".join(f"ipset add web 10.9.0.{n}\n" for n in (1, 2, 3)),
    "values of a sysctl": "".join(f"sysctl -w net.ipv4.conf.eth0.rp_filter={n}\n" for n in (1, 2)),
}


@pytest.mark.parametrize("things", SEVERAL)
def test_steps_that_touch_the_same_thing_are_told_apart(things: str) -> None:
    """Whatever somebody else does to the part of an older one, the rollback stops before it takes a newer one back."""
    found = rehearsed(SEVERAL[things])

    assert [] == [(trial.name, trial.detail) for trial in found.trials if not trial.held]
