"""CLUSTERIP: several nodes that share one address; gone from kernels since 6.3."""

from planner.netfilter.extension import Kind, Option, Target
from planner.netfilter.kinds import choice, flag, integer
from planner.netfilter.matches.mac import read, show


def show_capital(value: int, _family: str) -> str:
    """Capital letters here."""
    return show(value).upper()


EXTENSION = Target(
    name="CLUSTERIP",
    families=("ip",),
    options=(
        Option("new", flag()),
        Option("hashmode", choice(("sourceip", "sourceip-sourceport", "sourceip-sourceport-destport"))),
        Option("clustermac", Kind(read=read, show=show_capital)),
        Option("total-nodes", integer(1, 16)),
        Option("local-node", integer(1, 16)),
        Option("hash-init", integer()),
    ),
)
