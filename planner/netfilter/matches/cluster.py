"""cluster: the share of flows that belongs to this node of a load-sharing group."""

from planner.netfilter.extension import Context, Match, Option, Setting, Settings
from planner.netfilter.kinds import integer
from planner.netfilter.problem import RuleError


def settle(given: Settings, _context: Context) -> Settings:
    """The local node is printed as a mask."""
    total = next(setting.value for setting in given if setting.name == "cluster-total-nodes")
    settled: Settings = []
    for setting in given:
        if setting.name == "cluster-local-node":
            if setting.value > total:
                raise RuleError("the local node is not one of the total")
            settled.append(Setting("cluster-local-nodemask", 1 << (setting.value - 1), setting.inverted))
        else:
            settled.append(setting)
        mask = settled[-1]
        if mask.name == "cluster-local-nodemask" and mask.value >= 1 << total:
            raise RuleError("the mask names nodes beyond the total")
    return settled


EXTENSION = Match(
    name="cluster",
    options=(
        Option("cluster-local-nodemask", integer(1, form="#010x"), inverts=True),
        Option("cluster-total-nodes", integer(1, 32)),
        Option("cluster-hash-seed", integer(form="#010x")),
        Option("cluster-local-node", integer(1, 32), inverts=True),
    ),
    required=("cluster-total-nodes", "cluster-hash-seed"),
    any_of=("cluster-local-node", "cluster-local-nodemask"),
    exclusive=(("cluster-local-node", "cluster-local-nodemask"),),
    settle=settle,
)
