"""Nothing that happens on a stage reaches the machine, and nothing of it is left, whatever ends it."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from host_state import differing, host_state
from namespace import Namespace
from nasty_node import SETUP
from plan_node import observe

from planner.models.node import NodeState
from planner.rehearse.isolation import Isolation
from planner.rehearse.stage import Stage, available

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "docs" / "demo" / "node.json.gz"
HARM = {
    "a sysctl of the machine": "echo 1 >/proc/sys/vm/overcommit_memory",
    "a kernel parameter": "echo 7 >/proc/sys/kernel/panic",
    "the machine's files": "touch /.host/etc/netchange-was-here",
    "files anybody may write": "touch /.host/tmp/netchange-was-here",
    "the way back out": "mount -o remount,rw /.host && touch /.host/netchange-was-here",
    "the emergency keys of the kernel": "echo s >/proc/sysrq-trigger",
    "a device": "mknod /dev/sda1 b 8 1",
    "the clock": "date -s 2001-01-01",
    "a process outside": "kill -0 {outside}",
    "the firewall outside": "nsenter --net=/.host/proc/1/ns/net iptables-nft -P INPUT DROP",
}
ON_STAGE = """
import sys
from pathlib import Path
from planner.parse.snapshot import load_snapshot
from planner.rehearse.stage import Stage
node = load_snapshot(Path(sys.argv[1]).read_bytes(), name="demo").nodes[0]
"""
REBUILT = (
    ON_STAGE
    + """
with Stage(node, load_modules=True) as stage:
    stage.rebuild()
    stage.run(["sh", "-c", "setsid sleep 54321 >/dev/null 2>&1 &"])
    stage.spawn(["sleep", "54321"])
    print("ready", flush=True)
    sys.stdin.read()
"""
)
WITHOUT_ROOT = (
    ON_STAGE
    + """
import os, select
from planner.rehearse.stage import available
if available():
    print("unavailable:", available())
    raise SystemExit
with Stage(node, load_modules=True) as stage:
    stage.rebuild()
    print(os.getuid(), stage.run(["id", "-u"]).stdout.strip(), stage.isolation)
    question = bytes.fromhex(
        "ffffffffffff" "020000000001" "0806" "0001080006040001" "020000000001" "0a0000c8" "000000000000" "0a00000b"
    )
    while select.select([stage.taps["eth0"]], [], [], 0)[0]:
        os.read(stage.taps["eth0"], 65536)
    os.write(stage.taps["eth0"], question)
    frame = b""
    while frame[12:14] != b"\\x08\\x06" and select.select([stage.taps["eth0"]], [], [], 10)[0]:
        frame = os.read(stage.taps["eth0"], 65536)
    print("answer", frame[22:28].hex(":"))
    for name in sorted(stage.reasons):
        print(name.partition(" ")[0], stage.reasons[name])
"""
)


def test_the_machine_is_as_before() -> None:
    """A node with everything is rebuilt, changed and left: links, rules, sysctls, mounts and files stay as they were."""
    with Namespace() as place:
        place.sh(SETUP)
        node = observe(place)
    before = host_state()
    with Stage(node, load_modules=True) as stage:
        stage.rebuild()
        stage.write("/etc/sysctl.d/99-new.conf", "net.ipv4.ip_forward = 0\n")
        stage.run(
            ["sh", "-c", "ip netns add left; sysctl -w net.ipv4.ip_forward=0; ipset create more hash:ip"]
        )
        stage.run(["sh", "-c", "iptables-legacy -t nat -A OUTPUT -j ACCEPT; iptables-nft -P INPUT DROP"])
        during = host_state()
    assert {} == differing(before, during)
    assert {} == differing(before, host_state())


@pytest.mark.parametrize("walls", [Isolation.MAPPED, Isolation.PLAIN], ids=["user namespace", "plain"])
@pytest.mark.parametrize("what", sorted(HARM))
def test_harm_is_refused(what: str, walls: Isolation) -> None:
    """A script that would reach the machine fails, and the machine is as before."""
    before = host_state()
    with Stage(NodeState(name="n"), isolation=walls, load_modules=True) as stage:
        done = stage.run(["sh", "-c", HARM[what].format(outside=os.getpid())])
    assert 0 != done.status, done
    assert {} == differing(before, host_state())


def test_root_of_the_stage_is_nobody_outside() -> None:
    """Its ids are those of no user of the machine."""
    with Stage(NodeState(name="n"), isolation=Isolation.MAPPED) as stage:
        inside, outside, count = map(int, (stage.read("/proc/self/uid_map") or "").split()[:3])
        assert (0, True, True) == (inside, outside > 65536 or count == 1, outside > 0)
        assert "0\n" == stage.run(["id", "-u"]).stdout


def descendants(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in map(int, (task / "children").read_text().split()):
            found += [child, *descendants(child)]
    return found


def wait_for_all(processes: list[int], seconds: float = 30.0) -> list[int]:
    """Those that did not end, by descriptors of processes: nothing is polled."""
    left = dict(processes_open(processes))
    while left:
        ready, _, _ = select.select(list(left), [], [], seconds)
        if not ready:
            break
        for file in ready:
            os.close(file)
            del left[file]
    return list(left.values())


def processes_open(processes: list[int]) -> list[tuple[int, int]]:
    found = []
    for pid in processes:
        try:
            found.append((os.pidfd_open(pid), pid))
        except ProcessLookupError:
            continue
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_kill_leaves_nothing(how: signal.Signals) -> None:
    """Processes that were detached on the stage end with the program too, and the machine is as before."""
    before = host_state()
    program = subprocess.Popen(
        [sys.executable, "-c", REBUILT, str(DEMO)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with program:
        assert program.stdout is not None
        assert "ready\n" == program.stdout.readline()
        started = descendants(program.pid)
        assert len(started) >= 5, started
        program.send_signal(how)
        program.wait()
    assert [] == wait_for_all(started)
    assert {} == differing(before, host_state())


def unprivileged(script: str) -> list[str]:
    """A command that runs Python as nobody, where the interpreter lies in a directory that only root may enter."""
    as_nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    run = [*as_nobody, "env", "PYTHONDONTWRITEBYTECODE=1", sys.executable, "-c", script, str(DEMO)]
    base = Path(sys.base_prefix)
    closed = next((each for each in reversed(base.parents) if not each.stat().st_mode & 1), None)
    if closed is None:
        return run
    view = f"""
        mount --make-rprivate / && mount -t tmpfs -o mode=755 tmpfs /mnt && mkdir /mnt/base
        mount --bind {base} /mnt/base && mount -t tmpfs -o mode=755 tmpfs {closed} && mkdir -p {base}
        mount --bind /mnt/base {base} && cd {ROOT} && exec "$@"
    """
    return ["unshare", "--mount", "sh", "-ec", view, "sh", *run]


def test_without_root() -> None:
    """Where the kernel lets anybody make namespaces, the node is rebuilt as well; what is missing then is named."""
    before = host_state()
    done = subprocess.run(
        unprivileged(WITHOUT_ROOT), cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert 0 == done.returncode, done.stderr
    head, *rest = [*done.stdout.splitlines(), ""]
    if head.startswith("unavailable"):
        pytest.skip(head)
    answer, *rest = rest[:-1]
    assert "answer 52:54:00:00:00:11" == answer
    assert head.startswith("65534 0 user namespace of a user without root")
    assert not [line for line in rest if "not known why" in line]
    assert {line.split()[0] for line in rest} <= {"sysctl", "link"}
    assert {} == differing(before, host_state())


def test_available_says_why_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tool that is not there is named."""
    assert "" == available()
    monkeypatch.setenv("PATH", "/nowhere")
    assert "ip" in available()


def test_a_node_stands_without_user_namespaces_too() -> None:
    """Where the kernel gives none, root rebuilds the node all the same, says what is weaker, and the machine is as before."""
    with Namespace() as place:
        place.sh(SETUP)
        node = observe(place)
    before = host_state()
    with Stage(node, isolation=Isolation.PLAIN, load_modules=True) as stage:
        stage.rebuild()
        assert Isolation.PLAIN.value in stage.isolation
        unexplained = [name for name, reason in stage.reasons.items() if "not known why" in reason]
        assert [] == [name for name in unexplained if name.removeprefix("sysctl ") in node.sysctls]
        assert 0 == stage.run(["sysctl", "-w", "net.ipv4.ip_forward=0"]).status
        assert "net.ipv4.ip_forward = 0\n" == stage.run(["sysctl", "net.ipv4.ip_forward"]).stdout
    assert {} == differing(before, host_state())


def test_without_user_namespaces_the_next_best_is_taken() -> None:
    """As where user.max_user_namespaces is 0: here that of a user namespace, not of the machine."""
    program = (
        "from planner.rehearse.stage import available, opened\nfrom planner.rehearse.isolation import usual\n"
    )
    program += "print(available() or opened(usual(), name='n').walls.name)"
    script = 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$0" -c "$1"'
    done = subprocess.run(
        ["unshare", "-Ur", "sh", "-c", script, sys.executable, program],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )

    assert "PLAIN\n" == done.stdout, done.stderr
