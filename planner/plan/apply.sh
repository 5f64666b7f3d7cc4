# ---- apply.sh --------------------------------------------------------------------------------------------------

usage() {
  cat <<'USAGE'
apply.sh: applies the steps of this plan, in order, to this node.

  --list                    the steps and what is done of them
  --dry-run                 says what would be run and whether the node is as the plan expects; changes nothing
  --from N, --to N          only the steps from N on, up to N
  --confirm-within SECONDS  takes everything back unless it is confirmed in time; survives the end of the session
  --confirm                 confirms (any other shell will do)
  --force                   goes on where the node is not as the plan expects
  --state DIR               where state is kept instead of $NETCHANGE_STATE or /var/lib/netchange

Exit status: 0 done; 1 not started (usage, tools, state directory); 2 a command failed; 3 the node is not in the state
that the plan was made for, nothing was changed by the step named; 4 the kernel does not hold what the step should have
set; 5 parts of the proposal are not understood, accept with NETCHANGE_ACCEPT_UNKNOWN=1; 6 another run is at work, or it
is too late to confirm.
USAGE
}

from=1
to=$NC_LAST
mode=apply
seconds=
while [ $# -gt 0 ]; do
  case $1 in
  --from) number "$@"; from=$2; shift ;;
  --to) number "$@"; to=$2; shift ;;
  --confirm-within) number "$@"; seconds=$2; shift ;;
  --state) [ $# -ge 2 ] || die 1 "--state needs a directory"; state=$2; shift ;;
  --confirm) mode=confirm ;;
  --dry-run) mode=dry ;;
  --list) mode=list ;;
  --force) force=yes ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; die 1 "unknown option: $1" ;;
  esac
  shift
done
[ "$to" -le "$NC_LAST" ] || to=$NC_LAST

unknown_parts() {
  [ -z "$NC_NOT_PLANNED" ] || printf '%s\n' "$NC_NOT_PLANNED"
  nc_n=$from
  while [ "$nc_n" -le "$to" ]; do
    eval "nc_flag=\$step_${nc_n}_flag nc_remark=\$step_${nc_n}_remark nc_title=\$step_${nc_n}_title"
    [ "$nc_flag" != unknown ] || printf '  step %s, %s: %s; there is no undo that is sure to be whole\n' \
      "$nc_n" "$nc_title" "$nc_remark"
    nc_n=$((nc_n + 1))
  done
}

# Before the first step: each thing must be as the first step that touches it expects.
preflight() {
  seen=
  nc_bad=
  nc_i=$from
  while [ "$nc_i" -le "$to" ]; do
    eval "nc_flag=\$step_${nc_i}_flag"
    if [ "$nc_flag" != skip ]; then
      all "$nc_i" first_before || nc_bad="$nc_bad
step $nc_i:$unmet"
    else
      all "$nc_i" first_before || nc_bad="$nc_bad
step $nc_i (not run):$unmet"
    fi
    nc_i=$((nc_i + 1))
  done
  [ -z "$nc_bad" ]
}

touched_before() {
  nc_i=1
  while [ "$nc_i" -le "$NC_LAST" ]; do
    case $(status_of "$nc_i") in begun | applied | undoing) return 0 ;; esac
    nc_i=$((nc_i + 1))
  done
  return 1
}

# The live state as it is before the first step: evidence, and the last resort of a person.
save_state() {
  [ ! -d "$state/before" ] || return 0
  rm -rf "$state/before.new"
  mkdir -p "$state/before.new/files" || die 1 "cannot write in $state"
  for nc_tool in iptables-nft iptables-legacy ip6tables-nft ip6tables-legacy; do
    if command -v "$nc_tool-save" >/dev/null 2>&1; then
      "$nc_tool-save" -c >"$state/before.new/$nc_tool-save" 2>/dev/null
    fi
  done
  if command -v nft >/dev/null 2>&1; then nft list ruleset >"$state/before.new/nft" 2>/dev/null; fi
  if command -v ipset >/dev/null 2>&1; then ipset save >"$state/before.new/ipset" 2>/dev/null; fi
  if command -v ip >/dev/null 2>&1; then
    ip -d addr show >"$state/before.new/ip-addr" 2>/dev/null
    ip -4 route show table all >"$state/before.new/ip-route4" 2>/dev/null
    ip -6 route show table all >"$state/before.new/ip-route6" 2>/dev/null
    ip -4 rule show >"$state/before.new/ip-rule4" 2>/dev/null
    ip -6 rule show >"$state/before.new/ip-rule6" 2>/dev/null
  fi
  # `net/ipv4/ip_forward=1`, as `sysctl -p` reads it: `sysctl -a` takes four times as long.
  grep -rs '' /proc/sys 2>/dev/null | sed 's|^/proc/sys/\([^:]*\):|\1=|' >"$state/before.new/sysctl"
  # The names are there even when no file is written: without one, everything that the machine has open would be synced.
  : >"$state/before.new/files/names"
  save_files
  sync "$state"/before.new/* "$state"/before.new/files/* 2>/dev/null || sync
  mv "$state/before.new" "$state/before" && durable "$state/before"
}

# save_file NUMBER PATH
save_file() {
  if [ -e "$2" ] || [ -L "$2" ]; then
    cp -pP "$2" "$state/before.new/files/$1" || die 1 "cannot save $2"
  fi
  printf '%s %s\n' "$1" "$2" >>"$state/before.new/files/names"
}

write_scripts() {
  emit_rollback >"$state/rollback.sh.new" || die 1 "cannot write $state/rollback.sh"
  chmod 700 "$state/rollback.sh.new"
  mv -f "$state/rollback.sh.new" "$state/rollback.sh"
  # shellcheck disable=SC2016 # it is the written script that expands it
  printf '#!/bin/sh\nexec sh "$(dirname "$0")/rollback.sh" --state "$(dirname "$0")" --confirm\n' >"$state/confirm.sh"
  chmod 700 "$state/confirm.sh"
  durable "$state/rollback.sh"
}

# The timer is no child of this session: the end of the terminal does not reach it.
arm() {
  if timer_runs; then
    say "the timer of the run before still runs; it is kept"
    return 0
  fi
  rm -rf "$state/decision"
  nc_unit="netchange-$NC_PLAN-$$"
  if [ -d /run/systemd/system ] && command -v systemd-run >/dev/null 2>&1 &&
    systemd-run --quiet --unit="$nc_unit" --on-active="${seconds}s" --timer-property=AccuracySec=1s \
      /bin/sh "$state/rollback.sh" --unattended --state "$state" >>"$state/log" 2>&1; then
    keep timer "systemd $nc_unit"
  else
    nc_pid=$(
      if command -v setsid >/dev/null 2>&1; then
        setsid sh "$state/rollback.sh" --timer "$seconds" --state "$state" </dev/null 2>>"$state/log" &
      else
        sh "$state/rollback.sh" --timer "$seconds" --state "$state" </dev/null 2>>"$state/log" &
      fi
    )
    [ -n "$nc_pid" ] || die 1 "the timer does not start; see $state/log; nothing was changed"
    keep timer "process $nc_pid"
  fi
  armed=yes
  say "in $seconds seconds everything is taken back, unless you run: sh $state/confirm.sh (log: $state/log)"
}

dry_run() {
  nc_i=$from
  seen=
  while [ "$nc_i" -le "$to" ]; do
    eval "nc_title=\$step_${nc_i}_title nc_source=\$step_${nc_i}_source nc_commands=\$step_${nc_i}_commands nc_remark=\$step_${nc_i}_remark"
    printf 'step %s: %s (%s)\n' "$nc_i" "$nc_title" "$nc_source"
    [ -z "$nc_commands" ] || printf '%s\n' "$nc_commands" | sed 's/^/  would run: /'
    [ -z "$nc_remark" ] || printf '  %s\n' "$nc_remark"
    if all "$nc_i" first_before; then
      printf '  the node is as this step expects, as far as earlier steps do not change it\n'
    else
      printf '  the node is NOT as this step expects:%s\n' "$unmet"
    fi
    nc_i=$((nc_i + 1))
  done
}

stopped() {
  interrupted=$1
  trap '' HUP INT TERM
  note "stopped by signal $1"
  printf '%s\n' "$NC_NAME: stopped by signal $1; take back what was done with: sh $state/rollback.sh" >&2 2>/dev/null
  exit "$2"
}

apply_step() {
  eval "nc_title=\$step_${n}_title nc_flag=\$step_${n}_flag nc_stop=\$step_${n}_stop nc_remark=\$step_${n}_remark"
  if [ "$nc_flag" = skip ]; then
    say "step $n: $nc_title: $nc_remark"
    return 0
  fi
  case $(status_of "$n") in
  applied)
    if all "$n" is_after; then
      say "step $n: $nc_title: applied already"
      return 0
    fi
    later_touched && { say "step $n: $nc_title: applied already"; return 0; }
    say "step $n was applied, and somebody has changed it since:$unmet"
    [ -n "$force" ] || exit 3
    return 0
    ;;
  undoing)
    die 3 "step $n is half taken back: finish that first with: sh $state/rollback.sh"
    ;;
  begun)
    if [ "$nc_flag" != blind ] && step_has_things && all "$n" is_after; then
      mark "$n" applied
      "step_${n}_things" record >"$state/step-$n.after"
      say "step $n: $nc_title: was applied before the run was cut off"
      return 0
    fi
    if ! all "$n" is_before && [ -z "$force" ]; then
      say "step $n was cut off in its middle:$unmet"
      die 3 "take it back with: sh $state/rollback.sh"
    fi
    ;;
  *)
    if ! all_noted "$n" is_before "step-$n.before"; then
      say "step $n: the node is not in the state that this step was made for:$unmet"
      [ -n "$force" ] || die 3 "step $n and what follows were not run; steps before it stay applied (sh $state/rollback.sh takes them back)"
    fi
    ;;
  esac
  rm -f "$state/step-$n.after"
  mark "$n" begun
  say "step $n: $nc_title"
  if ! "step_${n}_apply"; then
    die 2 "step $n failed; take back what was done with: sh $state/rollback.sh"
  fi
  nc_held=yes
  all_noted "$n" is_after "step-$n.after" || nc_held=
  durable "$state/step-$n.after"
  if [ -z "$nc_held" ]; then
    say "step $n was run, and the node does not hold what it should:$unmet"
    [ -n "$force" ] || die 4 "stopped after step $n; take back what was done with: sh $state/rollback.sh"
  fi
  mark "$n" applied
  [ -z "$nc_remark" ] || say "  $nc_remark"
  [ -z "$nc_stop" ] || say "  do not stop here: $nc_stop"
}

nothing_seen() { nc_any=yes; }

step_has_things() {
  nc_any=
  "step_${n}_things" nothing_seen
  [ -n "$nc_any" ]
}

# Whether a later step has been begun: it may have changed the same things again.
later_touched() {
  nc_i=$((n + 1))
  while [ "$nc_i" -le "$NC_LAST" ]; do
    case $(status_of "$nc_i") in begun | applied) return 0 ;; esac
    nc_i=$((nc_i + 1))
  done
  return 1
}

case $mode in
list) list_steps; exit 0 ;;
dry) dry_run; exit 0 ;;
confirm) confirm ;;
esac

# shellcheck disable=SC2086 # a list of words that this script was made with
need_tools $NC_TOOLS
[ "$(uname -n)" = "$NC_NODE" ] || printf '%s\n' "$NC_NAME: made for $NC_NODE, this is $(uname -n)" >&2
nc_unknown=$(unknown_parts)
if [ -n "$nc_unknown" ] && [ "${NETCHANGE_ACCEPT_UNKNOWN:-}" != 1 ]; then
  printf '%s\n' "$nc_unknown" >&2
  die 5 "parts of the proposal are not understood, and could not be taken back for sure; set NETCHANGE_ACCEPT_UNKNOWN=1 to go on"
fi
if [ ! -d "$state" ]; then
  mkdir -p "$state" && chmod 700 "$state" || die 1 "cannot make $state"
fi
lock
armed=
trap 'stopped HUP 129' HUP
trap 'stopped INT 130' INT
trap 'stopped TERM 143' TERM
if ! touched_before; then
  if ! preflight; then
    say "the node is not in the state that this plan was made for:$nc_bad"
    [ -n "$force" ] || die 3 "nothing was changed; take a new snapshot and plan again, or use --force"
  fi
  rm -rf "$state/decision" "$state/before"
fi
save_state
write_scripts
[ -z "$seconds" ] || arm
n=$from
while [ "$n" -le "$to" ]; do
  if [ -d "$state/decision" ] && [ "$(cat "$state/decision/is" 2>/dev/null)" != confirmed ]; then
    die 6 "the time to confirm is over: the rollback has begun; see $state/log"
  fi
  apply_step
  n=$((n + 1))
done
say "done: steps $from to $to; take them back with: sh $state/rollback.sh"
[ -z "$armed" ] || say "now check that you can still reach the node, then run: sh $state/confirm.sh"
exit 0
