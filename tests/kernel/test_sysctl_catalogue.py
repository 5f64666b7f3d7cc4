"""The catalogue against a fresh network namespace: defaults, and what `all` and `default` do to links."""

import pytest
from namespace import Namespace
from sysctl_lab import values, write

from planner.sysctls.catalogue import Template, facts, lookup
from planner.sysctls.names import DEFAULT, conf, link_key

SETUP = "ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up"
FROM_THE_FIRST = (
    "net.ipv4.conf.",
    "net.ipv4.tcp_rmem",
    "net.ipv4.tcp_wmem",
    "net.ipv4.tcp_congestion_control",
)
"""Copied from the first network namespace: not the kernel's own default."""
FROM_THE_LINK = (".neigh.lo.", "conf.lo.", "addr_gen_mode", "ioam6_id")


def test_defaults_are_those_of_a_fresh_namespace(node: Namespace) -> None:
    """What a reboot is said to bring back is what the kernel starts with."""
    node.sh(SETUP)
    fresh = values(node)
    wrong = {}
    checked = 0
    for key, value in fresh.items():
        fact = lookup(key)
        if fact is None or fact.scope.value == "init-only" or key.startswith(FROM_THE_FIRST):
            continue
        default = fact.default(key)
        if default is None or any(word in key for word in FROM_THE_LINK):
            continue
        checked += 1
        if default != value:
            wrong[key] = (value, default)

    assert {} == wrong
    assert checked > 300


def test_every_key_of_the_kernel_is_known(node: Namespace) -> None:
    """A key that is not in the catalogue would have no range, no default and no advice."""
    node.sh(SETUP)

    assert [] == [key for key in values(node) if lookup(key) is None and "nf_log" not in key]


KNOBS4 = sorted(
    fact.pattern.rsplit(".", 1)[-1]
    for fact in facts()
    if fact.pattern.startswith("net.ipv4.conf.") and fact.takes_effect.value != "read-only"
)
KNOBS6 = sorted(
    fact.pattern.rsplit(".", 1)[-1]
    for fact in facts()
    if fact.pattern.startswith("net.ipv6.conf.")
    and fact.takes_effect.value != "read-only"
    and not fact.pattern.endswith((".mtu", ".stable_secret"))
)


def other(value: str) -> str:
    return "2" if value == "1" else "1"


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_what_all_and_default_do_to_links(node: Namespace, family: str) -> None:
    """For every knob: whether a write to `all` is copied, and whether one to `default` reaches a bare link."""
    node.sh(SETUP)
    wrong = []
    for knob in KNOBS4 if family == "ipv4" else KNOBS6:
        key = conf(family, "all", knob)
        fact, fresh = lookup(key), values(node)
        if fact is None or key not in fresh:
            continue
        link = conf(family, "v1", knob)
        for target in (DEFAULT, "all"):
            before = values(node)
            if write(node, conf(family, target, knob), other(before[conf(family, target, knob)])):
                continue
            copied = values(node)[link] != before[link]
            expected = (
                fact.template in {Template.IPV6_ALL_COPIED, Template.IPV4_FORWARDING}
                if target == "all"
                else fact.template is Template.IPV4_DEFAULT_COPIES
            )
            if copied != expected:
                wrong.append(f"{target}.{knob}: copied {copied}, {fact.template}")

    assert [] == wrong
    assert link_key(conf(family, "v1", "x")) is not None
