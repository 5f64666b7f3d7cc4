"""How a stage is kept apart from the machine that it stands on."""

from enum import StrEnum


class Isolation(StrEnum):
    """The walls, as a sentence of the report says them."""

    MAPPED = "root, in a user namespace whose ids mean nobody outside"
    """Started by root: the kernel refuses every write that would reach the machine."""
    OWN = "user namespace without root"
    """Started by anybody: whatever is owned by another user cannot be reached."""
