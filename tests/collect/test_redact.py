"""What leaves the house: no secret, and on request no address, while everything still means the same."""

import ipaddress

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from planner.collect.address_map import AddressMap
from planner.collect.mask import mask_secrets
from planner.collect.redact import redact
from planner.models.cluster import Cluster, ClusterNode, Pod
from planner.models.link import Address, ForwardingEntry, Link, Neighbour
from planner.models.node import ConfigFile, NodeState
from planner.models.route import NextHop, Route
from planner.models.ruleset import IpSet, NativeRuleset, Ruleset, Table
from planner.models.snapshot import Snapshot

MAP = AddressMap(b"a key of a test")

# --- secrets ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "password: hunter2\n",
        'password: "hunter2 with blanks"\n',
        "psk=hunter2 with blanks\n",
        "  wifi-security.psk = hunter2\n",
        "PrivateKey = hunter2\nPresharedKey=hunter2\n",
        "wireless-key1 hunter2\nwpa-psk hunter2\n",
        '{"cniVersion":"1.0.0","password":"hunter2","mtu":1450}',
        '{"clientSecret": "hun\\"ter2hunter2"}',
        "token: |\n  hunter2\n  hunter2\n",
        "bearer_token = hunter2\n",
        "Authorization: Bearer hunter2hunter2\n",
        "proxy: http://me:hunter2@proxy:3128\n",
        "HTTPS_PROXY=https://hunter2@proxy\n",
        "rocommunity hunter2 10.0.0.0/8\n",
        'community "hunter2"\n',
        'me@there : PSK "hunter2"\n',
        "mka-cak=hunter2\n",
        "-----BEGIN EC PRIVATE KEY-----\nhunter2\n-----END EC PRIVATE KEY-----\n",
        "-----BEGIN PRIVATE KEY-----\nhunter2 and cut here",
        '-s 10.0.0.1/32 -m comment --comment "password=hunter2" -j ACCEPT',
        "KUBELET_EXTRA_ARGS=--node-labels=a=b --bootstrap-token=hunter2\n",
        "export API_KEY=hunter2\n",
        "client-key-data: hunter2\n",
    ],
)
def test_secrets_are_masked_wherever_they_stand(text):
    """In files of every kind, and in comments of rules."""
    masked = mask_secrets(text)

    assert "hunter2" not in masked
    assert "<masked>" in masked
    assert masked == mask_secrets(masked)


@pytest.mark.parametrize(
    "text",
    [
        "net.ipv4.tcp_syncookies = 1\nnet.ipv4.conf.all.secure_redirects = 1\n",
        "key-mgmt=wpa-psk\nauth-alg=open\n",
        "authenticationTokenWebhook: true\nserverTLSBootstrap: true\nrotateCertificates: true\n",
        "tokenAttributes: 5\npassthrough=yes\n",
        '-m comment --comment "default/vault-secret:http cluster IP" -j KUBE-SVC-X',
        "-m recent --name token-bucket --set",
        "nameserver 10.0.0.1\nsearch secret.example.com\n",
        "password: ''\npassword: \"\"\n",
        "http://proxy.example.com:3128/path@x\n",
        "keys:\n  - a\n",
        "tunnelKey=5\n",
    ],
)
def test_what_is_no_secret_stays(text):
    """A masked sysctl or Service name would be a change that nobody made."""
    assert text == mask_secrets(text)


# --- addresses -------------------------------------------------------------------------------------------------------

V4 = st.integers(0, 2**32 - 1)
V6 = st.integers(0, 2**128 - 1)


def shared(one, other, bits):
    """Leading bits in common."""
    return bits - (one ^ other).bit_length()


def mapped(number, bits):
    kind = ipaddress.IPv4Address if bits == 32 else ipaddress.IPv6Address
    return int(kind(MAP.address(str(kind(number)))))


@given(V4, V4, st.integers(0, 32))
def test_ipv4_keeps_every_prefix_relation(one, near, length):
    """Two addresses share as many leading bits as before: equal stays equal, inside stays inside."""
    other = one ^ (near >> length) if length < 32 else one

    assert shared(one, other, 32) == shared(mapped(one, 32), mapped(other, 32), 32)


@given(V6, V6, st.integers(0, 128))
def test_ipv6_keeps_every_prefix_relation(one, near, length):
    """The same for the longer ones; IPv4 within IPv6 follows the map of IPv4."""
    other = one ^ (near >> length) if length < 128 else one
    assume(all(number >> 32 != 0xFFFF for number in (one, other)))

    assert shared(one, other, 128) == shared(mapped(one, 128), mapped(other, 128), 128)


@given(V4, st.integers(0, 32))
def test_a_prefix_holds_what_it_held(number, length):
    """`10.244.0.0/16` becomes the prefix of what its addresses become, still without host bits."""
    network = ipaddress.ip_network((number, length), strict=False)
    changed = ipaddress.ip_network(MAP.text(str(network)))

    assert ipaddress.ip_address(MAP.text(str(ipaddress.IPv4Address(number)))) in changed
    assert length == changed.prefixlen


@pytest.mark.parametrize(
    "text",
    [
        "0.0.0.0/0",
        "::/0",
        "::",
        "::1",
        "127.0.0.1",
        "255.255.255.0",
        "224.0.0.1",
        "ff02::1",
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
        "fe80::/64",
        "2001:db8::1",
        "203.0.113.9",
        "00:00:00:00:00:00",
        "ff:ff:ff:ff:ff:ff",
        "ee:ee:ee:ee:ee:ee",
        "33:33:00:00:00:01",
        "01:00:5e:00:00:01",
        "v1.8.9.1-rc",
        "12:34:56",
        "[0:0]",
        "1024:65535",
        "a::b::c",
        "300.1.1.1",
        "1.2.3.4.5",
    ],
)
def test_what_identifies_nobody_stays(text):
    """Loopback, multicast, masks, the private ranges themselves, and what is no address at all."""
    assert text == MAP.text(text)


@pytest.mark.parametrize(
    ("address", "within"),
    [
        ("10.1.2.3", "10.0.0.0/8"),
        ("172.20.1.1", "172.16.0.0/12"),
        ("192.168.4.5", "192.168.0.0/16"),
        ("100.100.1.1", "100.64.0.0/10"),
        ("169.254.20.10", "169.254.0.0/16"),
        ("fd00:10:244::5", "fc00::/7"),
        ("fe80::a8bb:ccff:fe00:2", "fe80::/64"),
        ("2a00:1450::1", "2000::/3"),
    ],
)
def test_an_address_stays_within_its_range_and_keeps_its_last_octet(address, within):
    """A private address becomes a private one, and `.1` is still the gateway."""
    changed = ipaddress.ip_address(MAP.text(address))

    assert changed != ipaddress.ip_address(address)
    assert changed in ipaddress.ip_network(within)
    assert int(changed) & 0xFF == int(ipaddress.ip_address(address)) & 0xFF


@pytest.mark.parametrize(
    "text",
    [
        "-d 10.96.0.10/32 -p tcp -j DNAT --to-destination 10.96.0.10:53",
        "[10.96.0.10]:53 (10.96.0.10) 10.96.0.10-10.96.0.10 dst=10.96.0.10, 10.96.0.10.",
        '{"addr":"10.96.0.10","x":"10.96.0.10/24"}',
        "node ip-10-96-0-10.ec2.internal",
        "::ffff:10.96.0.10",
        "10.0.96.10.in-addr.arpa 10.96.0.10",
    ],
)
def test_every_place_of_an_address_is_found(text):
    """Ports, brackets, quotes, ranges, host names that hold the address."""
    changed = MAP.text(text)
    plain = MAP.text("10.96.0.10")

    assert "10.96.0.10" not in changed
    assert "10-96-0-10" not in changed
    assert plain in changed or plain.replace(".", "-") in changed


def test_link_layer_addresses_keep_their_kind():
    """Unicast stays unicast, locally administered stays so, equal stays equal, whatever the notation."""
    one, other = MAP.text("52:54:00:aa:bb:cc").split()[0], MAP.text("02:42:ac:11:00:02")

    assert one == MAP.text("52:54:00:AA:BB:CC").lower() == MAP.text("52-54-00-aa-bb-cc").replace("-", ":")
    assert "52:54:00:aa:bb:cc" != one
    assert one != other
    assert 0x02 == int(one[:2], 16) & 3 == int(other[:2], 16) & 3


SNAPSHOT = Snapshot(
    taken_at="2026-01-01T10.0.0.5",
    nodes=(
        NodeState(
            name="ip-10-0-0-5",
            kernel="5.10.0.5",
            tools={"nft": "v1.0.6.7"},
            links=(
                Link(
                    name="flannel.1",
                    mac="aa:bb:cc:dd:ee:02",
                    options={"local": "10.0.0.5"},
                    addresses=(Address(address="10.0.0.5", length=24),),
                ),
            ),
            routes=(Route(family="ip", prefix="10.244.2.0/24", nexthops=(NextHop(via="10.244.2.0"),)),),
            neighbours=(Neighbour(address="10.244.2.0", link="flannel.1", mac="aa:bb:cc:dd:ee:02"),),
            fdb=(ForwardingEntry(mac="aa:bb:cc:dd:ee:02", link="flannel.1", destination="10.0.0.6"),),
            rulesets=(
                Ruleset(
                    family="ip",
                    backend="nft",
                    tables={
                        "nat": Table(
                            name="nat", chains={"KUBE": ("-d 10.96.0.1/32 -j DNAT --to 10.0.0.5:6443",)}
                        )
                    },
                ),
            ),
            native=NativeRuleset(json_text='{"addr":"10.0.0.5"}', text="ip saddr 10.0.0.5 drop"),
            ipsets=(IpSet(name="a", type="hash:net", elements=("10.0.0.5", "10.244.2.0/24")),),
            files={"/etc/x": ConfigFile(text="address 10.0.0.5\npassword: hunter2\n")},
        ),
    ),
    cluster=Cluster(
        nodes=(ClusterNode(name="ip-10-0-0-5", addresses=("10.0.0.5",), annotations={"a/secret": "x"}),),
        pods=(Pod(namespace="a", name="b", node="ip-10-0-0-5", addresses=("10.244.2.7",)),),
        config_maps={"kube-system/x": {"c": "token: hunter2"}},
    ),
)


def test_a_snapshot_is_redacted_in_every_text_and_still_hangs_together():
    """Names of nodes, routes, rules, nft, ipsets, files, the cluster: one map for all."""
    changed = redact(SNAPSHOT, secrets=True, addresses=True)
    text = changed.model_dump_json(exclude={"taken_at"})
    node = changed.nodes[0]
    own = node.links[0].addresses[0].address

    for lost in ('10.0.0.5"', "10.244.2", "10.96.0.1", "aa:bb:cc", "hunter2", "10-0-0-5"):
        assert lost not in text.replace('"5.10.0.5"', ""), lost
    assert ("secrets", "addresses") == tuple(reversed(changed.redacted))
    assert SNAPSHOT.taken_at == changed.taken_at
    assert ("5.10.0.5", {"nft": "v1.0.6.7"}) == (node.kernel, node.tools)
    assert own == node.links[0].options["local"] == changed.cluster.nodes[0].addresses[0]
    assert f"ip-{own.replace('.', '-')}" == node.name == changed.cluster.pods[0].node
    assert f"--to {own}:6443" in node.rulesets[0].tables["nat"].chains["KUBE"][0]
    assert f"ip saddr {own} drop" == node.native.text
    assert node.neighbours[0].mac == node.fdb[0].mac == node.links[0].mac
    route = ipaddress.ip_network(node.routes[0].prefix)
    assert ipaddress.ip_address(node.routes[0].nexthops[0].via) in route
    assert ipaddress.ip_address(changed.cluster.pods[0].addresses[0]) in route


def test_the_same_snapshot_gives_the_same_and_another_another():
    """No clock and no chance: the key is drawn from the content."""
    other = SNAPSHOT.model_copy(update={"collector": "x"})

    assert redact(SNAPSHOT, secrets=True, addresses=True) == redact(SNAPSHOT, secrets=True, addresses=True)
    assert (
        redact(SNAPSHOT, secrets=False, addresses=True).nodes
        != redact(other, secrets=False, addresses=True).nodes
    )


def test_nothing_asked_is_nothing_done():
    """And secrets alone leave addresses."""
    assert SNAPSHOT == redact(SNAPSHOT, secrets=False, addresses=False)
    masked = redact(SNAPSHOT, secrets=True, addresses=False)
    assert "address 10.0.0.5\npassword: <masked>\n" == masked.nodes[0].files["/etc/x"].text
    assert ("secrets",) == masked.redacted
