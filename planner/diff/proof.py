"""What the language of rules can prove about rules: the one place where the diff asks it.

Every extension of netfilter is loaded with it, which a diff that needs no proof does not pay.
"""


def same_fate(first: str, second: str, family: str, table: str) -> bool:
    """Whether swapping two neighbouring rules changes nothing for any packet; False when it cannot be shown."""
    from planner.netfilter.disjoint import same_fate as proven

    return proven(first, second, family, table=table)


def canonical(rule: str, family: str) -> str:
    """The rule as the kernel's tools print it; as it stands when it cannot be read."""
    from planner.netfilter.rule import RuleError
    from planner.netfilter.rule import canonical as printed

    try:
        return printed(rule, family)
    except RuleError:
        return rule
