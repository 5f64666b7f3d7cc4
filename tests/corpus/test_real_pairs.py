"""Real changes from public repositories, where they are present: none stops the program, and the clear ones are told rightly."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "scenarios"))

from page import Scenario, run

from planner.models.finding import Level

ROOT = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
PAIRS = ROOT / "real" / "pairs"
pytestmark = pytest.mark.skipif(not PAIRS.is_dir(), reason="the real inputs are not present")

QUIET = (
    "09-aks-cis-2025-no-network-effect",
    "22-kicksecure-log-martians",
    "23-kicksecure-tcp-tw-reuse-0",
    "33-grapheneos-cubic-to-bbr",
    "40-awscni-conf-to-conflist-portmap",
    "41-awscni-mtu",
    "43-awscni-cniversion-040-disablecheck",
    "47-awscni-egress-mtu-variable",
    "87-docker-forward-rule-order",
)
"""Changes whose subject says that nothing is taken away: never medium or worse."""
LOUD = ("134-kubeadm-weave-join-broken-bridge",)
"""The author calls the second state broken."""


def texts(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8", errors="replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def is_dump(text: str) -> bool:
    return any(f"*{table}\n" in text for table in ("filter", "nat", "mangle", "raw"))


def scenario(pair: Path) -> Scenario | None:
    """The pair as a scenario, when its files are of kinds that can be proposed."""
    before = {
        ("iptables.txt" if is_dump(text) else path): text for path, text in texts(pair / "before").items()
    }
    after = {
        path: text for path, text in texts(pair / "after").items() if is_dump(text) or path.startswith("etc/")
    }
    return Scenario(pair, pair.name, before, after) if after else None


def pairs() -> list[Path]:
    return sorted(PAIRS.iterdir()) if PAIRS.is_dir() else []


@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.name)
def test_a_real_change_is_assessed(pair: Path) -> None:
    """Every change gets an assessment; the clear ones get the level that their subject deserves."""
    found = scenario(pair)
    if found is None:
        pytest.skip("of a kind that cannot be proposed yet")
    assessment = run(found)

    if pair.name in QUIET:
        assert assessment.level < Level.MEDIUM, [scored.finding.message for scored in assessment.findings]
    if pair.name in LOUD:
        assert assessment.level >= Level.HIGH
