"""The test suite of iptables itself, where it is present: its tables must agree with ours."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from real_data import data

from planner.netfilter.rule import RuleError, canonical

DATA = data()
SUITE = DATA / "peer-tests" / "iptables-1.8.11" / "extensions" if DATA else Path("absent")
FLOOR = 0.99
# Only the kernel can refuse these, for a reason that is not in the text: the hook, or an object that does not exist.
LEFT = {
    ("libip6t_eui64.t", "-m eui64"),  # in OUTPUT
    ("libxt_nfacct.t", "-m nfacct --nfacct-name wrong"),  # no such counter
    ("libxt_owner.t", "-m owner --uid-owner root"),  # in INPUT
    ("libxt_set.t", "-m set --match-set foo src,dst"),  # no such set
}
# A range that runs backwards: 1.8.9 takes it where 1.8.11 refuses it, so that rules of a node may hold one; nothing lies in it.
BACKWARD = re.compile(r"--\S+ (?P<first>\d+):(?P<last>\d+)$")


def is_backward(text: str) -> bool:
    """Whether the last word is such a range."""
    found = BACKWARD.search(text)
    return found is not None and int(found["first"]) > int(found["last"])


def cases() -> Iterator[tuple[str, str, str, str]]:
    """File, family, input, and what must come of it."""
    for path in sorted(SUITE.glob("*.t")):
        if path.name.startswith(("libarpt", "libebt")):
            continue
        families = {"libipt": ("ip",), "libip6t": ("ip6",)}.get(path.name.partition("_")[0], ("ip", "ip6"))
        for line in path.read_text().splitlines():
            if not line.strip() or line[0] in "#:*%@":
                continue
            text, printed, status, *_ = line.split(";")
            for family in families:
                yield (
                    path.name,
                    family,
                    text,
                    "FAIL" if status == "FAIL" else text if printed == "=" else printed,
                )


@pytest.mark.skipif(not SUITE.is_dir(), reason="the suite of iptables is not present")
def test_agreement_with_the_suite_of_iptables(capsys: pytest.CaptureFixture[str]) -> None:
    """Every line agrees but those that only a kernel can judge."""
    agreed, wrong = 0, []
    for file, family, text, wanted in cases():
        try:
            got = canonical(text, family)
        except RuleError:
            got = "FAIL"
        if got == wanted or (wanted == "FAIL" and got == text and is_backward(text)):
            agreed += 1
        else:
            wrong.append((file, text, wanted, got))
    share = agreed / (agreed + len(wrong))
    with capsys.disabled():
        print(f"\niptables 1.8.11: {agreed} of {agreed + len(wrong)} lines agree ({share:.1%})")

    assert LEFT == {(file, text) for file, text, _, _ in wrong}
    assert share > FLOOR
