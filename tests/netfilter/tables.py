"""Reader of the `.t` tables: `input ; canonical ; OK, OPAQUE or FAIL`, under `:family table chain`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent / "tables"


@dataclass(frozen=True)
class Row:
    """One line of a table."""

    file: str
    line: int
    family: str
    table: str
    chain: str
    text: str
    canonical: str
    status: str
    note: str
    """Why the kernel of the test machine cannot be asked; empty when it can."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


def rows() -> Iterator[Row]:
    """Every line of every table."""
    for path in sorted(HERE.glob("*.t")):
        family = table = chain = ""
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.startswith(":"):
                family, table, chain = line[1:].split()
                continue
            text, canonical, status, *note = (part.strip(" ") for part in line.split(" ; "))
            yield Row(
                path.stem, number, family, table, chain, text, text if canonical == "=" else canonical, status,
                note[0] if note else "",
            )  # fmt: skip
