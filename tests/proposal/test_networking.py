"""Commands that are not understood: those that exist to change the network weigh more than others."""

import shlex

import pytest

from planner.proposal.steps import changes_network


@pytest.mark.parametrize(
    "line",
    [
        "tc qdisc add dev eth0 root netem loss 50%",
        "/usr/sbin/conntrack -F",
        "modprobe -r br_netfilter",
        "systemctl restart systemd-networkd",
        "systemctl stop firewalld.service",
        "service NetworkManager restart",
        "netplan apply",
    ],
)
def test_it_may_do_anything_to_the_network(line: str) -> None:
    """Whoever only counts findings must not take it for harmless."""
    assert changes_network(shlex.split(line))


@pytest.mark.parametrize(
    "line",
    [
        "tc qdisc show dev eth0",
        "conntrack -L",
        "modprobe br_netfilter",
        "systemctl restart kubelet",
        "systemctl status systemd-networkd",
        "nmcli device show",
        "apt-get install -y ipset",
    ],
)
def test_it_only_tells_or_is_about_something_else(line: str) -> None:
    """A review that cries at each of them is not read."""
    assert not changes_network(shlex.split(line))
