"""The kubelet's configuration from files and flags."""

import os
from pathlib import Path

import pytest

from planner.models.node import ConfigFile
from planner.parse.kubelet import kubelet_config
from planner.parse.subnet_env import parse_subnet_env

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
CONFIG = "/var/lib/kubelet/config.yaml"


def config(texts):
    return kubelet_config({path: ConfigFile(text=text) for path, text in texts.items()})


def test_without_file_and_flags_nothing_is_known():
    """None is not a configuration of defaults."""
    assert config({"/etc/hosts": ""}) is None


def test_a_flag_outranks_the_file():
    """kubeadm-flags.env wins over config.yaml."""
    kubelet = config(
        {
            CONFIG: "clusterDNS: [10.96.0.10]\nhairpinMode: hairpin-veth\nmaxPods: 110\n",
            "/var/lib/kubelet/kubeadm-flags.env": 'KUBELET_KUBEADM_ARGS="--hairpin-mode=none --node-ip 10.0.0.5 --network-plugin=cni"',
            "/etc/default/kubelet": "KUBELET_EXTRA_ARGS=--max-pods=50\n",
        }
    )
    assert (("10.96.0.10",), "none", 50, "10.0.0.5", "cni") == (
        kubelet.cluster_dns,
        kubelet.hairpin_mode,
        kubelet.max_pods,
        kubelet.node_ip,
        kubelet.network_plugin,
    )


def test_the_units_command_line_decides_which_variables_count():
    """A variable that the unit does not use is not a flag; `--config` names the file."""
    kubelet = config(
        {
            "/etc/kubernetes/mine.yaml": "clusterDomain: example.internal\n",
            "/etc/systemd/system/kubelet.service": "[Service]\nExecStart=/usr/bin/kubelet\n",
            "/etc/systemd/system/kubelet.service.d/10-kubeadm.conf": (
                '[Service]\nEnvironment="KUBELET_CONFIG_ARGS=--config=/etc/kubernetes/mine.yaml"\n'
                "ExecStart=\nExecStart=/usr/bin/kubelet $KUBELET_CONFIG_ARGS --resolv-conf=/run/systemd/resolve/resolv.conf\n"
            ),
            "/etc/default/kubelet": "KUBELET_EXTRA_ARGS=--cluster-domain=unused\n",
        }
    )
    assert ("/etc/kubernetes/mine.yaml", "example.internal", "/run/systemd/resolve/resolv.conf") == (
        kubelet.path,
        kubelet.cluster_domain,
        kubelet.resolv_conf,
    )


def test_additions_are_merged_by_name():
    """A later file of the drop-in directory wins, objects are merged."""
    kubelet = config(
        {
            "/etc/kubernetes/kubelet/config.json": '{"maxPods": 17, "featureGates": {"A": true}}',
            "/etc/kubernetes/kubelet/config.json.d/40-nodeadm.conf": '{"maxPods": 58, "featureGates": {"B": true}}',
        }
    )
    assert (58, {"A": True, "B": True}) == (kubelet.max_pods, kubelet.value("featureGates"))


def test_what_is_not_set_is_none_and_what_is_unknown_is_kept():
    """Defaults are the kubelet's business; keys of next year's version are not lost."""
    kubelet = config({CONFIG: "fromTheFuture: 1\n"})
    assert (None, None, (), 1) == (
        kubelet.protect_kernel_defaults,
        kubelet.port,
        kubelet.cluster_dns,
        kubelet.values["fromTheFuture"],
    )


def test_a_broken_file_is_told():
    """A kubelet that cannot read its file does not start; we say which line."""
    assert any(f"{CONFIG}:2" in problem for problem in config({CONFIG: "a: 1\nb: ]\n"}).problems)


@pytest.mark.skipif(not DATA.is_dir(), reason="no recorded data")
def test_kubeadms_own_file():
    """A file that kubeadm wrote."""
    path = DATA / "real" / "k8s-config" / "kubeadm-1.11" / "KubeletConfiguration-kubelet-config-file.yaml"
    kubelet = config({CONFIG: path.read_text()})
    assert (
        ("10.96.0.10",),
        "cluster.local",
        "promiscuous-bridge",
        True,
        110,
        10250,
        "/etc/kubernetes/manifests",
        (),
    ) == (
        kubelet.cluster_dns,
        kubelet.cluster_domain,
        kubelet.hairpin_mode,
        kubelet.make_iptables_util_chains,
        kubelet.max_pods,
        kubelet.port,
        kubelet.static_pod_path,
        kubelet.problems,
    )


def test_flannels_subnet_env():
    """The four lines that flannel writes."""
    env = parse_subnet_env(
        "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\nFLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\nX='y'\n"
    )
    assert ("10.244.0.0/16", "10.244.1.1/24", 1450, True, (("X", "y"),)) == (
        env.network,
        env.subnet,
        env.mtu,
        env.ip_masq,
        env.other,
    )
