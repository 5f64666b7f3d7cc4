"""Where a value came from, and what could not be read."""

from planner.models.noun import Noun


class Source(Noun):
    """A file and line, or a command, that a value came from."""

    name: str
    """Path as the user wrote it, or the command line."""
    line: int = 0
    """1-based; 0 when the whole is meant."""

    def __str__(self) -> str:
        return f"{self.name}:{self.line}" if self.line else self.name


WOULD_FAIL = "proposal/fails"
"""Section of gaps that are commands which the node would refuse."""


class Gap(Noun):
    """Something not collected or not modelled, with the reason. It widens verdicts; it is never an absence."""

    section: str
    """What is missing, as a path into the state: `sysctl`, `iptables/nft/ip`, `routes/ip6`, `proposal`."""
    reason: str
    """A sentence: `iptables-legacy-save: exit 1: Permission denied (needs root)`."""
    source: Source | None = None
    network: bool = False
    """Of a proposal: a command that exists to change the network, so that it may do anything to it."""

    def __str__(self) -> str:
        where = f" ({self.source})" if self.source else ""
        return f"{self.section}: {self.reason}{where}"
