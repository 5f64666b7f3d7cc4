"""A digest of everything that a stage's tools print: while it stays the same, nothing has changed.

It is only ever believed when it is equal. What moves by itself and is not left out here costs a proper look, no more. Rules keep
their order within their chain; that of chains and tables is nobody's.
"""

import re
from collections.abc import Iterable

from planner.models.plan import Plan
from planner.models.proposal import FileWrite
from planner.rehearse.stage import Stage

SCRIPT = r"""
LC_ALL=C
export LC_ALL
for tool in awk grep sed sha256sum sort stat; do
  command -v "$tool" >/dev/null || exit 1
done
{
  grep -r '' /proc/sys/net 2>/dev/null | grep -v -e nf_conntrack_count -e '/flush:'
  ip -d addr
  ip -4 route show table all
  ip -6 route show table all
  ip -4 rule
  ip -6 rule
  ip nexthop
  ip neigh show nud permanent
  ip neigh show proxy
  bridge fdb | grep permanent
  for tool in iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy; do
    command -v "$tool-save" >/dev/null && "$tool-save" | sed "s/^[*]/&$tool-/"
  done | grep -v '^#' | awk '/^\*/ { table = $1 } { print table, $0 }' | sort -s -k 1,3
  ipset save
  nft list ruleset 2>/dev/null | sed '/^table ip6* \(filter\|nat\|mangle\|raw\|security\) {/,/^}/d'
  for file; do
    ls -A "${file%/*}/"
    stat -c '%a %N' "$file" && cat "$file"
  done
} 2>&1 | sed -e 's/ [a-z_]*timer  *[0-9.]*//g' -e 's/\[[0-9]*:[0-9]*\]//' -e 's/packets [0-9]* bytes [0-9]*//' \
  -e 's/ expires [0-9a-z]*//' -e 's/ timeout [0-9][0-9]*$//' | sha256sum
"""

MANAGED = re.compile(r"^table ip6? (filter|nat|mangle|raw|security) \{", re.MULTILINE)
"""Tables that iptables-nft-save prints; where it cannot print all of one, `nft` has to."""


def glance(stage: Stage, paths: Iterable[str]) -> str:
    """The digest; nothing when it could not be made, or would not tell everything."""
    if MANAGED.search(stage.original.native.text):
        return ""
    done = stage.run(("sh", "-c", SCRIPT, "glance", *paths), timeout=600)
    return done.stdout.split(" ")[0] if done.status == 0 else ""


def paths_of(plan: Plan, stage: Stage) -> tuple[str, ...]:
    """Files that are recorded or written."""
    written = (step.operation.path for step in plan.steps if isinstance(step.operation, FileWrite))
    return tuple(sorted({*stage.original.files, *written}))
