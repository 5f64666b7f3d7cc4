"""Translations."""

from small_node import TRACKED, flow, link, node, out, route

from planner.dataplane.conntrack import reply
from planner.dataplane.trace import trace
from planner.models.flow import Binding, Disposition
from planner.models.link import Address


def one(state, packet):
    traces = trace(state, packet)
    assert 1 == len(traces)
    return traces[0]


def test_masquerade_takes_the_address_next_to_the_next_hop() -> None:
    """Of several addresses the one whose prefix holds the next hop; the route's own source does not count (measured)."""
    eth0 = link("eth0", 2, "10.50.0.1/24", "10.0.0.5/24")
    state = node("nat POSTROUTING -o eth0 -j MASQUERADE", links=(eth0,))

    assert "10.0.0.5" == one(state, out()).after.source


def test_masquerade_takes_the_first_address_when_none_is_near() -> None:
    """A gateway in none of the prefixes."""
    eth0 = link("eth0", 2, "10.50.0.1/24", "10.60.0.1/24")
    state = node("nat POSTROUTING -o eth0 -j MASQUERADE", links=(eth0,))

    assert "10.50.0.1" == one(state, out()).after.source


def test_masquerade_borrows_an_address_of_another_link() -> None:
    """A link without address: inet_select_addr goes on with the others (measured)."""
    state = node("nat POSTROUTING -o pod2 -j MASQUERADE")

    assert "10.0.0.5" == one(state, out(destination="10.244.1.3")).after.source


def test_secondary_addresses_are_not_taken() -> None:
    """The primary of a prefix stands for it."""
    eth0 = link("eth0", 2).model_copy(
        update={
            "addresses": (
                Address(address="10.0.0.9", length=24, secondary=True),
                Address(address="10.0.0.5", length=24),
            )
        }
    )

    assert "10.0.0.5" == one(node("nat POSTROUTING -j MASQUERADE", links=(eth0,)), out()).after.source


def test_without_a_user_of_conntrack_nat_is_inert() -> None:
    """A nat chain that only marks is not even walked (measured); one rule elsewhere that asks for states turns it on."""
    marks = "nat PREROUTING -j MARK --set-xmark 0x1/0x1\nfilter FORWARD -m mark --mark 0x1/0x1 -j DROP"

    assert Disposition.SENT is one(node(marks), out()).disposition
    assert Disposition.DROPPED is one(node(f"{marks}\nfilter INPUT {TRACKED}"), out()).disposition


def test_words_in_a_comment_use_no_conntrack() -> None:
    """A comment may say anything."""
    marks = "nat PREROUTING -j MARK --set-xmark 0x1/0x1\nfilter FORWARD -m mark --mark 0x1/0x1 -j DROP"
    comment = 'filter INPUT -m comment --comment "-m conntrack -j MASQUERADE" -j ACCEPT'

    assert Disposition.SENT is one(node(f"{marks}\n{comment}"), out()).disposition


def test_a_translation_to_what_is_there_already_is_none() -> None:
    """DNAT to the address and port that the packet has does not make it DNAT (measured)."""
    text = "nat PREROUTING -p tcp -j DNAT --to-destination {}\nfilter FORWARD -m conntrack --ctstate DNAT -j DROP"

    assert Disposition.SENT is one(node(text.format("192.0.2.9:80")), out()).disposition
    assert Disposition.DROPPED is one(node(text.format("192.0.2.9:81")), out()).disposition


def test_the_first_translation_binds() -> None:
    """Later rules of the same hook are not asked."""
    text = "nat PREROUTING -p tcp -j DNAT --to-destination 10.244.1.3\nnat PREROUTING -j DNAT --to-destination 192.0.2.7"

    assert "10.244.1.3" == one(node(text), out()).after.destination


def test_established_packets_are_not_shown_to_nat() -> None:
    """They keep what their flow has; without knowledge of it the header stays, and the trace says so."""
    found = one(node("nat POSTROUTING -j MASQUERADE"), out(state="ESTABLISHED"))

    assert "10.244.1.2" == found.after.source
    assert any("translation is not known" in hop.what for hop in found.hops)


def test_the_answer_finds_the_way_back() -> None:
    """The reply to a masqueraded packet comes to the node's address and goes on to the pod."""
    state = node("nat POSTROUTING -o eth0 -j MASQUERADE")
    answer = reply(one(state, out()))
    found = one(state, answer)

    assert ("192.0.2.9", "10.0.0.5", "eth0") == (answer.source, answer.destination, answer.entry.link)
    assert (Disposition.SENT, "pod1", "10.244.1.2") == (
        found.disposition,
        found.link,
        found.after.destination,
    )


def test_the_answer_of_a_service_shows_the_services_address() -> None:
    """What was DNAT on the way there is undone in the source on the way back."""
    state = node(
        "nat PREROUTING -d 10.96.0.1/32 -p tcp -m tcp --dport 443 -j DNAT --to-destination 10.244.1.3:6443"
    )
    answer = reply(one(state, out(destination="10.96.0.1", port=443)))
    found = one(state, answer)

    assert ("10.244.1.3", 6443, "pod2") == (answer.source, answer.source_port, answer.entry.link)
    assert ("10.96.0.1", 443, "pod1") == (found.after.source, found.after.source_port, found.link)


def test_states_of_an_answer() -> None:
    """SNAT and DNAT are bits of the flow, and true in both directions."""
    text = "nat POSTROUTING -o eth0 -j MASQUERADE\nfilter FORWARD -i eth0 -m conntrack --ctstate SNAT -j DROP"
    state = node(text)

    assert Disposition.DROPPED is one(state, reply(one(state, out()))).disposition


def test_both_directions_of_a_flow_can_be_asked_for() -> None:
    """The entry holds the packet that opened the flow and its answer, whichever direction is looked at (measured)."""
    text = (
        "nat PREROUTING -d 10.96.0.1/32 -j DNAT --to-destination 10.244.1.3\n"
        "filter FORWARD -m conntrack --ctorigdst 10.96.0.1 --ctreplsrc 10.244.1.3 -j ACCEPT\n"
        "filter FORWARD -j DROP"
    )
    state = node(text)
    there = one(state, out(destination="10.96.0.1"))

    assert (Disposition.SENT, Disposition.SENT) == (there.disposition, one(state, reply(there)).disposition)


def test_redirect_stays_on_the_node() -> None:
    """Incoming: the first address of the link; from the node: 127.0.0.1."""
    text = "nat PREROUTING -p tcp -j REDIRECT --to-ports 8080\nnat OUTPUT -p tcp -j REDIRECT --to-ports 8080"
    came = one(node(text), flow("192.0.2.9", "10.96.0.1", "eth0"))
    sent = one(node(text), flow("10.0.0.5", "10.96.0.1"))

    assert (Disposition.DELIVERED, "10.0.0.5", 8080) == (
        came.disposition,
        came.after.destination,
        came.after.destination_port,
    )
    assert (Disposition.DELIVERED, "127.0.0.1") == (sent.disposition, sent.after.destination)


def test_netmap_keeps_the_host_part() -> None:
    """One network onto another."""
    found = one(node("nat PREROUTING -d 192.0.2.0/24 -j NETMAP --to 10.9.0.0/24"), out())

    assert ("10.9.0.9", "eth1") == (found.after.destination, found.link)


def test_a_port_that_the_kernel_draws_is_told() -> None:
    """Random ports are 0 in the header."""
    found = one(node("nat POSTROUTING -p tcp -j MASQUERADE --random-fully"), out())

    assert 0 == found.after.source_port
    assert "a port that the kernel draws" in found.hops[-1].what


def test_a_translated_packet_of_the_node_is_routed_again() -> None:
    """DNAT in OUTPUT: the first route decides only whether there is one."""
    text = "nat OUTPUT -d 10.96.0.1/32 -j DNAT --to-destination 10.244.1.3"

    assert "pod2" == one(node(text), flow("10.0.0.5", "10.96.0.1")).link


def test_without_a_route_to_the_service_there_is_no_service() -> None:
    """A program needs a route before DNAT happens (measured)."""
    state = node("nat OUTPUT -d 10.96.0.1/32 -j DNAT --to-destination 10.244.1.3")
    bare = state.model_copy(update={"routes": tuple(r for r in state.routes if not r.is_default)})

    assert Disposition.NO_ROUTE is one(bare, flow("10.0.0.5", "10.96.0.1")).disposition


def test_a_binding_that_is_known_is_applied() -> None:
    """ESTABLISHED with its translation: destination before routing, source behind it."""
    known = Binding(source="10.0.0.5", destination="10.244.1.3", source_port=7, destination_port=8)
    found = one(
        node("nat POSTROUTING -j ACCEPT\n" + f"filter INPUT {TRACKED}"),
        out(state="ESTABLISHED", binding=known),
    )

    assert ("pod2", "10.0.0.5", 7, 8) == (
        found.link,
        found.after.source,
        found.after.source_port,
        found.after.destination_port,
    )


def test_ipv6_is_translated_too() -> None:
    """The same tables with longer addresses."""
    from small_node import rules

    six = rules("nat POSTROUTING -o eth0 -j MASQUERADE", family="ip6")
    found = one(node(rulesets=(six,)), flow("2001:db8:1::2", "2001:db8:f::1", "pod1"))

    assert ("eth0", "2001:db8::5") == (found.link, found.after.source)


def test_routes_do_not_choose_the_source_of_masquerade() -> None:
    """`src` of a route is for the node's own packets."""
    more = (route("192.0.2.0/24", "eth0", "10.0.0.1", source="10.9.0.5"),)

    assert "10.0.0.5" == one(node("nat POSTROUTING -j MASQUERADE", routes=more), out()).after.source


def test_rules_of_output_keep_seeing_the_first_link() -> None:
    """The link is noted when the hook begins; only POSTROUTING sees the one of the second routing (measured)."""
    text = "nat OUTPUT -d 10.96.0.1/32 -j DNAT --to-destination 10.244.1.3\nfilter OUTPUT -o {} -j DROP"
    packet = flow("10.0.0.5", "10.96.0.1")

    assert Disposition.DROPPED is one(node(text.format("eth0")), packet).disposition
    assert "pod2" == one(node(text.format("pod2")), packet).link


def test_a_packet_that_is_routed_again_shows_its_ports() -> None:
    """Policy rules for a protocol count for the second routing too (measured)."""
    from planner.models.route import PolicyRule

    barred = PolicyRule(
        family="ip", preference=100, ipproto="tcp", destination="10.244.1.3/32", action="prohibit"
    )
    text = "nat OUTPUT -d 10.96.0.1/32 -j DNAT --to-destination 10.244.1.3"

    assert (
        Disposition.UNREACHABLE
        is one(node(text, policy=(barred,)), flow("10.0.0.5", "10.96.0.1")).disposition
    )
