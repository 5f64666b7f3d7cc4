"""`netchange risks`: the catalogue."""

import textwrap

from planner.cli.output import print_text, width


def risks() -> None:
    """List every risk that is looked for."""
    from planner.risks.catalogue import catalogue

    columns = width()
    lines: list[str] = []
    for risk in catalogue():
        lines.append(risk.id)
        lines.extend(textwrap.wrap(risk.title, columns - 4, initial_indent="    ", subsequent_indent="    "))
    lines.append(f"{len(catalogue())} risks; `netchange explain ID` prints the page of one")
    print_text("\n".join(lines) + "\n")
