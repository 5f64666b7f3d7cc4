"""The collector's script runs in every POSIX shell, and what a tool does badly becomes a section that says so."""

import os
import shutil
import stat
import subprocess

import pytest

from planner.collect.host import collector_script
from planner.parse.stream import parse_stream

SHELLS = [shell for shell in (["dash"], ["bash"], ["busybox", "sh"]) if shutil.which(shell[0])]
TOKEN = "t0ken-for-tests"
MANIFEST = """spec:
  containers:
  - command:
    - kube-apiserver
    - --service-cluster-ip-range=10.96.0.0/12
    - "--service-node-port-range=20000-22000"
    - --etcd-servers=https://root:hunter2@10.0.0.1:2379
    - --encryption-provider-token=hunter2
    env:
    - name: CLOUD
      value: hunter2
"""


@pytest.fixture
def tools(tmp_path):
    """A directory before all others in the PATH, to put tools in."""
    directory = tmp_path / "tools"
    directory.mkdir()

    def put(name, script):
        path = directory / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    put.directory = directory
    # Standing in for every tool keeps these tests the same on every machine.
    for name in ("ip", "bridge", "iptables-nft-save", "ip6tables-nft-save", "nft", "ipset", "ss"):
        put(name, "exit 0")
    return put


@pytest.fixture
def root(tmp_path):
    """A node's files under another root."""
    directory = tmp_path / "root"
    for path, text in {
        "etc/sysctl.d/10-a.conf": "net.ipv4.ip_forward = 1",
        "etc/sysctl.d/20-b.conf": "a = 1\n",
        "etc/sysctl.d/README": "no",
        "etc/cni/net.d/10-x.conflist": '{\n "name": "x",\n "password": "hunter2"\n}\n',
        "etc/cni/net.d/calico-kubeconfig": "token: hunter2\n",
        "etc/netplan/1.yaml": "auth:\n  key-management: psk\n  password: hunter2\n",
        "etc/systemd/network/wg.netdev": "[WireGuard]\nPrivateKey=hunter2\nListenPort=51820\n",
        "etc/kubernetes/manifests/kube-apiserver.yaml": MANIFEST,
        "run/systemd/resolve/stub-resolv.conf": "nameserver 127.0.0.53\n",
        "opt/cni/bin/bridge": "",
        "opt/cni/bin/portmap": "",
    }.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(text)
    (directory / "etc/sysctl.d/30-masked.conf").symlink_to("/dev/null")
    (directory / "etc/resolv.conf").symlink_to("/run/systemd/resolve/stub-resolv.conf")
    return directory


def collect(shell, tools, root, *, deadline=20, by_stdin=False):
    argv = [*shell, "-s"] if by_stdin else [*shell, "-c", collector_script(), "netchange"]
    done = subprocess.run(
        [*argv, TOKEN, str(root), str(deadline)],
        input=collector_script().encode() if by_stdin else b"",
        capture_output=True,
        env={"PATH": f"{tools.directory}:{os.environ['PATH']}"},
        timeout=120,
        check=False,
    )
    assert 0 == done.returncode, done.stderr
    assert b"" == done.stderr
    sections, problems = parse_stream(done.stdout.decode(), token=TOKEN)
    assert () == problems
    return {section.name: section for section in sections}


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
@pytest.mark.parametrize("by_stdin", [False, True], ids=["argument", "stdin"])
def test_files_of_another_root_are_read(shell, tools, root, by_stdin):
    """From a rescue shell: content to the last byte, targets of links, and nothing that is not on the list."""
    found = collect(shell, tools, root, by_stdin=by_stdin)

    assert "net.ipv4.ip_forward = 1" == found["file/etc/sysctl.d/10-a.conf"].text
    assert "a = 1\n" == found["file/etc/sysctl.d/20-b.conf"].text
    assert "/dev/null\n" == found["link/etc/sysctl.d/30-masked.conf"].text
    assert "file/etc/sysctl.d/30-masked.conf" not in found
    assert "file/etc/sysctl.d/README" not in found
    assert "file/etc/cni/net.d/calico-kubeconfig" not in found
    assert "/run/systemd/resolve/stub-resolv.conf\n" == found["link/etc/resolv.conf"].text
    assert "nameserver 127.0.0.53\n" == found["file/etc/resolv.conf"].text
    assert "bridge\nportmap\n" == found["cni-plugins"].text
    assert "644 /etc/sysctl.d/10-a.conf" in found["modes"].text


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_keys_and_passwords_never_leave_the_node(shell, tools, root):
    """Their lines keep the name, so that a reader sees that there is one."""
    found = collect(shell, tools, root)
    everything = "".join(section.text for section in found.values())

    assert "hunter2" not in everything
    assert "PrivateKey=<masked>\nListenPort=51820\n" in found["file/etc/systemd/network/wg.netdev"].text
    assert "key-management: psk\n  password: <masked>\n" in found["file/etc/netplan/1.yaml"].text
    assert "stable_secret" not in found["sysctl"].text
    assert "tcp_fastopen_key" not in found["sysctl"].text


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_of_a_manifest_only_flags_of_the_list_leave_the_node(shell, tools, root):
    """Its environment and its other flags may hold anything; a manifest that is not there is absent."""
    found = collect(shell, tools, root)

    assert (
        '    - --service-cluster-ip-range=10.96.0.0/12\n    - "--service-node-port-range=20000-22000"\n'
        == found["flags/kube-apiserver"].text
    )
    assert found["flags/kube-apiserver"].usable
    assert "absent" == found["flags/kube-proxy"].skipped


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_manifest_without_those_flags_is_no_failure(shell, tools, root):
    """grep ends with 1 when nothing matches."""
    (root / "etc/kubernetes/manifests/kube-proxy.yaml").write_text("spec: {}\n")
    section = collect(shell, tools, root)["flags/kube-proxy"]

    assert ("", 0) == (section.text, section.status)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_tool_that_hangs_costs_its_own_section_only(shell, tools, root):
    """With the deadline it is ended, and everything behind it is still collected."""
    tools("nft", 'case "$*" in "-j list ruleset") exec sleep 60;; esac; echo text')
    tools("ss", "exec sleep 60")

    found = collect(shell, tools, root, deadline=1)

    assert found["nft/json"].status in {124, 137, 143}
    assert "text\n" == found["nft/text"].text
    assert found["listeners"].status in {124, 137, 143}
    assert found["boot-id/last"].usable


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_without_timeout_a_sleeping_killer_keeps_the_deadline(shell, tools, root):
    """The image of kube-proxy has sleep and no timeout."""
    tools("timeout", "exit 1")
    tools("ss", "exec sleep 60")
    tools("ipset", "echo whole; echo said >&2; exit 3")

    found = collect(shell, tools, root, deadline=1)

    assert found["listeners"].status in {137, 143}
    assert ("whole\n", 3, "said") == (found["ipset"].text, found["ipset"].status, found["ipset"].stderr)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_what_a_tool_says_and_how_it_ends_is_kept(shell, tools, root):
    """Half an output with a status, or with complaints and status 0, must not pass for a whole one."""
    tools("iptables-nft-save", "echo '*filter'; echo first >&2; echo middle >&2; echo last >&2; exit 3")
    tools("nft", "echo half; echo 'netlink: Error: cache' >&2")
    tools("ipset", "printf 'no line feed at the end'")

    found = collect(shell, tools, root)

    rules = found["iptables-nft/ip"]
    assert ("*filter\n", 3, "first … last") == (rules.text, rules.status, rules.stderr)
    assert ("half\n", 0, "netlink: Error: cache") == (
        found["nft/json"].text,
        found["nft/json"].status,
        found["nft/json"].stderr,
    )
    assert "no line feed at the end" == found["ipset"].text


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_content_that_imitates_the_frame_stays_content(shell, tools, root):
    """A rule's comment is written by others."""
    tools("ipset", 'printf "%s\\n" "t0ken E 1 0" "other-token Z 3"')

    assert "t0ken E 1 0\nother-token Z 3\n" == collect(shell, tools, root)["ipset"].text


def test_many_complaints_do_not_slow_it_down(tools, root):
    """Joining 2,000 lines of a shell took 20 seconds: only the first and the last are kept."""
    tools("ipset", "i=0; while [ $i -lt 5000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1")

    assert (
        "line 0 … line 4999"
        == collect(["dash"] if shutil.which("dash") else ["sh"], tools, root)["ipset"].stderr
    )


def test_it_changes_nothing_and_says_how_it_is_called():
    """Without a token there is no frame that content could not forge: it refuses."""
    done = subprocess.run(["sh", "-c", collector_script(), "netchange"], capture_output=True, check=False)

    assert 64 == done.returncode
    assert b"" == done.stdout
    assert b"usage" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become somebody else")
def test_a_directory_that_may_not_be_read_is_told(tools, root, tmp_path):
    """/etc/cni/net.d is 0700 on many nodes: an empty answer would look like no CNI at all."""
    for path in (tmp_path, *tmp_path.parents):
        if (
            path.stat().st_mode & stat.S_IXOTH == 0
            and path.stat().st_uid == 0
            and str(path).startswith("/tmp/")
        ):
            path.chmod(path.stat().st_mode | stat.S_IXOTH | stat.S_IROTH)
    (root / "etc/cni/net.d").chmod(0o700)
    (root / "etc/netplan/1.yaml").chmod(0o600)
    nobody = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "sh"]

    found = collect(nobody, tools, root)

    assert "/etc/cni/net.d: not readable (needs root)" == found["file/etc/cni/net.d"].skipped
    assert "/etc/netplan/1.yaml: not readable (needs root)" == found["file/etc/netplan/1.yaml"].skipped
    assert "a = 1\n" == found["file/etc/sysctl.d/20-b.conf"].text
