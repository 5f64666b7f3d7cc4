"""What the language of rules can prove about two rules: the one place where the diff asks it."""

from planner.netfilter.rule import RuleError
from planner.netfilter.rule import canonical as canonical_text


def same_fate(_first: str, _second: str, _family: str) -> bool:
    """Whether swapping two neighbouring rules changes nothing for any packet; False when it cannot be shown."""
    return False


def canonical(rule: str, family: str) -> str:
    """The rule as the kernel's tools print it; as it stands when it cannot be read."""
    try:
        return canonical_text(rule, family)
    except RuleError:
        return rule
