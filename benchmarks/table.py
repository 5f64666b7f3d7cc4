"""A table of results, for a terminal or for a page."""

import sys
from collections.abc import Sequence

TEXT = {0, 4}
"""Columns of words; the others hold figures."""


def draw(title: str, lines: Sequence[tuple[str, ...]], *, markdown: bool) -> None:
    """Print it; the first line is the head."""
    widths = [max(len(row[at]) for row in lines) for at in range(len(lines[0]))]
    print(f"\n### {title}\n" if markdown else f"\n{title}")
    for number, row in enumerate(lines):
        padded = [
            cell.ljust(width) if at in TEXT else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        print(f"| {' | '.join(padded)} |" if markdown else "  ".join(padded).rstrip())
        if markdown and number == 0:
            rule = ["-" * width if at in TEXT else "-" * (width - 1) + ":" for at, width in enumerate(widths)]
            print(f"| {' | '.join(rule)} |")
    sys.stdout.flush()
