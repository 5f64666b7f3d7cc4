"""ipvs: what IPVS knows of the flow."""

from planner.netfilter.condition import Condition, Opaque
from planner.netfilter.extension import Context, Kind, Match, Option, Settings, Use
from planner.netfilter.kinds import choice, flag, port, prefix, protocol

DETAILS = ("vproto", "vaddr", "vport", "vdir", "vmethod", "vportctl")


def settle(given: Settings, _context: Context) -> Settings:
    """Asking for details asks for IPVS itself, which then is not printed."""
    detailed = any(setting.name in DETAILS for setting in given)
    return [setting for setting in given if setting.name != "ipvs" or not detailed]


def meaning(use: Use, context: Context) -> tuple[Condition, ...]:
    """IPVS is not modelled."""
    return (Opaque(EXTENSION.text(use, context.family), stateful=False),)


EXTENSION = Match(
    name="ipvs",
    options=(
        Option("ipvs", flag(), inverts=True),
        Option(
            "vproto",
            Kind(read=lambda words, _family: protocol(words[0]), show=lambda v, _family: str(v)),
            inverts=True,
        ),
        Option("vaddr", prefix(bare_host=True, keep_host=True), inverts=True),
        Option(
            "vport",
            Kind(read=lambda words, _family: port(words[0]), show=lambda v, _family: str(v)),
            inverts=True,
        ),
        Option("vdir", choice(("ORIGINAL", "REPLY"))),
        Option("vmethod", choice(("GATE", "IPIP", "MASQ")), inverts=True),
        Option(
            "vportctl",
            Kind(read=lambda words, _family: port(words[0]), show=lambda v, _family: str(v)),
            inverts=True,
        ),
    ),
    any_of=("ipvs", *DETAILS),
    settle=settle,
    meaning=meaning,
)
