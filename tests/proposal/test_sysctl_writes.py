"""Writes, files, reboots and new pods on small states. The kernel agrees about side effects: tests/kernel."""

from planner.models.change import Cause
from planner.models.link import Address, Link
from planner.models.node import ConfigFile, NodeState
from planner.models.source import Gap, Source
from planner.parse.sysctl_d import Reader, effective_assignments
from planner.proposal.sysctl import apply_sysctl_file, at_new_pods, at_reboot, write_sysctl

HERE = Source(name="90-x.conf", line=3)
VALUES = {
    "net.ipv4.ip_forward": "1",
    "net.ipv4.conf.all.forwarding": "1",
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv4.conf.default.forwarding": "1",
    "net.ipv4.conf.eth0.forwarding": "1",
    "net.ipv4.conf.all.rp_filter": "0",
    "net.ipv4.conf.default.rp_filter": "0",
    "net.ipv4.conf.eth0.rp_filter": "0",
    "net.ipv4.conf.cali1.rp_filter": "0",
    "net.ipv4.tcp_rmem": "4096 131072 6291456",
    "net.ipv4.tcp_mem": "1 2 3",
    "net.core.somaxconn": "4096",
    "net.netfilter.nf_conntrack_max": "262144",
    "net.nf_conntrack_max": "262144",
}
LINKS = (Link(name="eth0", addresses=(Address(address="10.0.0.5", length=24),)), Link(name="cali1"))
NODE = NodeState(name="n", sysctls=VALUES, links=LINKS)


def conf(text: str) -> dict[str, ConfigFile]:
    return {"/etc/sysctl.d/90-x.conf": ConfigFile(text=text)}


def test_the_first_effect_is_the_written_one_and_the_rest_the_kernels() -> None:
    """Each with its line, so that the report can point at it."""
    outcome = write_sysctl(NODE, "net.ipv4.ip_forward", "0", source=HERE)

    assert Cause.PROPOSED is outcome.effects[0].cause
    assert {Cause.KERNEL} == {effect.cause for effect in outcome.effects[1:]}
    assert {HERE} == {effect.source for effect in outcome.effects}
    assert "sysctl/net.ipv4.conf.eth0.forwarding" in {effect.what for effect in outcome.effects}


def test_the_same_value_does_nothing() -> None:
    """Not even to a link that differs."""
    node = NODE.model_copy(update={"sysctls": {**VALUES, "net.ipv4.conf.eth0.forwarding": "0"}})
    outcome = write_sysctl(node, "net.ipv4.ip_forward", "1", source=HERE)

    assert node == outcome.state
    assert () == outcome.effects


def test_a_default_says_maybe_and_keeps_the_state() -> None:
    """What cannot be seen is not written down as if it were known."""
    outcome = write_sysctl(NODE, "net.ipv4.conf.default.rp_filter", "1", source=HERE)

    assert "0" == outcome.state.sysctls["net.ipv4.conf.cali1.rp_filter"]
    assert ["sysctl/net.ipv4.conf.cali1.rp_filter"] == [
        effect.what for effect in outcome.effects if effect.cause is Cause.MAYBE
    ]


def test_refusals_are_the_tools_own() -> None:
    """An unknown key names what was meant; a leading minus silences; a refused value keeps the old one."""
    unknown = write_sysctl(NODE, "net.ipv4.ip_foward", "1", source=HERE)
    assert "did you mean net.ipv4.ip_forward" in unknown.error
    assert NODE == unknown.state
    assert "" == write_sysctl(NODE, "net.ipv4.ip_foward", "1", source=HERE, tolerate=True).error

    refused = write_sysctl(NODE, "net.core.somaxconn", "many", source=HERE)
    assert "Invalid argument" in refused.error
    assert NODE == refused.state


def test_a_state_with_a_gap_answers_with_a_gap() -> None:
    """A key that was not collected is not an unknown key."""
    node = NODE.model_copy(update={"gaps": (Gap(section="sysctl", reason="needs root"),)})
    outcome = write_sysctl(node, "net.ipv4.tcp_sack", "0", source=HERE)

    assert "" == outcome.error
    assert 1 == len(outcome.gaps)


def test_two_names_of_the_conntrack_limit() -> None:
    """One variable; it lives in the first network namespace, where no test may write."""
    after = write_sysctl(NODE, "net.nf_conntrack_max", "500000", source=HERE).state.sysctls

    assert "500000" == after["net.netfilter.nf_conntrack_max"]


def test_slashes_and_short_vectors() -> None:
    """A path is a key, and a vector that is too short changes its beginning only."""
    after = write_sysctl(NODE, "net/ipv4/tcp_rmem", "5000", source=HERE).state.sysctls

    assert "5000 131072 6291456" == after["net.ipv4.tcp_rmem"]


def test_a_failing_line_does_not_stop_the_file() -> None:
    """The lines after it count, and the error names its line."""
    files = conf("net.ipv4.no_such = 1\nnet.core.somaxconn = 8192\n")
    outcome = apply_sysctl_file(NODE, effective_assignments(files, Reader.PROCPS, VALUES))

    assert "8192" == outcome.state.sysctls["net.core.somaxconn"]
    assert "/etc/sysctl.d/90-x.conf:1" in outcome.error


def test_reboot_is_defaults_then_files() -> None:
    """What was set by hand is lost; what a file sets stays, with its side effects; what depends on the machine is unknown."""
    values, unknown = at_reboot(NODE, conf("net.ipv4.ip_forward = 1\nnet.core.somaxconn = 8192\n"))

    assert "1" == values["net.ipv4.conf.eth0.forwarding"]
    assert "0" == values["net.ipv4.conf.all.accept_redirects"]
    assert "8192" == values["net.core.somaxconn"]
    assert "net.core.somaxconn" not in unknown
    assert "net.ipv4.tcp_mem" in unknown

    without, _ = at_reboot(NODE, {})
    assert "0" == without["net.ipv4.ip_forward"]
    assert "0" == without["net.ipv4.conf.eth0.forwarding"]
    assert "4096" == without["net.core.somaxconn"]


def test_a_link_that_somebody_set_is_not_guessed() -> None:
    """Its value differs from the default and no file says so: a plugin may set it again, or not."""
    node = NODE.model_copy(update={"sysctls": {**VALUES, "net.ipv4.conf.cali1.rp_filter": "2"}})

    assert "net.ipv4.conf.cali1.rp_filter" in at_reboot(node, {}).unknown
    assert "net.ipv4.conf.eth0.rp_filter" not in at_reboot(node, {}).unknown


def test_a_glob_reaches_links_at_boot() -> None:
    """udev applies it when the link appears."""
    values, _ = at_reboot(NODE, conf("net.ipv4.conf.*.rp_filter = 2\n"))

    assert {"2"} == {value for key, value in values.items() if key.endswith(".rp_filter")}


def test_new_pods_copy_ipv4_settings_only() -> None:
    """conf.all and conf.default of IPv4 and the buffers; nothing else of the node."""
    pod = at_new_pods(NODE.model_copy(update={"sysctls": {**VALUES, "net.ipv6.conf.all.disable_ipv6": "1"}}))

    assert "0" == pod.inside["net.ipv4.conf.all.rp_filter"]
    assert VALUES["net.ipv4.tcp_rmem"] == pod.inside["net.ipv4.tcp_rmem"]
    assert "net.core.somaxconn" not in pod.inside
    assert "net.ipv6.conf.all.disable_ipv6" not in pod.inside
    assert "0" == pod.host_link["ipv4.rp_filter"]


def test_nothing_is_inherited_when_the_node_says_so() -> None:
    """devconf_inherit_init_net 2: compiled defaults."""
    node = NODE.model_copy(update={"sysctls": {**VALUES, "net.core.devconf_inherit_init_net": "2"}})

    assert "net.ipv4.conf.all.rp_filter" not in at_new_pods(node).inside


def test_a_key_of_a_module_that_comes_later_is_not_known_after_a_reboot():
    """systemd-sysctl skips what is not there; without a list of modules nothing is assumed, and built-in ones are there."""
    key = "net.netfilter.nf_conntrack_udp_timeout_stream"
    node = NODE.model_copy(update={"sysctls": {**NODE.sysctls, key: "120"}, "modules": ("nf_conntrack",)})
    files = conf(f"{key} = 180\n")
    lists = {"/etc/modules-load.d/k8s.conf": ConfigFile(text="overlay\n")}
    named = {"/etc/modules-load.d/k8s.conf": ConfigFile(text="overlay\nnf-conntrack\n")}

    late = at_reboot(node, {**files, **lists})
    assert key in late.unknown
    assert "120" == late.values[key]
    for state, given in (
        (node, files),
        (node, {**files, **named}),
        (node.model_copy(update={"modules": ()}), {**files, **lists}),
    ):
        values, unknown = at_reboot(state, given)
        assert ("180", False) == (values[key], key in unknown)
