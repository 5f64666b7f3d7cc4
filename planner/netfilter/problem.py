"""What is wrong with a rule's text, in a sentence that its writer can act on."""


class RuleError(ValueError):
    """The text is not a rule that iptables would load."""


class NodeDependentError(RuleError):
    """The text may be right, but only the node knows what it means: host names, accounts, its own service names."""
