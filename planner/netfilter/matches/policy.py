"""policy: the IPsec policy that handled or will handle the packet."""

from planner.netfilter.extension import Context, Kind, Match, Option, Setting, Settings
from planner.netfilter.kinds import choice, flag, integer, prefix, protocol
from planner.netfilter.names import protocol_name
from planner.netfilter.problem import RuleError

ELEMENT = ("reqid", "spi", "proto", "mode", "tunnel-dst", "tunnel-src")
MOST = 4
"""XT_POLICY_MAX_ELEM (include/uapi/linux/netfilter/xt_policy.h)."""


def settle(given: Settings, _context: Context) -> Settings:
    """Direction and policy first, then the elements, each in its own order."""
    heads = {setting.name: setting for setting in given if setting.name in {"dir", "pol", "strict"}}
    heads.setdefault("pol", Setting("pol", "ipsec"))
    elements: list[dict[str, Setting]] = [{}]
    for setting in given:
        if setting.name == "next":
            elements.append({})
        elif setting.name in ELEMENT:
            if setting.name in elements[-1]:
                raise RuleError(f"`--{setting.name}` is given twice in one element")
            elements[-1][setting.name] = setting
    none = heads["pol"].value == "none"
    if none and ("strict" in heads or any(elements)):
        raise RuleError("there is nothing to ask of the policy `none`")
    if len(elements) > MOST or (len(elements) > 1 and "strict" not in heads):
        raise RuleError(f"--next needs --strict and makes at most {MOST} elements")
    if "strict" in heads and not all(elements):
        raise RuleError("an element of a strict policy says nothing")
    for element in elements:
        tunnel = "tunnel-src" in element or "tunnel-dst" in element
        if tunnel and not ("mode" in element and element["mode"].value == "tunnel"):
            raise RuleError("addresses of a tunnel need --mode tunnel")
    settled = [heads[name] for name in ("dir", "pol", "strict") if name in heads]
    for place, element in enumerate(elements):
        if place:
            settled.append(Setting("next", value=True))
        settled.extend(element[name] for name in ELEMENT if name in element)
    return settled


def read_protocol(words: tuple[str, ...], _family: str) -> int:
    """One of IPsec's."""
    value = protocol(words[0])
    if value not in {50, 51, 108}:
        raise RuleError(f"`{words[0]}` is not a protocol of IPsec")
    return value


EXTENSION = Match(
    name="policy",
    options=(
        Option("dir", choice(("in", "out"))),
        Option("pol", choice(("none", "ipsec"))),
        Option("strict", flag()),
        Option("reqid", integer(), inverts=True, once=False),
        Option("spi", integer(form="#x"), inverts=True, once=False),
        Option(
            "proto",
            Kind(read=read_protocol, show=lambda v, _family: protocol_name(v)),
            inverts=True,
            once=False,
        ),
        Option("mode", choice(("transport", "tunnel")), inverts=True, once=False),
        Option("tunnel-dst", prefix(bare_host=True, keep_host=True), inverts=True, once=False),
        Option("tunnel-src", prefix(bare_host=True, keep_host=True), inverts=True, once=False),
        Option("next", flag(), once=False),
    ),
    required=("dir",),
    ordered=False,
    settle=settle,
)
