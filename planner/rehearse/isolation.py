"""How a stage is kept apart from the machine that it stands on."""

import os
from enum import StrEnum


class Isolation(StrEnum):
    """The walls, as a sentence of the report says them."""

    MAPPED = "root of a user namespace whose ids mean nobody outside"
    """Started by root: the kernel refuses every write that would reach the machine."""
    OWN = "user namespace of a user without root"
    """Started by anybody: nothing is reached that this user could not reach before, and of that nothing is writable."""


def usual() -> Isolation:
    """What is possible for whoever runs this."""
    return Isolation.MAPPED if os.geteuid() == 0 else Isolation.OWN
