"""`ip rule add|delete|flush`."""

from collections.abc import Sequence

from planner.iproute.grammar import family_of
from planner.iproute.world import RefusedError, World, rule_name
from planner.models.route import MAIN, PolicyRule
from planner.parse.ip_words import parse_rule_words

CONTENT = (
    "source",
    "destination",
    "iif",
    "oif",
    "fwmark",
    "tos",
    "ipproto",
    "sport",
    "dport",
    "uidrange",
    "goto",
    "suppress_prefixlength",
    "suppress_ifgroup",
    "table",
)


def run_rule(world: World, action: str, words: Sequence[str], family: str) -> None:
    """One command; what it cannot do is raised."""
    family = family or family_of(words)
    if action == "flush":
        # The rule of preference 0 has no preference attribute and is passed over (iproute2, ip/iprule.c, flush_rule).
        for rule in [rule for rule in world.rules if rule.family == family and rule.preference]:
            drop(world, rule)
        return
    wanted = parse_rule_words(words, family)
    if action == "delete":
        if not words:
            raise RefusedError("RTNETLINK answers: Operation not supported")
        found = next((rule for rule in world.rules if matches(rule, wanted, words)), None)
        if found is None:
            raise RefusedError("RTNETLINK answers: No such file or directory")
        drop(world, found)
        return
    add(world, wanted)


def drop(world: World, gone: PolicyRule) -> None:
    """Remove one rule."""
    world.rules = [rule for rule in world.rules if rule is not gone]
    world.tell(rule_name(gone))


def add(world: World, wanted: PolicyRule) -> None:
    """Add a rule; without a preference it goes before the second rule (net/core/fib_rules.c, fib_default_rule_pref)."""
    own = [rule for rule in world.rules if rule.family == wanted.family]
    preference = wanted.preference
    if preference < 0:
        preference = own[1].preference - 1 if len(own) > 1 and own[1].preference else 0
    table = wanted.table or MAIN
    rule = wanted.model_copy(
        update={
            "preference": preference,
            "table": table if wanted.action == "lookup" and "l3mdev" not in wanted.options else "",
        }
    )
    if any(same(other, rule) for other in own):
        raise RefusedError("RTNETLINK answers: File exists")
    at = len(world.rules)
    for index, other in enumerate(world.rules):
        if other.family == rule.family:
            at = index + 1
            if other.preference > preference:
                at = index
                break
    world.rules.insert(at, rule)
    world.tell(rule_name(rule))


def same(left: PolicyRule, right: PolicyRule) -> bool:
    """Equal but for who installed it (net/core/fib_rules.c, rule_exists)."""
    return left.model_copy(update={"protocol": ""}) == right.model_copy(update={"protocol": ""})


def matches(rule: PolicyRule, wanted: PolicyRule, words: Sequence[str]) -> bool:
    """Whether a rule has everything that a deletion names (net/core/fib_rules.c, rule_find)."""
    if rule.family != wanted.family or (wanted.preference >= 0 and rule.preference != wanted.preference):
        return False
    if wanted.inverted and not rule.inverted:
        return False
    if wanted.action not in {"lookup", rule.action}:
        return False
    if "protocol" in words and rule.protocol != wanted.protocol:
        return False
    return all(getattr(wanted, name) in {"", None, getattr(rule, name)} for name in CONTENT)
