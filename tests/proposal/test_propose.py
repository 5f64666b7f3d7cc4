"""A proposal laid on a node: stages now, a state at each horizon, gaps with their line."""

from planner.models.horizon import Horizon
from planner.models.node import ConfigFile, NodeState
from planner.models.proposal import Command, FileWrite
from planner.models.ruleset import Ruleset, Table
from planner.proposal.acting import acting
from planner.proposal.fragments import recognise
from planner.proposal.propose import propose

FILTER = Table(
    name="filter",
    policies={"INPUT": "ACCEPT", "FORWARD": "ACCEPT", "OUTPUT": "ACCEPT"},
    chains={"INPUT": ("-j X",), "FORWARD": (), "OUTPUT": (), "X": ("-s 10.0.0.0/8 -j ACCEPT",)},
)
NODE = NodeState(
    name="n",
    iptables_default="nft",
    sysctls={"net.ipv4.ip_forward": "1", "net.core.somaxconn": "4096", "net.ipv4.tcp_syncookies": "1"},
    rulesets=(Ruleset(family="ip", backend="nft", tables={"filter": FILTER}),),
    files={"/etc/cni/net.d/10.conf": ConfigFile(text='{"type": "bridge"}', mode="0600")},
)


def rules(node: NodeState, chain: str) -> tuple[str, ...]:
    ruleset = node.ruleset("ip", "nft")
    assert ruleset is not None
    return ruleset.tables["filter"].chains[chain]


def test_a_sysctl_file_is_installed_and_its_lines_are_written() -> None:
    """Each line that changes something is a stage of its own with its line; a value that is there already is none."""
    text = "# c\nnet.ipv4.tcp_syncookies = 1\nnet.core.somaxconn = 1024\n"
    outlook = propose(NODE, [recognise("etc/sysctl.d/9.conf", text)])
    first, second = outlook.stages

    assert isinstance(first.operation, FileWrite)
    assert isinstance(second.operation, Command)
    assert 3 == second.operation.source.line
    assert "1024" == outlook.after[Horizon.NOW].sysctls["net.core.somaxconn"]
    assert "/etc/sysctl.d/9.conf" not in outlook.after[Horizon.NOW].files
    assert "/etc/sysctl.d/9.conf" in outlook.after[Horizon.REBOOT].files


def test_a_file_that_a_later_one_overrides_is_undone_at_the_reboot() -> None:
    """Applied now, and gone when systemd reads all files in order."""
    node = NODE.model_copy(
        update={"files": {"/etc/sysctl.d/99-z.conf": ConfigFile(text="net.core.somaxconn = 4096\n")}}
    )
    outlook = propose(node, [recognise("etc/sysctl.d/90-a.conf", "net.core.somaxconn = 128\n")])

    assert ("128", "4096") == tuple(
        outlook.after[horizon].sysctls["net.core.somaxconn"] for horizon in (Horizon.NOW, Horizon.REBOOT)
    )


def test_a_cni_file_acts_for_new_pods() -> None:
    """Nothing moves when it is installed; its mode stays."""
    outlook = propose(NODE, [recognise("etc/cni/net.d/10.conf", '{"type": "ptp"}')])
    path = "/etc/cni/net.d/10.conf"

    assert '{"type": "bridge"}' == outlook.after[Horizon.NOW].files[path].text
    assert '{"type": "ptp"}' == outlook.after[Horizon.NEW_PODS].files[path].text
    assert "0600" == outlook.after[Horizon.NEW_PODS].files[path].mode


def test_rules_set_by_commands_are_gone_after_a_reboot() -> None:
    """What lives in the kernel only comes back as whoever set it before sets it again."""
    outlook = propose(NODE, [recognise("a.sh", "#!/bin/sh\niptables -A INPUT -s 192.0.2.1 -j DROP\n")])

    assert ("-j X", "-s 192.0.2.1/32 -j DROP") == rules(outlook.after[Horizon.NOW], "INPUT")
    assert ("-j X",) == rules(outlook.after[Horizon.REBOOT], "INPUT")


def test_a_persisted_rule_file_comes_back_after_a_reboot() -> None:
    """A restore file at its persistent place is loaded at boot too."""
    text = "*filter\n:INPUT ACCEPT [0:0]\n-A INPUT -s 192.0.2.1 -j DROP\nCOMMIT\n"
    outlook = propose(NODE, [recognise("etc/iptables/rules.v4", text)])

    assert ("-s 192.0.2.1/32 -j DROP",) == rules(outlook.after[Horizon.REBOOT], "INPUT")


def test_conditions_of_scripts_are_decided_on_the_state() -> None:
    """`-C … || -A …` adds only what is not there; `|| true` makes a failure nobody's business."""
    text = (
        "#!/bin/sh\n"
        "iptables -C INPUT -j X || iptables -A INPUT -j X\n"
        "iptables -C INPUT -j DROP || iptables -A INPUT -j DROP\n"
        "iptables -C INPUT -j ACCEPT && iptables -D INPUT -j ACCEPT\n"
        "iptables -D INPUT -s 9.9.9.9 -j DROP || true\n"
    )
    outlook = propose(NODE, [recognise("a.sh", text)])

    assert ("-j X", "-j DROP") == rules(outlook.after[Horizon.NOW], "INPUT")
    assert () == outlook.gaps


def test_what_is_not_understood_is_a_gap_with_its_line_and_the_rest_goes_on() -> None:
    """A loop, an unknown command, an unset variable: each is told, none is guessed."""
    text = (
        "#!/bin/sh\n"
        "for i in 1 2; do iptables -F; done\n"
        "brctl addbr br0\n"
        "iptables -A INPUT -s $PEER -j DROP\n"
        "sysctl -w net.core.somaxconn=7\n"
    )
    outlook = propose(NODE, [recognise("a.sh", text)])

    assert [2, 3, 4] == [gap.source.line for gap in outlook.gaps if gap.source]
    assert "7" == outlook.after[Horizon.NOW].sysctls["net.core.somaxconn"]


def test_set_e_ends_a_script_at_its_first_failure() -> None:
    """What would not run is not laid on the node, and that is said."""
    text = "#!/bin/sh\nset -e\niptables -D INPUT 9\nsysctl -w net.core.somaxconn=7\n"
    outlook = propose(NODE, [recognise("a.sh", text)])

    assert "4096" == outlook.after[Horizon.NOW].sysctls["net.core.somaxconn"]
    assert ["would", "the"] == [gap.reason.split()[0] for gap in outlook.gaps]


def test_a_script_may_write_and_load_its_own_files() -> None:
    """`cat > file` and `sysctl -p file`, `iptables-restore < file`, `echo > /proc/sys`."""
    text = (
        "#!/bin/sh\n"
        "cat > /etc/sysctl.d/5.conf <<'EOF'\nnet.core.somaxconn = 9\nEOF\n"
        "sysctl -p /etc/sysctl.d/5.conf\n"
        "echo 0 > /proc/sys/net/ipv4/ip_forward\n"
        "cat > /etc/fw <<EOF\n*filter\n-A X -j RETURN\nCOMMIT\nEOF\n"
        "iptables-restore --noflush < /etc/fw\n"
    )
    outlook = propose(NODE, [recognise("a.sh", text)])
    now = outlook.after[Horizon.NOW]

    assert () == outlook.gaps
    assert ("9", "0") == (now.sysctls["net.core.somaxconn"], now.sysctls["net.ipv4.ip_forward"])
    assert ("-s 10.0.0.0/8 -j ACCEPT", "-j RETURN") == rules(now, "X")


def test_both_backends_in_use_and_a_plain_command() -> None:
    """Which rules `iptables` would change is not known, and not guessed."""
    legacy = Ruleset(family="ip", backend="legacy", tables={"filter": FILTER})
    node = NODE.model_copy(update={"rulesets": (*NODE.rulesets, legacy), "iptables_default": ""})
    outlook = propose(node, [recognise("a.sh", "#!/bin/sh\niptables -F\n")])

    assert ["iptables/ip"] == [gap.section for gap in outlook.gaps]
    assert node.rulesets == outlook.after[Horizon.NOW].rulesets


def test_a_file_read_at_each_use_acts_at_once() -> None:
    """The table of who reads what when is the only place that knows."""
    before, after = {"/etc/resolv.conf": ConfigFile(text="a")}, {"/etc/resolv.conf": ConfigFile(text="b")}

    assert "b" == acting(before, after, Horizon.NOW)["/etc/resolv.conf"].text
