"""Values of the kubelet's configuration before and after a change, whatever the grain of the change is."""

import json
import re

from planner.models.change import DocumentChange

FORMAT = "kubelet"


def setting(change: DocumentChange, field: str) -> tuple[object, object] | None:
    """A top-level field before and after; None when the change is not about it or it stays equal."""
    if change.format != FORMAT:
        return None
    head, *rest = change.pointer.strip("/").split("/")
    if not head:
        before, after = _field(change.before, field), _field(change.after, field)
    elif (head == field and not rest) or (rest and rest[-1] == flag_of(field) and not rest[:-1]):
        before, after = _value(change.before), _value(change.after)
    else:
        return None
    return None if before == after else (before, after)


def flag_of(field: str) -> str:
    """The kubelet's command line flag for a field: `resolvConf` is `resolv-conf`, `clusterDNS` is `cluster-dns`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", field).lower()


def _value(text: str | None) -> object:
    return None if text is None else json.loads(text)


def _field(text: str | None, field: str) -> object:
    document = _value(text)
    return document.get(field) if isinstance(document, dict) else None
