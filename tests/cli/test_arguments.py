"""What stands on the command line: contradictions and mistakes are one sentence and exit code 1, never 2."""

from pathlib import Path

import pytest
from program import DEMO, PULL_REQUEST, RULES, SYSCTLS, called, refused

Captured = pytest.CaptureFixture[bytes]
PLAN = ("plan", "--before", DEMO)

MISTAKES = (
    (("nosuch",), "no such command"),
    (("plan",), "missing argument"),
    (("plan", SYSCTLS), "--before"),
    (("plan", "--before"), "requires an argument"),
    ((*PLAN, SYSCTLS, "--format", "html"), "'terminal', 'markdown', 'json'"),
    ((*PLAN, SYSCTLS, "--no-such"), "--no-such"),
    ((*PLAN, SYSCTLS, "--gate", "none"), "'critical'"),
    ((*PLAN, SYSCTLS, "--as", "nftables"), "'iptables-restore'"),
    ((*PLAN, SYSCTLS, "--growth", "0"), "--growth"),
    ((*PLAN, SYSCTLS, "--growth", "nan"), "--growth"),
    ((*PLAN, SYSCTLS, "--growth", "inf"), "--growth"),
    ((*PLAN, SYSCTLS, "--growth", "1e300"), "--growth"),
    ((*PLAN, SYSCTLS, "--growth", "five"), "--growth"),
    (("snapshot", "host", "--deadline", "0"), "--deadline"),
    (("snapshot", "host", "--deadline", "9" * 30), "--deadline"),
    (("explain", "NOPE"), "`netchange risks` lists all"),
    (("explain", "ip-forward-of"), "`ip-forward-off`"),
    (("explain", "../../etc/passwd"), "no risk"),
    (("explain",), "missing argument"),
    (("risks", "extra"), "extra"),
    (("show", ""), "is empty"),
    (("plan", "--before=", SYSCTLS), "`--before` is empty"),
    ((*PLAN, SYSCTLS, "--out", ""), "after `--out` is empty"),
    (("diff", "-", "-"), "standard input is named twice"),
    ((*PLAN, SYSCTLS, "--noflush"), "`--noflush` goes with iptables-restore"),
    ((*PLAN, DEMO, "--noflush"), "`--noflush` goes with iptables-restore"),
    ((*PLAN, DEMO, "--as", "file"), "with the kind file"),
    ((*PLAN, SYSCTLS, DEMO), "with other files"),
    ((*PLAN, RULES, RULES), "named twice"),
    ((*PLAN, PULL_REQUEST, SYSCTLS), "named twice"),
    ((*PLAN, RULES, "--as", "sysctl"), "no line `key = value`"),
    ((*PLAN, RULES, "--as", "cni"), "no JSON object"),
    ((*PLAN, RULES, "--as", "kubelet"), "no line `key: value`"),
    ((*PLAN, RULES, "--as", "script"), "no command"),
    ((*PLAN, RULES, "--as", "ip-batch"), "no command"),
    ((*PLAN, RULES, "--as", "ipset-restore"), "no line `create"),
    ((*PLAN, SYSCTLS, "--as", "ip6tables-restore"), "no line `*table`"),
)


@pytest.mark.parametrize(
    ("words", "said"), MISTAKES, ids=[" ".join(map(str, words))[-60:] for words, _ in MISTAKES]
)
def test_a_mistake_on_the_command_line_is_one_sentence(
    words: tuple[object, ...], said: str, capsysbinary: Captured
) -> None:
    """Exit code 2 is kept for `--detailed-exitcode`: a misspelt option must not read as a change."""
    assert said in refused(capsysbinary, *words)


def test_two_files_for_one_place_are_refused(tmp_path: Path, capsysbinary: Captured) -> None:
    """Which of them would be installed nobody knows."""
    for name in ("a", "b"):
        path = tmp_path / name / "etc/sysctl.d/9.conf"
        path.parent.mkdir(parents=True)
        path.write_text("net.ipv4.ip_forward = 1\n")

    assert "both go to `/etc/sysctl.d/9.conf`" in refused(capsysbinary, *PLAN, tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize("words", [(), ("snapshot",)])
def test_without_a_command_the_help_is_shown(words: tuple[str, ...], capsysbinary: Captured) -> None:
    """On stderr, and as a failure: a script that lost its arguments must notice."""
    shown = called(capsysbinary, *words)

    assert (1, b"") == (shown.code, shown.out)
    assert "Commands:" in shown.err


def test_a_title_may_be_anything(capsysbinary: Captured) -> None:
    """An empty one, a dash, one that looks like an option."""
    for title in ("", "-"):
        assert 0 == called(capsysbinary, *PLAN, SYSCTLS, "--title", title).code
    assert 0 == called(capsysbinary, *PLAN, SYSCTLS, "--title=--gate").code


EXIT_CODES = (
    ((), 0),
    (("--detailed-exitcode",), 2),
    (("--gate", "critical"), 3),
    (("--gate", "low", "--detailed-exitcode", "--strict"), 3),
)


@pytest.mark.parametrize(("options", "code"), EXIT_CODES)
def test_exit_codes_say_what_a_pipeline_needs(
    options: tuple[str, ...], code: int, capsysbinary: Captured
) -> None:
    """0 done, 2 changes when asked for, 3 the gate; the report is printed in each case."""
    shown = called(capsysbinary, *PLAN, PULL_REQUEST, *options)

    assert code == shown.code
    assert shown.out.startswith(b"netchange: CRITICAL")


def test_strict_ends_with_4_when_something_was_not_understood(tmp_path: Path, capsysbinary: Captured) -> None:
    """Only then: a proposal that was understood whole passes."""
    script, plain = tmp_path / "a.sh", tmp_path / "b.conf"
    script.write_text("#!/bin/sh\nfor i in 1 2; do unknown-tool $i; done\n")
    plain.write_text("net.ipv4.ip_forward = 1\n")

    assert 4 == called(capsysbinary, *PLAN, script, "--strict").code
    assert 0 == called(capsysbinary, *PLAN, script).code
    assert 0 == called(capsysbinary, *PLAN, plain, "--as", "sysctl", "--strict").code


def test_nothing_changes_without_a_change(capsysbinary: Captured) -> None:
    """The present state as a proposal: 0 even with `--detailed-exitcode`, for `plan` and `diff` alike."""
    assert 0 == called(capsysbinary, *PLAN, DEMO, "--detailed-exitcode", "--gate", "low").code
    shown = called(capsysbinary, "diff", DEMO, DEMO, "--detailed-exitcode")

    assert (0, b"") == (shown.code, shown.out)
