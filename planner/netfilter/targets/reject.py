"""REJECT: the packet is gone and its sender is told."""

from planner.netfilter.effect import Effect, Reject
from planner.netfilter.extension import Context, Kind, Option, Setting, Settings, Target, Use
from planner.netfilter.problem import RuleError

# Each with its short form (libipt_REJECT.c, libip6t_REJECT.c, reject_table)
KINDS = {
    "ip": {
        "icmp-net-unreachable": "net-unreach", "icmp-host-unreachable": "host-unreach",
        "icmp-proto-unreachable": "proto-unreach", "icmp-port-unreachable": "port-unreach",
        "icmp-net-prohibited": "net-prohib", "icmp-host-prohibited": "host-prohib", "tcp-reset": "tcp-rst",
        "icmp-admin-prohibited": "admin-prohib",
    },
    "ip6": {
        "icmp6-no-route": "no-route", "icmp6-adm-prohibited": "adm-prohibited", "icmp6-addr-unreachable": "addr-unreach",
        "icmp6-port-unreachable": "port-unreach", "tcp-reset": "tcp-reset", "icmp6-policy-fail": "policy-fail",
        "icmp6-reject-route": "reject-route",
    },
}  # fmt: skip
USUAL = {"ip": "icmp-port-unreachable", "ip6": "icmp6-port-unreachable"}


def read(words: tuple[str, ...], family: str) -> str:
    """The beginning of a name; the first that fits counts."""
    wanted = words[0].lower()
    for name, short in KINDS[family].items():
        if wanted and (name.startswith(wanted) or short.startswith(wanted)):
            return name
    raise RuleError(f"unknown kind of rejection `{words[0]}`")


WITH = Option("reject-with", Kind(read=read, show=lambda value, _family: value))


def settle(given: Settings, context: Context) -> Settings:
    """The usual kind is printed too."""
    settled = given or [Setting(WITH.name, USUAL[context.family])]
    if settled[0].value == "tcp-reset" and context.protocol != 6:
        raise RuleError("tcp-reset needs `-p tcp`")
    return settled


def effect(use: Use, context: Context) -> Effect:
    """How it is told."""
    return Reject(WITH.of(use) or USUAL[context.family])


EXTENSION = Target(name="REJECT", options=(WITH,), settle=settle, effect=effect)
