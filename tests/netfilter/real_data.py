"""Real inputs that are not part of the project: read where they are present."""

import os
from pathlib import Path


def data() -> Path | None:
    """The folder `real`, or None."""
    root = Path(__file__).resolve().parents[2]
    base = Path(os.environ.get("NETCHANGE_DATA", root.parent / "shared" / "data"))
    return base / "real" if (base / "real").is_dir() else None
