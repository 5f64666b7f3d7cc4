"""A file whose secret the collector has masked: its way back is the copy that was saved on the node, never the record."""

from pathlib import Path

import pytest
from namespace import Namespace
from plan_node import Planned, Recipe, inside, observe, write

from planner.collect.mask import MASK, mask_secrets
from planner.models.horizon import Horizon
from planner.models.node import ConfigFile
from planner.models.proposal import Outlook, Stage
from planner.plan.build import build_plan

FILE = Path("/run/test/wg$(touch hacked).netdev")
TEXT = (
    "[WireGuard]\nPrivateKey = s3cr3t/&\\1 value\nListenPort = 51820\n\n[WireGuardPeer]\nPresharedKey=other\n"
)
NEW = TEXT.replace("51820", "51821")
SHELLS = pytest.mark.parametrize("shell", [("dash",), ("busybox", "sh")], ids=["dash", "busybox"])


def planned(
    node: Namespace, directory: Path, new: str | None = NEW, shell: tuple[str, ...] = ("sh",)
) -> Planned:
    """A plan that was made from a record with masked secrets, on a node that has them."""
    node.sh("mkdir -p /run/test")
    inside(node, FILE).write_text(TEXT)
    inside(node, FILE).chmod(0o600)
    record = ConfigFile(text=mask_secrets(TEXT), mode="0600")
    assert 2 == record.text.count(MASK)
    before = observe(node).model_copy(update={"files": {str(FILE): record}})
    files = {} if new is None else {str(FILE): ConfigFile(text=new, mode="0600")}
    after = before.model_copy(update={"files": files})
    stages = (Stage(operation=write(FILE, new), after=after),)
    outlook = Outlook(node="node-1", before={Horizon.NOW: before}, after={Horizon.NOW: after}, stages=stages)
    return Planned.on(node, Recipe(build_plan(outlook), "", (FILE,), ()), directory, shell)


@SHELLS
@pytest.mark.parametrize("new", [NEW, None], ids=["changed", "deleted"])
def test_the_secret_comes_back(
    node: Namespace, tmp_path: Path, new: str | None, shell: tuple[str, ...]
) -> None:
    """Text, secret and permissions are those of before, and the mask is never written."""
    plan = planned(node, tmp_path, new, shell)
    scripts = "".join((tmp_path / name).read_text() for name in ("apply.sh", "rollback.sh"))
    applied = plan.apply()
    assert 0 == applied.returncode, applied.stderr
    assert (new is not None) == plan.file(0).exists()

    back = plan.rollback()

    assert 0 == back.returncode, back.stderr
    assert TEXT == plan.file(0).read_text()
    assert 0o600 == plan.file(0).stat().st_mode & 0o777
    assert new is not None or "s3cr3t" not in scripts
    assert not list(tmp_path.rglob("hacked"))


def test_the_plan_says_what_its_way_back_needs(node: Namespace, tmp_path: Path) -> None:
    """Whoever reads the plan learns that the record has no secret, and where the copy is."""
    step = planned(node, tmp_path).recipe.plan.steps[0]

    assert "never the record" in step.remark
    assert not any(MASK in action.stdin for action in step.undo)


def test_a_file_that_is_not_the_recorded_one_stops_the_plan(node: Namespace, tmp_path: Path) -> None:
    """Everything but the secrets is compared: another port is another file."""
    plan = planned(node, tmp_path)
    plan.file(0).write_text(TEXT.replace("51820", "51899"))

    refused = plan.apply()

    assert 3 == refused.returncode
    assert "has the recorded text, but for its secrets" in refused.stderr


def test_without_the_copy_nothing_is_written(node: Namespace, tmp_path: Path) -> None:
    """The rollback says whose copy is needed, and leaves the file as it is."""
    plan = planned(node, tmp_path)
    assert 0 == plan.apply().returncode
    (plan.state / "before" / "files" / "1").unlink()

    back = plan.rollback()

    assert 4 == back.returncode
    assert "put back your own" in back.stderr
    assert NEW == plan.file(0).read_text()
