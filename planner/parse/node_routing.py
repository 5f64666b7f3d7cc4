"""Links, routes, policy rules and neighbours of a node: from JSON, or from text where a tool has none."""

from planner.models.link import ForwardingEntry, Link, Neighbour
from planner.models.route import NextHopObject, PolicyRule, Route
from planner.parse import ip_json, ip_text
from planner.parse.fdb_text import parse_fdb as parse_fdb_text
from planner.parse.ip_names import read_table_names
from planner.parse.ip_text_links import parse_links as parse_links_text
from planner.parse.sections import Sections


def read_links(found: Sections) -> tuple[Link, ...]:
    """Links with their addresses."""
    shown = found.get("ip/addr-text")
    if found.usable("ip/addr"):
        links, gaps = ip_json.parse_links(found.text("ip/addr", "links") or "")
    elif shown is not None and shown.usable:
        links, gaps = parse_links_text(found.text("ip/addr-text", "links") or "")
        if " -d" not in shown.argv:
            found.gap(
                "links", f"`{shown.argv}` does not show what kind a link is of (ip too old or too small)"
            )
    else:
        found.gap("links", found.reason("ip/addr"))
        return ()
    found.gaps.extend(gaps)
    if not links:
        # Every network namespace has its loopback link from the start (drivers/net/loopback.c, loopback_net_init).
        found.gap("links", "there is not one link: the section cannot be whole")
    return links


def _table_names(found: Sections) -> dict[str, str]:
    names: dict[str, str] = {}
    for path in ("/usr/share/iproute2/rt_tables", "/etc/iproute2/rt_tables"):
        names |= read_table_names(found.quiet(f"file{path}") or "")
    for path, section in found.under("file/etc/iproute2/rt_tables.d/"):
        if path.endswith(".conf") and section.usable:
            names |= read_table_names(section.text)
    return names


def read_routes(found: Sections, family: str, digit: str) -> tuple[Route, ...]:
    """Routes of one family; JSON with what only the text shows, or the text alone."""
    path = f"routes/{family}"
    shown = found.get(f"ip/route{digit}-text")
    text = found.quiet(f"ip/route{digit}")
    if text is not None:
        found.text(f"ip/route{digit}", path)
        routes, gaps = ip_json.parse_routes(text, family)
        found.gaps.extend(gaps)
        if shown is not None and shown.usable:
            routes, gaps = ip_text.lost_in_json(shown.text, routes)
            found.gaps.extend(gaps)
        elif routes:
            found.gap(path, "the text of the routes was not collected: JSON does not show locked metrics")
        return routes
    if shown is None or not shown.usable:
        found.gap(path, found.reason(f"ip/route{digit}"))
        return ()
    routes, gaps = ip_text.parse_routes(shown.text, family, tables=_table_names(found))
    found.gaps.extend(gaps)
    tool = found.get("version/ip")
    if tool is not None and "busybox" in (tool.text + tool.stderr).lower():
        found.gap(f"{path}/protocol", "busybox prints routes without their protocol")
    return routes


def read_policy_rules(found: Sections, family: str, digit: str) -> tuple[PolicyRule, ...]:
    """The routing policy database of one family."""
    path = f"policy_rules/{family}"
    text = found.quiet(f"ip/rule{digit}")
    if text is not None:
        found.text(f"ip/rule{digit}", path)
        rules, gaps = ip_json.parse_policy_rules(text, family)
    else:
        shown = found.quiet(f"ip/rule{digit}-text")
        if shown is None:
            found.gap(path, found.reason(f"ip/rule{digit}"))
            return ()
        rules, gaps = ip_text.parse_policy_rules(shown, family, tables=_table_names(found))
    found.gaps.extend(gaps)
    if not rules:
        # The kernel makes the rules of the tables local and main itself, and a lookup needs them.
        found.gap(path, "there is not one policy rule: the section cannot be whole")
    return rules


def read_nexthops(found: Sections) -> tuple[NextHopObject, ...]:
    """Next hops that routes share."""
    text = found.text("ip/nexthop", "nexthop_objects")
    if text is None:
        return ()
    items, gaps = ip_json.parse_nexthops(text)
    found.gaps.extend(gaps)
    return items


def read_neighbours(found: Sections) -> tuple[Neighbour, ...]:
    """Neighbours of all families, and addresses answered for."""
    known: list[Neighbour] = []
    text = found.quiet("ip/neigh-text")
    if text is not None:
        items, gaps = ip_text.parse_neighbours(text, proxy_text=found.quiet("ip/neigh-proxy-text") or "")
        found.gaps.extend(gaps)
        if not found.usable("ip/neigh-proxy-text"):
            found.gap("neighbours/proxy", found.reason("ip/neigh-proxy-text"))
        return items
    for digit in ("4", "6"):
        shown = found.text(f"ip/neigh{digit}", "neighbours")
        proxied = found.text(f"ip/neigh-proxy{digit}", "neighbours/proxy")
        items, gaps = ip_json.parse_neighbours(shown or "", proxy_text=proxied or "")
        known.extend(items)
        found.gaps.extend(gaps)
    return tuple(sorted(known, key=lambda one: (one.link, ":" in one.address, one.address, one.proxy)))


def read_fdb(found: Sections) -> tuple[ForwardingEntry, ...]:
    """Forwarding entries of bridges and overlays."""
    if found.usable("bridge/fdb"):
        entries, gaps = ip_json.parse_fdb(found.text("bridge/fdb", "fdb") or "")
    elif found.usable("bridge/fdb-text"):
        entries, gaps = parse_fdb_text(found.text("bridge/fdb-text", "fdb") or "")
    else:
        found.gap("fdb", found.reason("bridge/fdb"))
        return ()
    found.gaps.extend(gaps)
    return entries
