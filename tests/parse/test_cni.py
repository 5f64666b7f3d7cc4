"""CNI configurations as the runtimes load them."""

import json
import os
from pathlib import Path

import pytest

from planner.models.node import ConfigFile
from planner.parse.cni import active_cni, load_cni

DATA = Path(os.environ.get("NETCHANGE_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
NET = "/etc/cni/net.d/"
GOOD = '{"cniVersion": "0.4.0", "name": "cbr0", "plugins": [{"type": "flannel"}, {"type": "portmap"}]}'
SINGLE = '{"cniVersion": "0.3.1", "name": "old", "type": "bridge", "mtu": 1400}'


def files(**texts):
    return {NET + name.replace("__", "."): ConfigFile(text=text) for name, text in texts.items()}


def directory(texts):
    return {NET + name: ConfigFile(text=text) for name, text in texts.items()}


def test_the_first_name_in_byte_order_is_used():
    """Capital letters stand before small ones, digits before both, and the extension does not matter."""
    node = directory({"a.conflist": GOOD, "Z.conf": SINGLE, "20-x.json": SINGLE, "README": "no"})
    assert ["20-x.json", "Z.conf", "a.conflist"] == [
        network.path.removeprefix(NET) for network in load_cni(node)[0]
    ]


def test_a_single_plugin_is_a_list_of_one():
    """A .conf file holds one plugin, with the network's name beside its type."""
    network = active_cni(directory({"10.conf": SINGLE}))
    assert ("old", "0.3.1", ["bridge"]) == (network.name, network.version, [p.type for p in network.plugins])
    assert 1400 == network.plugin("bridge").options["mtu"]


def test_a_list_in_a_conf_file_is_refused_with_the_reason():
    """The commonest slip: the gap names it, and says what each runtime does."""
    networks, gaps = load_cni(directory({"10-list.conf": GOOD, "20.conflist": GOOD}))
    assert ["20.conflist"] == [network.path.removeprefix(NET) for network in networks]
    assert "a list belongs in a .conflist" in gaps[0].reason
    assert "containerd loads no network at all" in gaps[0].reason


def test_a_bad_file_behind_the_first_good_one_does_no_harm():
    """containerd stops after the first network."""
    _, gaps = load_cni(directory({"10.conflist": GOOD, "20.conflist": "{"}))
    assert "not reached" in gaps[0].reason


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{}",
        "not json",
        '{"name": "n", "plugins": []}',
        '{"name": "n", "plugins": {}}',
        '{"name": "n"}',
        '{"name": 1, "plugins": [{"type": "x"}]}',
        '{"name": "n", "cniVersion": 1, "plugins": [{"type": "x"}]}',
        '{"name": "n", "plugins": [{"type": "x"}, {"name": "no type"}]}',
        '{"name": "n", "disableCheck": "maybe", "plugins": [{"type": "x"}]}',
        '{"name": "n", "plugins": ["x"]}',
    ],
)
def test_what_libcni_refuses_is_refused(text):
    """Each is an error in libcni's NetworkConfFromBytes."""
    networks, gaps = load_cni(directory({"10.conflist": text}))
    assert ((), 1) == (networks, len(gaps))


def test_switches_may_be_words_and_versions_a_list():
    """libcni takes "true" as true, and the highest of `cniVersions`."""
    text = '{"name": "n", "cniVersion": "0.4.0", "cniVersions": ["0.3.1", "1.0.0"], "disableCheck": "True", "plugins": [{"type": "x"}]}'
    network = active_cni(directory({"10.conflist": text}))
    assert ("1.0.0", True) == (network.version, network.disable_check)


def test_other_directories_and_extensions_are_not_looked_at():
    """A backup with another extension is no configuration, a subdirectory neither."""
    node = {**directory({"10.conflist.bak": GOOD}), NET + "sub/10.conflist": ConfigFile(text=GOOD)}
    assert ((), ()) == load_cni(node)


@pytest.mark.skipif(not DATA.is_dir(), reason="no recorded data")
def test_real_files_load_or_say_why():
    """Upstream's own files are usable; istio's malformed ones are refused."""
    usable, refused = set(), set()
    for path in sorted((DATA / "real" / "cni").rglob("*")):
        if path.is_file():
            extension = ".conflist" if '"plugins"' in path.read_text() or "conflist" in path.name else ".conf"
            networks, gaps = load_cni(directory({"10" + extension: path.read_text()}))
            assert 1 == len(networks) + len(gaps), path
            (usable if networks else refused).add(path.name)
    assert {
        "pkg-install-testdata-invalid-arr.conflist",
        "pkg-install-testdata-invalid-map.conflist",
        "test-testdata-pre-non_json.conf",
        "test-testdata-pre-noname_calico.conflist",
        "test-testdata-pre-noplugins_calico.conflist",
    } <= refused
    assert {"test-testdata-pre-calico.conflist", "87-podman-bridge.conflist"} <= usable


def test_the_whole_object_of_a_plugin_is_kept():
    """Unknown options are options."""
    network = active_cni(
        directory({"10.conflist": json.dumps({"name": "n", "plugins": [{"type": "x", "y": {"z": [1]}}]})})
    )
    assert {"type": "x", "y": {"z": [1]}} == dict(network.plugins[0].options)
