"""How a stage is kept apart from the machine that it stands on."""

import os
from enum import StrEnum


class Isolation(StrEnum):
    """The walls, as a sentence of the report says them."""

    MAPPED = "root of a user namespace whose ids mean nobody outside"
    """Started by root: the kernel refuses every write that would reach the machine."""
    PLAIN = "root without a user namespace: what would reach the machine is refused by a list of ours, not by user ids"
    """Started by root where the kernel gives no user namespaces: read-only views, and few capabilities."""
    OWN = "user namespace of a user without root"
    """Started by anybody: nothing is reached that this user could not reach before, and of that nothing is writable."""


def usual() -> tuple[Isolation, ...]:
    """What may be possible for whoever runs this, the best first."""
    return (Isolation.MAPPED, Isolation.PLAIN) if os.geteuid() == 0 else (Isolation.OWN,)
