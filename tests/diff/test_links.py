"""Links are compared field by field; what moves by itself is not."""

from planner.diff.links import diff_links
from planner.models.link import Address, Link
from planner.models.node import NodeState

ETH = Link(
    name="eth0",
    index=2,
    mac="02:00:00:00:00:01",
    addresses=(Address(address="10.0.0.5", length=24),),
    txqueuelen=1000,
)


def changes(
    before: tuple[Link, ...], after: tuple[Link, ...]
) -> list[tuple[str, str, str | None, str | None]]:
    states = (NodeState(name="n", links=links) for links in (before, after))
    return [(c.link, c.field, c.before, c.after) for c in diff_links(*states)]


def test_index_carrier_and_state_are_never_compared():
    """They differ after every boot and every flap."""
    other = ETH.model_copy(update={"index": 9, "carrier": False, "operstate": "DOWN"})

    assert [] == changes((ETH,), (other,))


def test_one_change_for_each_field():
    """MTU and state are two things."""
    other = ETH.model_copy(update={"mtu": 9000, "up": False})

    assert [("eth0", "up", "up", "down"), ("eth0", "mtu", "1500", "9000")] == changes((ETH,), (other,))


def test_an_address_that_goes_is_named():
    """As a field of its link."""
    assert [("eth0", "address", "10.0.0.5/24", None)] == changes(
        (ETH,), (ETH.model_copy(update={"addresses": ()}),)
    )


def test_a_new_primary_shows_as_secondary_that_was_not():
    """Which address is primary decides the source of packets."""
    first, second = Address(address="10.0.0.5", length=24), Address(address="10.0.0.6", length=24)
    before = ETH.model_copy(update={"addresses": (first, second.model_copy(update={"secondary": True}))})
    after = ETH.model_copy(update={"addresses": (second, first.model_copy(update={"secondary": True}))})

    assert [
        ("eth0", "address", "10.0.0.5/24", "10.0.0.5/24 secondary"),
        ("eth0", "address", "10.0.0.6/24 secondary", "10.0.0.6/24"),
    ] == changes((before,), (after,))


def test_a_new_link_comes_whole_with_its_addresses():
    """A dummy for a local DNS cache: autodetection may take its address."""
    new = Link(name="nodelocaldns", kind="dummy", addresses=(Address(address="169.254.20.10", length=32),))

    assert [
        ("nodelocaldns", "", None, "dummy mtu 1500 up"),
        ("nodelocaldns", "address", None, "169.254.20.10/32"),
    ] == changes((ETH,), (ETH, new))


def test_port_options_follow_from_the_master():
    """Leaving a bridge takes the port's settings along; one change says so."""
    port = ETH.model_copy(update={"master": "br0", "options": {"hairpin": "on"}})

    assert [("eth0", "master", "br0", None)] == changes((port,), (ETH,))


def test_an_option_is_named_by_its_path():
    """A vxlan port that differs between nodes cuts the overlay."""
    before = Link(name="flannel.1", kind="vxlan", options={"id": "1", "port": "8472"})
    after = before.model_copy(update={"options": {"id": "1", "port": "4789"}})

    assert [("flannel.1", "options/port", "8472", "4789")] == changes((before,), (after,))


def test_output_without_details_is_no_difference():
    """`ip addr` without `-d` prints neither kind nor options."""
    short = Link(name="br0")
    long = Link(name="br0", kind="bridge", options={"stp_state": "0"})

    assert [] == changes((short,), (long,))
