"""What the language of rules can prove about two rules: the one place where the diff asks it."""


def same_fate(_first: str, _second: str, _family: str) -> bool:
    """Whether swapping two neighbouring rules changes nothing for any packet; False when it cannot be shown."""
    return False


def canonical(rule: str, _family: str) -> str:
    """The rule as the kernel's tools print it."""
    return rule
