"""Two known failures of Debian's iptables-apply, and the same two situations with our scripts."""

import shutil
import subprocess
from pathlib import Path

import pytest
from namespace import Namespace
from plan_node import Planned, command, recipe
from test_plan_scripts import run_with_pipe, wait_for_end

APPLY = shutil.which("iptables-apply")
needs_iptables_apply = pytest.mark.skipif(APPLY is None, reason="iptables-apply is not installed")
SETUP = "iptables-nft -A FORWARD -s 10.244.0.0/16 -j ACCEPT"
RULES = """*filter
:INPUT ACCEPT [0:0]
:FORWARD DROP [0:0]
:OUTPUT ACCEPT [0:0]
COMMIT
*nat
:PREROUTING ACCEPT [0:0]
:INPUT ACCEPT [0:0]
:OUTPUT ACCEPT [0:0]
:POSTROUTING ACCEPT [0:0]
-A POSTROUTING -s 10.244.0.0/16 -j MASQUERADE
COMMIT
"""


@pytest.fixture
def plan(node: Namespace, tmp_path: Path) -> Planned:
    made = recipe(SETUP, (command("iptables-nft-restore", stdin=RULES),), ())
    return Planned.on(node, made, tmp_path)


def start_iptables_apply(node: Namespace, directory: Path) -> tuple[subprocess.Popen[str], str]:
    """iptables-apply at its question; and its process number on the node."""
    (directory / "rules").write_text(RULES)
    script = f"echo $$; exec bash {APPLY} -t 60 {directory}/rules"
    started = subprocess.Popen(
        [*node.enter(), "sh", "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        bufsize=1,
    )
    assert started.stdout is not None
    number = started.stdout.readline().strip()
    said = ""
    while "(y/N)" not in said:
        letter = started.stdout.read(1)
        assert letter, said
        said += letter
    return started, number


@needs_iptables_apply
def test_iptables_apply_leaves_a_declined_table(node: Namespace, tmp_path: Path) -> None:
    """It restores what iptables-save printed before; a table that did not exist then is not in it, and stays."""
    node.sh(SETUP)
    started, _ = start_iptables_apply(node, tmp_path)

    started.communicate("n")

    saved = node.sh("iptables-nft-save")
    assert "-A FORWARD -s 10.244.0.0/16 -j ACCEPT" in saved
    assert "MASQUERADE" in saved


def test_ours_takes_back_a_table_that_did_not_exist(plan: Planned) -> None:
    """The rules that the change added are removed in every table."""
    assert 0 == plan.apply().returncode
    assert "MASQUERADE" in plan.node.sh("iptables-nft-save")

    assert 0 == plan.rollback().returncode

    assert [] == plan.differs_from(0)
    assert "nat" not in plan.node.sh("iptables-nft-save")


@needs_iptables_apply
@pytest.mark.usefixtures("at_a_terminal")
def test_iptables_apply_loses_the_saved_rules_when_the_terminal_goes(node: Namespace, tmp_path: Path) -> None:
    """Its trap for HUP deletes the file with the old rules and lets the script go on: nothing is left to restore."""
    node.sh(SETUP)
    started, number = start_iptables_apply(node, tmp_path)

    node.run(["kill", "-HUP", number])
    started.communicate("n")

    assert 255 != started.returncode
    saved = node.sh("iptables-nft-save")
    assert ":FORWARD DROP" in saved
    assert "-A FORWARD -s 10.244.0.0/16 -j ACCEPT" not in saved


@pytest.mark.usefixtures("at_a_terminal")
def test_ours_comes_back_when_the_terminal_goes(plan: Planned) -> None:
    """The former state is on the disk, and the timer is no child of the session."""
    cut = plan.edited("apply.sh", 'say "done: steps', 'kill -HUP 0; say "done: steps')
    (plan.directory / cut).rename(plan.directory / "apply.sh")

    status, reading, said = run_with_pipe(plan, "--confirm-within", "1", prefix=("setsid", "--wait"))
    assert status in {129, -1}, said
    wait_for_end(reading)

    assert [] == plan.differs_from(0)
