"""One raw piece of a collection: a command's or file's output as the node printed it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Section:
    """What one command printed, or one file held. Every collector yields these; one parser reads them."""

    name: str
    """From the closed list in `collect/sections.py`: `sysctl`, `ip/route4`, `iptables-nft/ip`, `file/etc/resolv.conf`."""
    argv: str = ""
    """The command line, or the path."""
    text: str = ""
    status: int | None = 0
    """Exit status; None when the end was never seen (cut)."""
    stderr: str = ""
    """First and last line of it."""
    skipped: str = ""
    """Why it was not even tried; empty when it was."""

    @property
    def usable(self) -> bool:
        """Whether the text may be believed to be whole."""
        return self.status == 0 and not self.skipped
