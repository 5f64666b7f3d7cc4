"""Files and dumps that nobody here wrote."""

import os
from pathlib import Path

import pytest

from planner.models.node import ConfigFile
from planner.parse.sysctl import parse_sysctl_values
from planner.parse.sysctl_d import Reader, Trouble, diagnose, effective_assignments, read_sysctl_file
from planner.sysctls.catalogue import lookup, obsolete

DATA = Path(os.environ.get("NETCHANGE_DATA") or Path(__file__).parents[3] / "shared" / "data") / "real"
DUMPS = sorted((DATA / "sysctl" / "sysctl-a").glob("*.out"))
FILES = sorted(
    {
        *(DATA / "sysctl" / "files").rglob("*.conf"),
        *DATA.glob("pairs/*sysctl*/**/sysctl.d/*.conf"),
        *DATA.glob("pairs/*/*/etc/sysctl.d/*.conf"),
    }
)

pytestmark = pytest.mark.skipif(not DUMPS, reason="recorded inputs are not here")


@pytest.mark.parametrize("path", DUMPS, ids=lambda p: p.stem)
def test_a_whole_dump_is_read(path: Path) -> None:
    """No line is lost, and every net. key is in the catalogue or known to be gone."""
    text = path.read_text()
    values, gaps = parse_sysctl_values(text)
    strangers = {k for k in values if k.startswith("net.") and lookup(k) is None and obsolete(k) is None}

    assert () == gaps
    assert len({line.split(" = ")[0].split(" =")[0] for line in text.splitlines() if " =" in line}) == len(
        values
    )
    assert len(strangers) <= 4, strangers


@pytest.mark.parametrize("path", FILES, ids=lambda p: "/".join(p.parts[-5:]))
def test_every_file_is_understood(path: Path) -> None:
    """Each line is blank, a comment, an assignment or an exclusion."""
    text = path.read_text()
    file = read_sysctl_file(text, path=path.name)
    meant = [line for line in text.split("\n") if line.strip() and line.strip()[0] not in "#;"]

    assert () == file.diagnostics
    assert len(meant) == len(file.lines)


def test_keys_moved_between_files_are_the_same_settings() -> None:
    """A split of one file into several leaves the effective values as they were, on a node that has them all."""
    pair = next(DATA.glob("pairs/35-*"))
    existing, _ = parse_sysctl_values(DUMPS[-1].read_text())

    def settings(side: str) -> dict[str, str]:
        files = {
            f"/etc/sysctl.d/{path.name}": ConfigFile(text=path.read_text())
            for path in (pair / side).rglob("*.conf")
        }
        return {a.key: a.value for a in effective_assignments(files, Reader.SYSTEMD, existing)}

    assert settings("before") == settings("after")


def test_a_renamed_file_gives_the_same_settings_and_another_precedence() -> None:
    """From 99 to 67: alone it means the same, against a file at 80 it loses."""
    pair = next(DATA.glob("pairs/11-*"))
    ours = {"/etc/sysctl.d/80-site.conf": ConfigFile(text="net.ipv4.ip_local_reserved_ports = 1\n")}

    def setting(side: str, extra: dict[str, ConfigFile]) -> str:
        files = {
            f"/etc/sysctl.d/{p.name}": ConfigFile(text=p.read_text()) for p in (pair / side).rglob("*.conf")
        }
        writes = effective_assignments({**files, **extra}, Reader.SYSTEMD, ())
        return [a.value for a in writes if a.key.endswith("reserved_ports")][-1]

    assert setting("before", {}) == setting("after", {})
    assert "1" != setting("before", ours)
    assert "1" == setting("after", ours)


def test_real_files_do_not_cry() -> None:
    """On a dump of a plain machine a distribution's own files are not full of trouble."""
    existing, _ = parse_sysctl_values(DUMPS[-1].read_text())
    for path in FILES:
        if "debian12" not in str(path):
            continue
        found = diagnose({f"/etc/sysctl.d/{path.name}": ConfigFile(text=path.read_text())}, existing)
        assert [] == [d for d in found if d.trouble is not Trouble.UNKNOWN_KEY], path
