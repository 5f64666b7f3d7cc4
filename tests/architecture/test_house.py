"""The house stays as it is drawn: what start-up loads, what is documented, what is generated."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from planner.cli.main import app
from planner.cli.plan import Gate, Kind
from planner.models.finding import Level
from planner.models.proposal import FragmentKind

ROOT = Path(__file__).resolve().parents[2]
HEAVY = (
    "kubernetes",
    "deepdiff",
    "pydantic",
    "yaml",
    "planner.risks.catalogue",
    "planner.netfilter.registry",
)


def commands() -> list[str]:
    found: list[str] = []

    def walk(command: object, path: str) -> None:
        inside = getattr(command, "commands", {})
        if not inside:
            found.append(path)
        for name, sub in inside.items():
            walk(sub, f"{path} {name}")

    walk(typer.main.get_command(app), "netchange")
    return found


def test_help_loads_nothing_heavy() -> None:
    """`netchange --help` answers before a reviewer looks away: each command imports what it needs when it runs."""
    code = f"import sys, planner.cli.main; print([name for name in {HEAVY!r} if name in sys.modules])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]\n" == shown.stdout


def test_every_command_is_in_the_readme_or_the_docs() -> None:
    """A command that no page names does not exist for its users."""
    text = (ROOT / "README.md").read_text() + "".join(
        page.read_text() for page in (ROOT / "docs").rglob("*.md") if "reference" not in page.parts
    )

    assert [] == [command for command in commands() if command not in text]


def test_generated_files_are_current() -> None:
    """Schemas and reference are what the code says now; `make generated` writes them."""
    done = subprocess.run(
        [sys.executable, ROOT / "docs/generate.py", "--check"], capture_output=True, text=True, check=False
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_words_of_the_command_line_are_those_of_the_nouns() -> None:
    """The command line repeats them, so that `--help` loads no model."""
    assert [kind.value for kind in FragmentKind] == [kind.value for kind in Kind]
    assert [level.words for level in Level if level] == [gate.value for gate in Gate]


def test_no_junk_drawer() -> None:
    """A helper lives beside its first user."""
    drawers = {"utils.py", "util.py", "helpers.py", "misc.py", "common.py"}

    assert [] == [path for path in (ROOT / "planner").rglob("*.py") if path.name in drawers]


@pytest.mark.parametrize(
    "package", [p for p in (ROOT / "planner").iterdir() if p.is_dir() and (p / "__init__.py").exists()]
)
def test_every_module_says_what_it_is(package: Path) -> None:
    """The first line of a module is one sentence."""
    silent = [
        str(path.relative_to(ROOT))
        for path in package.rglob("*.py")
        if not re.match(r'"""\S.*\S', path.read_text().split("\n", 1)[0])
    ]

    assert [] == silent


def test_links_between_pages_lead_somewhere() -> None:
    """A relative link in a page names a file that exists."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]

    assert [] == broken
