"""`ip neighbour add|change|replace|delete|flush` and `bridge fdb add|append|replace|delete`."""

from collections.abc import Sequence

from planner.iproute.events import has_ipv6
from planner.iproute.world import NotModelledError, RefusedError, World
from planner.models.link import ForwardingEntry, Neighbour
from planner.parse.ip_names import address_text, number_of
from planner.parse.ip_words import Words

NO_FILE = "RTNETLINK answers: No such file or directory"
EXISTS = "RTNETLINK answers: File exists"
VOLATILE_STATES = frozenset({"reachable", "stale", "delay", "probe", "noarp", "none", "incomplete", "failed"})


def run_neighbour(world: World, action: str, words: Sequence[str], family: str) -> None:
    """One command; what it cannot do is raised."""
    if action == "flush":
        flush(world, words, family)
        return
    cursor = Words(words)
    address, link, mac, state, proxy = "", "", "", "permanent", False
    while cursor.more():
        word = cursor.take()
        match word:
            case "lladdr":
                mac = cursor.take(word).lower()
            case "dev":
                link = world.need_link(cursor.take(word)).name
            case "nud":
                state = cursor.take(word)
            case "proxy":
                address, proxy = address_text(cursor.take(word)), True
            case "router" | "use" | "managed" | "extern_learn":
                continue
            case "protocol":
                cursor.take(word)
            case "to":
                address = address_text(cursor.take(word))
            case _:
                if address:
                    raise RefusedError(f'Error: either "to" is duplicate, or "{word}" is a garbage.')
                address = address_text(word)
    if not address or not link:
        raise RefusedError("Device and destination are required arguments.")
    if ":" in address and action != "delete" and not has_ipv6(world, world.need_link(link)):
        raise RefusedError("Error: IPv6 is disabled on this device.")
    found = next(
        (e for e in world.neighbours if (e.address, e.link, e.proxy) == (address, link, proxy)), None
    )
    what = f"neighbour/{link}/{address}"
    if action == "delete":
        if found is None:
            raise RefusedError(NO_FILE)
        world.neighbours = [entry for entry in world.neighbours if entry is not found]
        world.tell(what)
        return
    if found is not None and action == "add" and not proxy:
        raise RefusedError(EXISTS)
    if found is None and action == "change":
        raise RefusedError(NO_FILE)
    permanent = not proxy and state not in VOLATILE_STATES
    new = Neighbour(
        address=address,
        link=link,
        mac=mac or (found.mac if found else ""),
        permanent=permanent,
        state="" if proxy else state.upper(),
        proxy=proxy,
    )
    if new == found:
        return
    world.neighbours = [new if entry is found else entry for entry in world.neighbours]
    if found is None:
        world.neighbours.append(new)
    world.tell(what)


def flush(world: World, words: Sequence[str], family: str) -> None:
    """`ip neighbour flush dev LINK`: what is permanent stays unless `nud permanent` or `all` is asked."""
    cursor = Words(words)
    link, state = "", ""
    while cursor.more():
        word = cursor.take()
        if word == "dev":
            link = world.need_link(cursor.take(word)).name
        elif word == "nud":
            state = cursor.take(word)
        elif word != "all":
            raise NotModelledError(f"`{word}` of `ip neighbour flush`")
    if not words:
        raise RefusedError("Flush requires arguments.")
    world.drop_neighbours(
        lambda entry: (
            not entry.proxy
            and (not link or entry.link == link)
            and (not family or (":" in entry.address) == (family == "ip6"))
            and (entry.permanent if state == "permanent" else not entry.permanent or state == "all")
        )
    )


def run_fdb(world: World, action: str, words: Sequence[str]) -> None:
    """`bridge fdb …`."""
    cursor = Words(words)
    mac, link, destination, vlan = "", "", "", None
    permanent, master, self_ = True, False, False
    while cursor.more():
        word = cursor.take()
        match word:
            case "dev":
                link = cursor.take(word)
            case "dst":
                destination = address_text(cursor.take(word))
            case "vlan":
                vlan = number_of(cursor.take(word))
            case "master":
                master = True
            case "self":
                self_ = True
            case "local" | "permanent":
                permanent = True
            case "static":
                permanent = True
            case "dynamic" | "temp":
                permanent = False
            case "port" | "vni" | "via" | "src_vni" | "nhid":
                raise NotModelledError(f"`{word}` of `bridge fdb`")
            case "router" | "extern_learn" | "sticky" | "use":
                continue
            case _:
                if mac:
                    raise RefusedError(f'Error: either "to" is duplicate, or "{word}" is a garbage.')
                mac = word.lower()
    if not mac or not link:
        raise RefusedError("Device and address are required arguments.")
    port = world.need_link(link)
    upper = port.master if master and not self_ else ""
    if master and not port.master:
        raise RefusedError("RTNETLINK answers: Operation not supported")
    new = ForwardingEntry(
        mac=mac, link=port.name, destination=destination, permanent=permanent, master=upper, vlan=vlan
    )
    same = [
        e for e in world.fdb if (e.mac, e.link, e.master, e.vlan) == (new.mac, new.link, new.master, new.vlan)
    ]
    change_fdb(world, action, new, same)


def change_fdb(world: World, action: str, new: ForwardingEntry, same: list[ForwardingEntry]) -> None:
    """Add, append, replace or delete one entry; several destinations only for group addresses, as flooding needs."""
    what = f"fdb/{new.link}/{new.mac}"
    group = bool(int(new.mac.partition(":")[0], 16) & 1) or new.mac == "00:00:00:00:00:00"
    exact = [entry for entry in same if entry.destination == new.destination]
    if action == "delete":
        gone = exact if new.destination else same
        if not gone:
            raise RefusedError(NO_FILE)
        world.fdb = [entry for entry in world.fdb if entry not in gone]
    elif action == "append":
        if exact or (same and not group):
            return
        world.fdb.append(new)
    elif same and action == "add":
        raise RefusedError(EXISTS)
    elif action == "replace" and group:
        raise RefusedError("RTNETLINK answers: Operation not supported")
    else:
        if exact == [new]:
            return
        world.fdb = [*(entry for entry in world.fdb if entry not in same), new]
    world.tell(what)
