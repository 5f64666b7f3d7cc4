"""Files of the node: what their programs would notice, value by value."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.diff.documents import diff_documents, document_kind, unreadable_documents
from planner.diff.files import diff_files
from planner.models.change import DocumentChange, FileChange
from planner.models.node import ConfigFile, NodeState
from planner.models.source import Gap

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
CNI = "/etc/cni/net.d/10-flannel.conflist"
KUBELET = "/var/lib/kubelet/config.yaml"


def node(files, gaps=()):
    return NodeState(
        name="node-1", files={path: ConfigFile(text=text) for path, text in files.items()}, gaps=gaps
    )


def diff(path, before, after):
    one = node({} if before is None else {path: before})
    other = node({} if after is None else {path: after})
    return [*diff_documents(one, other), *diff_files(one, other, kind=document_kind)]


def pointers(path, before, after):
    return [(change.pointer, change.before, change.after) for change in diff(path, before, after)]


PLUGINS = {
    "name": "cbr0",
    "cniVersion": "0.3.1",
    "plugins": [{"type": "flannel", "delegate": {"hairpinMode": True, "mtu": 1450}}, {"type": "portmap"}],
}


class TestDocuments:
    def test_another_notation_is_the_same_document(self):
        """Other blanks, keys in another order, 1450.0 for 1450: told as a file that means the same."""
        text = json.dumps(PLUGINS)
        other = json.dumps(PLUGINS, indent=4, sort_keys=True).replace("1450", "1450.0")
        (change,) = diff(CNI, text, other)
        assert isinstance(change, FileChange)
        assert change.equivalent

    def test_yaml_and_json_are_one_language_to_the_kubelet(self):
        """A configuration turned from YAML into JSON says the same."""
        (change,) = diff(
            KUBELET,
            "clusterDNS:\n- 10.96.0.10\nport: 10250\n",
            '{"port": 10250, "clusterDNS": ["10.96.0.10"]}',
        )
        assert change.equivalent

    def test_one_value_is_one_change_with_its_pointer(self):
        """The MTU inside of a plugin's delegate."""
        text = json.dumps(PLUGINS)
        assert [("/plugins/0/delegate/mtu", "1450", "1400")] == pointers(
            CNI, text, text.replace("1450", "1400")
        )

    def test_a_plugin_put_in_front_does_not_change_the_others(self):
        """Plugins are told apart by their type; the pointer is the place in the new file."""
        after = {**PLUGINS, "plugins": [{"type": "tuning"}, *PLUGINS["plugins"]]}
        assert [("/plugins/0", None, '{"type":"tuning"}')] == pointers(
            CNI, json.dumps(PLUGINS), json.dumps(after)
        )

    def test_a_removed_plugin_is_told_with_its_former_place(self):
        """portmap leaves the chain."""
        after = {**PLUGINS, "plugins": PLUGINS["plugins"][:1]}
        assert [("/plugins/1", '{"type":"portmap"}', None)] == pointers(
            CNI, json.dumps(PLUGINS), json.dumps(after)
        )

    def test_the_order_of_plugins_counts(self):
        """They run in order, so the list is one value when they changed places."""
        after = {**PLUGINS, "plugins": PLUGINS["plugins"][::-1]}
        assert ["/plugins"] == [
            pointer for pointer, _, _ in pointers(CNI, json.dumps(PLUGINS), json.dumps(after))
        ]

    def test_true_is_not_one(self):
        """JSON's true and 1 are different values."""
        assert [("/a", "1", "true")] == pointers(CNI, '{"a": 1}', '{"a": true}')

    def test_keys_may_hold_anything(self):
        """A slash and a tilde are escaped as RFC 6901 says; underscores are nothing special."""
        assert [("/__x", "1", "2"), ("/a~1b~0", "1", "2")] == pointers(
            CNI, '{"a/b~": 1, "__x": 1}', '{"a/b~": 2, "__x": 2}'
        )
        hostile = {"root['x']": {"y": 1}, "a'b\"c]": 1}
        assert ["/a'b\"c]", "/root['x']/y"] == [
            pointer
            for pointer, _, _ in pointers(CNI, json.dumps(hostile), json.dumps(hostile).replace("1", "2"))
        ]

    def test_name_servers_are_one_value(self):
        """The list is what counts, and its order."""
        assert [("/nameservers", '["10.0.0.2"]', '["10.0.0.3","10.0.0.2"]')] == pointers(
            "/etc/resolv.conf", "nameserver 10.0.0.2\n", "nameserver 10.0.0.3\nnameserver 10.0.0.2\n"
        )

    def test_a_comment_in_resolv_conf_is_no_change(self):
        """Comments and blanks are told as a file that means the same."""
        (change,) = diff("/etc/resolv.conf", "nameserver 10.0.0.2\n", "# by hand\nnameserver\t10.0.0.2\n")
        assert change.equivalent

    def test_kubelet_flags_are_compared_flag_by_flag(self):
        """Order and quotes of the environment file do not matter."""
        path = "/var/lib/kubelet/kubeadm-flags.env"
        assert [("/KUBELET_KUBEADM_ARGS/node-ip", '"10.0.0.5"', '"10.0.0.6"')] == pointers(
            path,
            'KUBELET_KUBEADM_ARGS="--a=b --node-ip=10.0.0.5"\n',
            "KUBELET_KUBEADM_ARGS='--node-ip 10.0.0.6 --a b'\n",
        )

    def test_unsafe_sysctls_are_a_set(self):
        """The order of the kubelet's list means nothing."""
        (change,) = diff(KUBELET, "allowedUnsafeSysctls: [b, a]\n", "allowedUnsafeSysctls: [a, b]\n")
        assert change.equivalent

    def test_a_document_inside_of_a_document_is_opened(self):
        """flannel keeps its JSON as a text in a ConfigMap."""
        before = {"kind": "ConfigMap", "data": {"net-conf.json": '{"Backend": {"Type": "vxlan"}}'}}
        after = {"kind": "ConfigMap", "data": {"net-conf.json": '{ "Backend":{"Type":"host-gw"} }'}}
        assert [("/data/net-conf.json/Backend/Type", '"vxlan"', '"host-gw"')] == pointers(
            "/etc/kubernetes/flannel.yaml", json.dumps(before), json.dumps(after)
        )

    def test_a_new_file_is_one_change(self):
        """The whole document, with an empty pointer."""
        assert [("", None, '{"name":"x","type":"bridge"}')] == pointers(
            "/etc/cni/net.d/20.conf", None, '{"type": "bridge", "name": "x"}'
        )

    def test_what_cannot_be_read_is_compared_as_text_and_told(self):
        """A broken file is a change of text, never the same, and a gap with the line."""
        before, after = node({CNI: "{}"}), node({CNI: "{\n,"})
        (change,) = diff_documents(before, after)
        (gap,) = unreadable_documents(before, after)
        assert (False, f"files{CNI}") == (change.equivalent, gap.section)
        assert f"{CNI}:2" in gap.reason

    def test_deepdiff_is_loaded_only_where_documents_differ(self):
        """It costs a fifth of a second that `--help` and a diff of rules must not pay."""
        probe = "import sys, planner.diff.documents; print('deepdiff' in sys.modules)"
        shown = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
        assert "False" == shown.stdout.strip()

    @given(
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["type", "name", "a", "/"]), inner, max_size=3)
            ),
            max_leaves=12,
        )
    )
    def test_a_document_does_not_differ_from_itself(self, value):
        """Written twice in different ways it is the same."""
        changes = diff(CNI, json.dumps(value), json.dumps(value, indent=1))
        assert all(isinstance(change, FileChange) and change.equivalent for change in changes)


class TestFiles:
    def test_comments_in_sysctl_files_mean_nothing(self):
        """The same settings in another order, with another separator, are equivalent; another value is not."""
        path = "/etc/sysctl.d/90-k8s.conf"
        text = "# forwarding\nnet.ipv4.ip_forward = 1\nvm.max_map_count=65530\n"
        assert [True] == [
            c.equivalent for c in diff(path, text, "vm.max_map_count=65530\nnet/ipv4/ip_forward=1\n")
        ]
        assert [False] == [c.equivalent for c in diff(path, text, text.replace("= 1", "= 0"))]

    def test_the_order_of_globs_counts(self):
        """A later pattern may set the same key."""
        path = "/etc/sysctl.d/90.conf"
        one, other = "net.ipv4.conf.*.rp_filter=0\n", "net.ipv4.conf.eth0.rp_filter=1\n"
        assert [False] == [c.equivalent for c in diff(path, one + other, other + one)]

    def test_saved_rules_are_compared_as_rules(self):
        """A file that iptables-restore reads at boot: counters and comments mean nothing, a policy does."""
        path = "/etc/iptables/rules.v4"
        text = "*filter\n:INPUT ACCEPT [1:2]\n-A INPUT -p tcp -m tcp --dport 22 -j ACCEPT\nCOMMIT\n"
        assert [True] == [
            c.equivalent for c in diff(path, text, "# by hand\n" + text.replace("[1:2]", "[0:0]"))
        ]
        assert [False] == [
            c.equivalent for c in diff(path, text, text.replace(":INPUT ACCEPT", ":INPUT DROP"))
        ]

    def test_a_mask_is_shown_as_what_it_is(self):
        """A link to /dev/null has no text."""
        path = "/etc/sysctl.d/90.conf"
        masked = NodeState(name="n", files={path: ConfigFile(link_to="/dev/null")})
        (change,) = diff_files(node({path: "a=1\n"}), masked, kind=document_kind)
        assert ("symbolic link to /dev/null\n", False) == (change.after, change.equivalent)

    @pytest.mark.parametrize("section", ["files", "files/etc/hosts"])
    def test_what_could_not_be_read_is_not_gone(self, section):
        """A file that is missing where the state has a gap is unknown; when both have the gap it was really written."""
        gap = (Gap(section=section, reason="Permission denied"),)
        full, unread = node({"/etc/hosts": "x"}), node({}, gap)
        assert [] == list(diff_files(full, unread, kind=document_kind))
        written = node({"/etc/hosts": "x"}, gap)
        assert ["/etc/hosts"] == [c.path for c in diff_files(unread, written, kind=document_kind)]


def pairs():
    root = DATA / "real" / "pairs"
    return sorted(each for each in root.iterdir() if each.is_dir()) if root.is_dir() else []


@pytest.mark.skipif(not DATA.is_dir(), reason="no recorded data")
@pytest.mark.parametrize("pair", pairs(), ids=lambda pair: pair.name)
def test_real_changes_of_files(pair):
    """Of each real change every file that differs is reported, and a document with fewer changes than lines."""
    states = []
    for side in ("before", "after"):
        root = pair / side
        states.append(
            node(
                {
                    "/" + str(path.relative_to(root)): path.read_text(errors="replace")
                    for path in root.rglob("*")
                    if path.is_file()
                }
            )
        )
    before, after = states
    documents = list(diff_documents(before, after))
    changes = [*documents, *diff_files(before, after, kind=document_kind)]
    differing = {
        path
        for path in {*before.files, *after.files}
        if before.files.get(path, ConfigFile()).text != after.files.get(path, ConfigFile()).text
        or (path in before.files) != (path in after.files)
    }
    assert differing == {change.path for change in changes}
    for path in differing & set(before.files) & set(after.files):
        found = [c for c in documents if isinstance(c, DocumentChange) and c.path == path]
        lines = set(before.files[path].text.splitlines()) ^ set(after.files[path].text.splitlines())
        assert len(found) <= max(1, len(lines)), path
