"""Where output goes, and that it is whole, the same each time, and never lost."""

import gzip
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from program import COMMAND, DEMO, PULL_REQUEST, RULES, SYSCTLS, called, launched, refused

Captured = pytest.CaptureFixture[bytes]
PLAN = ("plan", "--before", DEMO, PULL_REQUEST)
FILES = {"apply.sh", "assessment.json", "before.json.gz", "predicted.json.gz", "rollback.sh"}
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a small file system")


@pytest.mark.parametrize(
    "words", [(*PLAN, "--format", form) for form in ("terminal", "markdown", "json")] + [("show", DEMO)]
)
def test_equal_input_gives_equal_octets(words: tuple[object, ...], capsysbinary: Captured) -> None:
    """Also with another seed of Python's hashes: no order comes from a set."""
    here = called(capsysbinary, *words)
    there = launched(*words, env={"PYTHONHASHSEED": "4711"})

    assert 0 == here.code
    assert here.out == there.out


def test_files_of_a_plan_are_equal_too(tmp_path: Path, capsysbinary: Captured) -> None:
    """Assessment and scripts, byte for byte; the scripts can be run."""
    called(capsysbinary, *PLAN, "--out", tmp_path / "a")
    launched(*PLAN, "--out", tmp_path / "b", env={"PYTHONHASHSEED": "1"})

    assert FILES == {path.name for path in (tmp_path / "a").iterdir()}
    for name in FILES:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert os.access(tmp_path / "a/rollback.sh", os.X_OK)
    assert not (tmp_path / "a/assessment.json").stat().st_mode & 0o111


def test_data_goes_to_stdout_and_the_rest_to_stderr(tmp_path: Path) -> None:
    """JSON can be piped on, whatever was noted meanwhile."""
    shown = launched(*PLAN, "--format", "json", "--out", tmp_path / "new/dir")

    assert "netchange.report" == json.loads(shown.out)["format"]
    assert "wrote assessment.json" in shown.err
    assert all(line.startswith("netchange: ") for line in shown.err.splitlines())


@pytest.mark.parametrize("words", [PLAN, ("risks",), ("show", DEMO), (*PLAN, "--format", "json")])
def test_who_reads_the_first_line_only_is_not_told_off(words: tuple[object, ...]) -> None:
    """`| head -1`: no traceback, and the exit code is that of the work."""
    process = subprocess.Popen([*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()

    assert 0 == process.wait(60)
    assert "Traceback" not in said
    assert "Exception" not in said


def test_a_full_disk_behind_stdout_is_said() -> None:
    """A report that was not written whole is a failure."""
    with Path("/dev/full").open("wb") as full:
        shown = launched("risks", stdout=full.fileno())

    assert (1, 1) == (shown.code, shown.err.count("\n"))
    assert "No space left" in shown.err


def test_a_closed_stdout_is_said() -> None:
    """`>&-` in a cron job."""
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *COMMAND, "risks"], capture_output=True, text=True, check=False
    )

    assert (1, "") == (done.returncode, done.stdout)
    assert "standard output could not be written: it is closed" in done.stderr


@pytest.mark.parametrize(
    "env",
    [
        {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"PYTHONIOENCODING": "ascii"},
        {"LC_ALL": "C"},
    ],
)
def test_a_terminal_that_lacks_characters_gets_others(env: dict[str, str]) -> None:
    """No arrow in ASCII is `->`; data for programs is UTF-8 in every locale."""
    shown = launched(*PLAN, env=env)
    data = launched(*PLAN, "--format", "markdown", env=env)

    assert (0, 0) == (shown.code, data.code), shown.err
    assert b"net.ipv4.ip_forward: 1 -> 0" in shown.out or "net.ipv4.ip_forward: 1 → 0".encode() in shown.out
    assert b"?" * 3 not in shown.out
    assert "1 → 0" in data.out.decode("utf-8")


def on_terminal(*words: object, env: dict[str, str]) -> bytes:
    """What the program prints on a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=theirs, stderr=subprocess.DEVNULL, env={**os.environ, **env}
    )
    os.close(theirs)
    printed = b""
    try:
        while part := os.read(ours, 65536):
            printed += part
    except OSError:
        pass  # the other end is closed: Linux says so with EIO
    os.close(ours)
    assert 0 == process.wait(60)
    return printed


def test_colour_is_for_terminals_that_want_it() -> None:
    """NO_COLOR and TERM=dumb are kept, and a pipe never gets any."""
    plain = {"TERM": "xterm", "COLUMNS": "100", "NO_COLOR": ""}
    words = ("plan", "--before", DEMO, RULES)

    assert b"\x1b[" in on_terminal(*words, env=plain)
    assert b"\x1b" not in on_terminal(*words, env={**plain, "NO_COLOR": "1"})
    assert b"\x1b" not in on_terminal(*words, env={**plain, "TERM": "dumb"})
    assert b"\x1b" not in launched(*words, env=plain).out


@pytest.mark.parametrize("columns", ["40", "many", "1000000"])
def test_any_width_is_borne(columns: str) -> None:
    """Narrow terminals fold prose; what is no width is passed over."""
    shown = launched(*PLAN, env={"COLUMNS": columns})
    lines = shown.out.decode().split("\n")

    assert 0 == shown.code
    if columns == "40":
        prose = [line for line in lines if "/" not in line and "_" not in line and "KUBE" not in line]
        assert 40 >= max(map(len, prose))
    assert 240 >= max(len(line) for line in lines if "/" not in line)


# --- what is written -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("where", ["file", "file/below", "link/below"])
def test_an_output_directory_that_can_be_none_is_refused(
    where: str, tmp_path: Path, capsysbinary: Captured
) -> None:
    """Before the planning, where that can be known; the file there stays."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to("nowhere")
    sentence = refused(capsysbinary, *PLAN, "--out", tmp_path / where)

    assert str(tmp_path / where) in sentence
    assert "mine" == (tmp_path / "file").read_text()
    assert {"file", "link"} == {path.name for path in tmp_path.iterdir()}


def test_a_run_that_fails_leaves_the_last_output(tmp_path: Path, capsysbinary: Captured) -> None:
    """A bad input the next day does not cost yesterday's rollback."""
    out = tmp_path / "out"
    called(capsysbinary, *PLAN, "--out", out)
    held = {path.name: path.read_bytes() for path in out.iterdir()}
    refused(capsysbinary, "plan", "--before", DEMO, tmp_path / "gone", "--out", out)

    assert held == {path.name: path.read_bytes() for path in out.iterdir()}


def test_scripts_of_another_plan_do_not_lie_beside_the_new_assessment(
    tmp_path: Path, capsysbinary: Captured
) -> None:
    """A plan of one node, then one of two into the same directory: the first one's scripts are kept under another name."""
    out = tmp_path / "out"
    called(capsysbinary, *PLAN, "--out", out)
    former = (out / "rollback.sh").read_bytes()
    document = json.loads(gzip.decompress(DEMO.read_bytes()))
    document["nodes"].append(
        {**document["nodes"][0], "name": "worker-2", "sysctls": {"net.ipv4.ip_forward": "1"}}
    )
    (tmp_path / "two.json").write_text(json.dumps(document))
    shown = called(capsysbinary, "plan", "--before", tmp_path / "two.json", PULL_REQUEST, "--out", out)

    assert 0 == shown.code
    assert {"worker-1", "worker-2"} <= {path.name for path in out.iterdir()}
    assert not (out / "rollback.sh").exists()
    assert former == (out / "rollback.sh.former").read_bytes()
    assert "former plan" in shown.err


SMALL_DISK = """
mount -t tmpfs -o size=64k none {root}
mkdir {root}/out
echo old > {root}/out/apply.sh
echo old > {root}/out/rollback.sh
"$@" --out {root}/out > /dev/null; echo code $?
"$@" --out {root}/new > /dev/null; echo code $?
cat {root}/out/apply.sh {root}/out/rollback.sh; ls -A {root} {root}/out
"""


@ROOT_ONLY
@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare")
def test_a_full_disk_costs_nothing(tmp_path: Path) -> None:
    """All files of a plan or none: an old rollback never lies beside a new apply, and no rubbish stays."""
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", SMALL_DISK.format(root=tmp_path), "sh", *COMMAND, *map(str, PLAN)],
        capture_output=True,
        text=True,
        check=False,
    )
    if "mount:" in done.stderr:
        pytest.skip("no mount namespace here")

    assert ["code", "1", "code", "1", "old", "old"] == done.stdout.split()[:6]
    assert ["apply.sh", "rollback.sh"] == done.stdout.split(f"{tmp_path}/out:\n")[1].split()
    assert 2 == done.stderr.count("No space left on device; nothing was changed")


def test_names_of_nodes_lead_nowhere(tmp_path: Path, capsysbinary: Captured) -> None:
    """A node called `..` gets a directory inside of `--out` like the others."""
    document = json.loads(subprocess.run(["gzip", "-dc", DEMO], capture_output=True, check=True).stdout)
    node = {**document["nodes"][0], "sysctls": {"net.ipv4.ip_forward": "1"}}
    names = ("..", "a/../../b", "\u0000", "c d")
    document["nodes"] = [{**node, "name": name} for name in names]
    (tmp_path / "s.json").write_text(json.dumps(document))
    rules = tmp_path / "a.conf"
    rules.write_text("net.ipv4.ip_forward = 0\n")
    shown = called(
        capsysbinary,
        "plan",
        "--before",
        tmp_path / "s.json",
        "--as",
        "sysctl",
        rules,
        "--out",
        tmp_path / "out",
    )

    assert 0 == shown.code, shown.err
    assert {"s.json", "a.conf", "out"} == {path.name for path in tmp_path.iterdir()}
    assert all(path.resolve().is_relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*"))


@pytest.mark.usefixtures("at_a_terminal")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_so_and_leaves_nothing(number: int, tmp_path: Path) -> None:
    """Ctrl-C, or a job that was cancelled: no traceback, no half file, and the code that a shell expects."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    words = ("plan", "--before", pipe, SYSCTLS, "--out", tmp_path / "out")
    process = subprocess.Popen(
        [*COMMAND, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with pipe.open("wb"):
        # It has opened the pipe, so it runs; nothing comes out of it, so it waits.
        process.send_signal(number)
        out, err = process.communicate(timeout=60)

    assert 128 + number == process.returncode
    assert "" == out
    assert "Traceback" not in err
    assert [pipe] == list(tmp_path.iterdir())


def test_showing_the_commands_runs_none() -> None:
    """`snapshot host --show-commands` starts no process and opens no socket: it may be read before it is trusted."""
    watch = (
        "import sys\n"
        "def seen(event, about):\n"
        "    if event.startswith(('subprocess', 'os.system', 'os.exec', 'os.fork', 'os.posix_spawn', 'socket.')):\n"
        "        sys.stderr.write(event)\n"
        "sys.addaudithook(seen)\n"
        "sys.argv[1:] = ['snapshot', 'host', '--show-commands']\n"
        "from planner.cli.main import main\n"
        "main()\n"
    )
    done = subprocess.run([sys.executable, "-c", watch], capture_output=True, text=True, check=False)

    assert (0, "") == (done.returncode, done.stderr)
    assert "iptables" in done.stdout


def test_a_quick_run_is_quiet(capsysbinary: Captured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Times are told on stderr, and only of what took longer than a moment."""
    monkeypatch.setattr("planner.cli.output.SLOW", 1e6)
    quick = called(capsysbinary, "plan", "--before", DEMO, RULES)
    monkeypatch.setattr("planner.cli.output.SLOW", 0.0)
    slow = called(capsysbinary, "plan", "--before", DEMO, RULES)

    assert "" == quick.err
    told = slow.err.splitlines()
    assert "netchange: planning …" in told
    assert told[-1].startswith("netchange: planning: ")
    assert quick.out == slow.out
