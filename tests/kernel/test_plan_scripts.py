"""apply.sh and rollback.sh on real nodes: what they do, take back, refuse, and survive."""

import os
import subprocess
from pathlib import Path

import pytest
from namespace import Namespace
from plan_node import Planned, Recipe, command, observe, recipe, write

SETUP = """
ip link add eth0 address 02:00:00:00:00:01 type veth peer name peer0 address 02:00:00:00:00:02
ip link add eth1 address 02:00:00:00:00:03 type veth peer name peer1 address 02:00:00:00:00:04
for l in eth0 eth1 peer0 peer1; do sysctl -qw net.ipv6.conf.$l.accept_dad=0; ip link set $l up; done
ip addr add 10.0.0.5/24 dev eth0; ip addr add 192.0.2.5/24 dev eth1
ip route add default via 10.0.0.1; ip route add 10.244.1.0/24 via 10.0.0.7 proto static metric 10 mtu 1400
sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.eth1.forwarding=0 net.ipv4.conf.all.accept_redirects=1
ipset create web hash:ip; ipset add web 10.0.0.9
iptables-BACKEND -P FORWARD DROP
iptables-BACKEND -A FORWARD -s 10.244.0.0/16 -j ACCEPT
iptables-BACKEND -A FORWARD -m set --match-set web src -m comment --comment 'a "b" $(touch hacked)' -j ACCEPT
iptables-BACKEND -A FORWARD -d 10.244.0.0/16 -j ACCEPT
iptables-BACKEND -N KUBE-X; iptables-BACKEND -A KUBE-X -j RETURN; iptables-BACKEND -A INPUT -j KUBE-X
"""
BACKENDS = pytest.mark.parametrize("backend", ["nft", "legacy"])
END = '  mark "$n" applied\n  [ -z "$nc_remark"'
"""What apply.sh does right after it has read a step back: whoever stands here cuts it off as a crash would."""
SHELLS = [("sh",), ("bash", "--posix"), ("busybox", "sh")]


CONF = Path("/run/test/90-x $(touch hacked) 'q'.conf")
NEW = Path("/run/test/sub/new.conf")
GONE = Path("/run/test/gone.conf")
FILES = """
mkdir -p /run/test/sub; cd /run/test
printf 'net.ipv4.ip_forward = 1' >"90-x \\$(touch hacked) 'q'.conf"; chmod 640 90*
printf 'old\nEOF\nNETCHANGE_END\n' >gone.conf; chmod 600 gone.conf
"""
MARKS = "*mangle\n:PREROUTING ACCEPT [0:0]\n:MARKS - [0:0]\n-A PREROUTING -j MARKS\n-A MARKS -j MARK --set-xmark 0x1/0xffffffff\nCOMMIT\n"


def everything(node: Namespace, directory: Path, backend: str, shell: tuple[str, ...] = ("sh",)) -> Planned:
    """Ten operations of every kind, among them a file with a hostile name."""
    tables = f"iptables-{backend}"
    operations = (
        write(CONF, "net.ipv4.ip_forward = 0\n"),
        command("sysctl", "-w", "net.ipv4.ip_forward=0"),
        command(tables, "-D", "FORWARD", "1"),
        command(tables, "-t", "nat", "-A", "POSTROUTING", "-s", "10.244.0.0/16", "-j", "MASQUERADE"),
        command(f"{tables}-restore", "--noflush", stdin=MARKS),
        command(
            "ip", "route", "replace", "10.244.1.0/24", "via", "10.0.0.8", "proto", "static", "metric", "10"
        ),
        command("ip", "route", "del", "default"),
        command("ipset", "add", "web", "10.0.0.10"),
        write(NEW, "text without an end"),
        write(GONE, None),
    )
    made = recipe(SETUP.replace("BACKEND", backend) + FILES, operations, (CONF, NEW, GONE))
    return Planned.on(node, made, directory, shell)


@BACKENDS
@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: shell[0])
def test_applied_and_taken_back_nothing_is_left(
    node: Namespace, tmp_path: Path, backend: str, shell: tuple[str, ...]
) -> None:
    """After apply.sh the node is as predicted; after rollback.sh it is as before, and a second run does nothing."""
    plan = everything(node, tmp_path, backend, shell)
    assert [] == plan.differs_from(0)

    applied = plan.apply()
    assert 0 == applied.returncode, applied.stderr
    assert [] == plan.differs_from(-1)
    again = plan.apply()
    assert 0 == again.returncode, again.stderr
    assert plan.steps == again.stderr.count("applied already")
    assert [] == plan.differs_from(-1)

    back = plan.rollback()
    assert 0 == back.returncode, back.stderr
    assert [] == plan.differs_from(0)
    second = plan.rollback()
    assert 0 == second.returncode
    assert "nothing to take back" in second.stderr
    assert not Path("hacked").exists()
    assert not list(tmp_path.rglob("hacked"))


@BACKENDS
def test_taken_back_from_after_each_step(node: Namespace, tmp_path: Path, backend: str) -> None:
    """Wherever the change stops, what was applied is taken back, and what was not is not touched."""
    plan = everything(node, tmp_path, backend)
    for last in range(1, plan.steps + 1):
        applied = plan.apply("--to", str(last))
        assert 0 == applied.returncode, applied.stderr
        assert [] == plan.differs_from(last)

        back = plan.rollback()
        assert 0 == back.returncode, back.stderr
        assert [] == plan.differs_from(0)


@BACKENDS
def test_killed_in_the_middle_of_each_step(node: Namespace, tmp_path: Path, backend: str) -> None:
    """SIGKILL after the command and before anything is noted: rollback.sh still knows, and a second apply.sh too."""
    plan = everything(node, tmp_path, backend)
    for last in range(1, plan.steps + 1):
        cut = plan.edited("apply.sh", END, f'  [ "$n" != {last} ] || kill -KILL $$\n{END}')

        assert plan.script(cut).returncode in {-9, 137}
        back = plan.rollback()
        assert 0 == back.returncode, back.stderr
        assert [] == plan.differs_from(0)

        if last % 4 != 1:
            continue  # resuming is the same for every kind of step
        assert plan.script(cut).returncode in {-9, 137}
        resumed = plan.apply()
        assert 0 == resumed.returncode, resumed.stderr
        assert [] == plan.differs_from(-1)
        assert 0 == plan.rollback().returncode
        assert [] == plan.differs_from(0)


def test_killed_before_the_command_of_a_step(node: Namespace, tmp_path: Path) -> None:
    """A step that was announced and never run is found to be as before, and is not undone a second time."""
    plan = everything(node, tmp_path, "nft")
    announced = 'say "step $n: $nc_title"'
    cut = plan.edited("apply.sh", announced, '[ "$n" != 3 ] || kill -KILL $$')

    assert plan.script(cut).returncode in {-9, 137}
    back = plan.rollback()

    assert 0 == back.returncode, back.stderr
    assert "step 3: is as before" in back.stderr
    assert [] == plan.differs_from(0)


def test_a_rollback_that_is_cut_off_is_finished_by_the_next(node: Namespace, tmp_path: Path) -> None:
    """Killed between the commands of an undo, when values are neither those before nor those after."""
    plan = everything(node, tmp_path, "nft")
    assert 0 == plan.apply().returncode
    # Step 2: ip_forward is written, and has turned on the forwarding of eth1, which is not yet put back.
    marker = "run sysctl -w net.ipv4.ip_forward=1 </dev/null\n"
    cut = plan.edited("rollback.sh", marker, marker + "kill -KILL $$\n")

    assert plan.script(cut).returncode in {-9, 137}
    assert "1" == node.sysctl("net.ipv4.conf.eth1.forwarding")
    back = plan.rollback()

    assert 0 == back.returncode, back.stderr
    assert "finishing a rollback" in back.stderr
    assert [] == plan.differs_from(0)


FOREIGN = {
    "sysctl": ("sysctl -qw net.ipv4.conf.all.accept_redirects=0", "net.ipv4.conf.all.accept_redirects is 1"),
    "chain": ("iptables-nft -I FORWARD -j ACCEPT", "chain FORWARD of table filter"),
    "route": (
        "ip route replace 10.244.1.0/24 via 10.0.0.99 proto static metric 10",
        "route 10.244.1.0/24 is",
    ),
    "ipset": ("ipset add web 10.9.9.9", "ipset web"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_refuses_a_node_that_is_not_the_one_it_was_made_for(
    node: Namespace, tmp_path: Path, kind: str
) -> None:
    """Nothing at all is changed, and a sentence names what is different."""
    plan = everything(node, tmp_path, "nft")
    change, sentence = FOREIGN[kind]
    node.sh(change)
    before = plan.differs_from(0)

    refused = plan.apply()

    assert 3 == refused.returncode
    assert sentence in refused.stderr
    assert before == plan.differs_from(0)
    assert not (plan.state / "step-1").exists()


def test_refuses_a_file_that_somebody_has_edited(node: Namespace, tmp_path: Path) -> None:
    """The file would be overwritten, and the edit lost."""
    plan = everything(node, tmp_path, "nft")
    plan.file(0).write_text("edited\n")

    refused = plan.apply()

    assert 3 == refused.returncode
    assert "has the recorded text" in refused.stderr
    assert "edited\n" == plan.file(0).read_text()


FOREIGN_LATER = {
    "sysctl": "sysctl -qw net.ipv4.conf.eth1.forwarding=1",
    "route": "ip route replace 10.244.1.0/24 via 10.0.0.99 proto static metric 10",
    "rule": "iptables-nft -t mangle -A MARKS -j MARK --set-xmark 0x1/0xffffffff",
    "file": "echo more >>/run/test/sub/new.conf",
}


@pytest.mark.parametrize("kind", FOREIGN_LATER)
def test_a_rollback_never_clobbers_what_somebody_else_did(node: Namespace, tmp_path: Path, kind: str) -> None:
    """It stops before anything is changed; unattended it takes back the rest; with --force all of it."""
    plan = everything(node, tmp_path, "nft")
    assert 0 == plan.apply().returncode
    node.sh(FOREIGN_LATER[kind])
    found = plan.differs_from(-1)
    assert found

    refused = plan.rollback()
    assert 3 == refused.returncode
    assert "neither holds" in refused.stderr
    assert found == plan.differs_from(-1)

    assert 3 == plan.rollback("--unattended").returncode
    left = plan.differs_from(0)
    assert left
    assert len(left) < 20
    assert 0 == plan.rollback("--force").returncode
    assert [] == plan.differs_from(0)


def test_a_rule_of_others_between_two_steps_of_one_chain_stays(node: Namespace, tmp_path: Path) -> None:
    """One step has added a rule, a later one changed the policy: both are taken back around it."""
    operations = (
        command("iptables-nft", "-A", "INPUT", "-p", "tcp", "-m", "tcp", "--dport", "22", "-j", "ACCEPT"),
        command("iptables-nft", "-P", "INPUT", "DROP"),
    )
    plan = Planned.on(node, recipe("iptables-nft -A INPUT -i lo -j ACCEPT", operations, ()), tmp_path)
    assert 0 == plan.apply().returncode
    node.sh("iptables-nft -A INPUT -s 203.0.113.9 -j ACCEPT")

    back = plan.rollback()

    assert 0 == back.returncode, back.stderr
    assert "but for what others have changed" in back.stderr
    node.sh("iptables-nft -D INPUT -s 203.0.113.9 -j ACCEPT")
    assert [] == plan.differs_from(0)
    assert "nothing to take back" in plan.rollback().stderr


def test_what_others_add_beside_the_change_stays(node: Namespace, tmp_path: Path) -> None:
    """Only chains, routes and files that the change touched are put back: a new rule elsewhere is none of them."""
    plan = everything(node, tmp_path, "nft")
    assert 0 == plan.apply().returncode
    node.sh(
        "iptables-nft -A INPUT -s 203.0.113.9 -j DROP; iptables-nft -t nat -A PREROUTING -j RETURN; ip route add 10.99.0.0/16 via 10.0.0.1"
    )

    back = plan.rollback()

    assert 0 == back.returncode, back.stderr
    saved = node.sh("iptables-nft-save")
    assert "-A INPUT -s 203.0.113.9/32 -j DROP" in saved
    assert "-A PREROUTING -j RETURN" in saved
    assert "MASQUERADE" not in saved
    assert "10.99.0.0/16" in node.sh("ip route")


def test_an_exit_status_is_not_believed(node: Namespace, tmp_path: Path) -> None:
    """`sysctl -w` of a value that this namespace may only read exits 0 (measured, procps 4.0.2): the read-back tells."""
    from planner.models.horizon import Horizon
    from planner.models.proposal import Outlook, Stage
    from planner.plan.build import build_plan
    from planner.plan.scripts import emit_apply, emit_rollback

    key = "net.netfilter.nf_conntrack_max"
    before = observe(node)
    after = before.model_copy(update={"sysctls": {**before.sysctls, key: "12345"}})
    stage = Stage(operation=command("sysctl", "-w", f"{key}=12345"), after=after)
    made = build_plan(
        Outlook(node="node-1", before={Horizon.NOW: before}, after={Horizon.NOW: after}, stages=(stage,))
    )
    (tmp_path / "apply.sh").write_text(emit_apply(made))
    (tmp_path / "rollback.sh").write_text(emit_rollback(made))
    plan = Planned(node, Recipe(made, "", (), ()), tmp_path)

    applied = plan.apply()

    assert 4 == applied.returncode
    assert f"{key} is 12345" in applied.stderr
    assert 0 == plan.rollback().returncode


def test_listing_and_dry_run_change_nothing(node: Namespace, tmp_path: Path) -> None:
    """They say what would be run, and do not even make the state directory."""
    plan = everything(node, tmp_path, "nft")

    listed, dry = plan.apply("--list"), plan.apply("--dry-run")

    assert (0, 0) == (listed.returncode, dry.returncode)
    assert plan.steps == len(listed.stdout.splitlines())
    assert "would run: sysctl -w net.ipv4.ip_forward=0" in dry.stdout
    assert "NOT as this step expects" not in dry.stdout
    assert not plan.state.exists()
    assert [] == plan.differs_from(0)


def test_from_a_step_on(node: Namespace, tmp_path: Path) -> None:
    """--from leaves earlier steps alone, and the rollback takes back only what was applied."""
    plan = everything(node, tmp_path, "nft")

    applied = plan.apply("--from", "8", "--to", "8")

    assert 0 == applied.returncode, applied.stderr
    assert "1" == node.sysctl("net.ipv4.ip_forward")
    assert "10.0.0.10" in node.sh("ipset save web")
    assert 0 == plan.rollback().returncode
    assert [] == plan.differs_from(0)


def test_state_is_saved_before_the_first_step(node: Namespace, tmp_path: Path) -> None:
    """Whatever happens later, a person finds how the node was: rules, routes, sysctls, sets and files."""
    plan = everything(node, tmp_path, "nft")
    assert 0 == plan.apply("--to", "1").returncode
    saved = plan.state / "before"

    assert "-A FORWARD -s 10.244.0.0/16 -j ACCEPT" in (saved / "iptables-nft-save").read_text()
    assert "default via 10.0.0.1" in (saved / "ip-route4").read_text()
    assert "net/ipv4/ip_forward=1" in (saved / "sysctl").read_text()
    assert "add web 10.0.0.9" in (saved / "ipset").read_text()
    assert "net.ipv4.ip_forward = 1" == (saved / "files" / "1").read_text()
    assert 0o700 == plan.state.stat().st_mode & 0o777


def test_two_runs_at_once(node: Namespace, tmp_path: Path) -> None:
    """The second says that another is at work and changes nothing; a lock of a dead process is taken over."""
    plan = everything(node, tmp_path, "nft")
    plan.state.mkdir(parents=True)
    lock = plan.state / "lock"
    lock.mkdir()
    start = node.sh("sed 's/^.*) //' /proc/1/stat | cut -d' ' -f20").strip()
    (lock / "holder").write_text(f"1 {start}\n")

    assert 6 == plan.apply().returncode
    assert [] == plan.differs_from(0)

    (lock / "holder").write_text(f"1 {int(start) + 1}\n")
    assert 0 == plan.apply("--to", "1").returncode


# ---- the timer


def run_with_pipe(plan: Planned, *arguments: str, prefix: tuple[str, ...] = ()) -> tuple[int, int, str]:
    """Run apply.sh with a pipe that its timer inherits: the pipe ends when the last of them has ended."""
    reading, writing = os.pipe()
    argv = [*prefix, *plan.node.enter(), *plan.argv("apply.sh", *arguments)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, pass_fds=(writing,), timeout=60)
    os.close(writing)
    return done.returncode, reading, done.stderr


def wait_for_end(reading: int) -> None:
    """Until nobody holds the other end any more."""
    assert b"" == os.read(reading, 1)
    os.close(reading)


def test_the_timer_takes_back_what_is_not_confirmed(node: Namespace, tmp_path: Path) -> None:
    """Nobody said yes: after the time everything is as before, and the log says why."""
    plan = everything(node, tmp_path, "nft")

    status, reading, said = run_with_pipe(plan, "--confirm-within", "2", "--to", "3")
    assert 0 == status, said
    assert str(plan.state / "log") in said
    wait_for_end(reading)

    assert [] == plan.differs_from(0)
    assert "not confirmed in time" in (plan.state / "log").read_text()
    late = plan.apply("--confirm")
    assert 6 == late.returncode
    assert "too late" in late.stderr


def test_the_timer_does_not_fire_when_confirmed(node: Namespace, tmp_path: Path) -> None:
    """The confirmation ends the timer at once, and the change stays. It is a long timer: waiting for it would show."""
    plan = everything(node, tmp_path, "nft")

    status, reading, said = run_with_pipe(plan, "--confirm-within", "3600")
    assert 0 == status, said
    confirmed = node.run(["sh", str(plan.state / "confirm.sh")])
    wait_for_end(reading)

    assert "the change stays" in confirmed.stderr
    assert [] == plan.differs_from(-1)
    assert "confirmed already" in plan.apply("--confirm").stderr
    assert 0 == plan.rollback().returncode
    assert [] == plan.differs_from(0)


@pytest.mark.usefixtures("at_a_terminal")
def test_the_timer_survives_the_end_of_the_terminal(node: Namespace, tmp_path: Path) -> None:
    """The session's processes get SIGHUP, as when an ssh connection breaks in the middle of a step: it fires all the same."""
    plan = everything(node, tmp_path, "nft")
    # The whole process group is hit after step 4, as the kernel does for a lost terminal.
    cut = plan.edited("apply.sh", END, f'  [ "$n" != 4 ] || kill -HUP 0\n{END}')
    (plan.directory / cut).rename(plan.directory / "apply.sh")

    status, reading, said = run_with_pipe(plan, "--confirm-within", "1", prefix=("setsid", "--wait"))
    assert status in {129, -1}, said
    wait_for_end(reading)

    assert [] == plan.differs_from(0)
    assert "stopped by signal HUP" in (plan.state / "log").read_text()


def test_the_timer_ends_an_apply_that_hangs(node: Namespace, tmp_path: Path) -> None:
    """A command that never returns must not keep the rollback waiting."""
    plan = everything(node, tmp_path, "nft")
    cut = plan.edited("apply.sh", "step_4_apply() {\n", "step_4_apply() {\ncat /dev/zero >/dev/null\n")
    (plan.directory / cut).rename(plan.directory / "apply.sh")

    _, reading, _ = run_with_pipe(plan, "--confirm-within", "1")
    wait_for_end(reading)

    assert [] == plan.differs_from(0)


def test_the_timer_waits_for_an_apply_that_dies_slowly(node: Namespace, tmp_path: Path) -> None:
    """A killed process is there for a moment longer, and the lock is its own: the rollback must not give up for that."""
    plan = everything(node, tmp_path, "nft")
    script = plan.directory / "apply.sh"
    text = script.read_text()
    for whole, slow in (
        ("step_4_apply() {\n", "step_4_apply() {\ncat /dev/zero >/dev/null\n"),
        ("stopped() {\n", "stopped() {\nsleep 30\n"),
        ('\n  kill -KILL "${nc_holder%% *}"', '\n  (sleep 2; kill -KILL "${nc_holder%% *}") &\n  :'),
    ):
        assert whole in text
        text = text.replace(whole, slow)
    script.write_text(text)

    _, reading, _ = run_with_pipe(plan, "--confirm-within", "1")
    wait_for_end(reading)

    assert [] == plan.differs_from(0)


def test_systemd_keeps_the_timer_where_it_runs(node: Namespace, tmp_path: Path) -> None:
    """A unit of its own: it outlives the session even where the log-in manager ends all processes of a user."""
    plan = everything(node, tmp_path, "nft")
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("systemd-run", "systemctl"):
        (tools / name).write_text(f'#!/bin/sh\nprintf "%s\\n" "{name} $*" >>{tools}/calls\n')
        (tools / name).chmod(0o755)
    node.sh("mkdir -p /run/systemd/system")
    path = f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin"

    assert 0 == plan.apply("--confirm-within", "300", PATH=path).returncode
    assert 0 == plan.apply("--confirm", PATH=path).returncode

    started, stopped = (tools / "calls").read_text().splitlines()
    assert "--on-active=300s" in started
    assert f"/bin/sh {plan.state}/rollback.sh --unattended --state {plan.state}" in started
    unit = started.split("--unit=")[1].split()[0]
    assert f"systemctl stop {unit}.timer" == stopped
    assert [] == plan.differs_from(-1)
