# ---- rollback.sh -----------------------------------------------------------------------------------------------

usage() {
  cat <<'USAGE'
rollback.sh: takes back the steps of this plan that apply.sh has applied, the last first; a second run does nothing.

  --list          the steps and what is done of them
  --dry-run       says what would be run and whether somebody else has changed it meanwhile; changes nothing
  --to N          stops after step N was taken back: the steps before it stay applied
  --confirm       confirms the change: stops the timer
  --force         also takes back what somebody else has changed meanwhile
  --unattended    as the timer runs it: leaves alone what somebody else has changed, takes back the rest

What others have added stays: rules, elements, routes. What a step has changed and they have changed again is theirs.

  --state DIR     where state is kept instead of $NETCHANGE_STATE or /var/lib/netchange

Exit status: 0 everything is as before; 1 not started (usage, tools); 3 somebody else has changed what a step set: see
the sentences, nothing was changed there; 4 a step could not be taken back; 6 another run is at work; 7 taken back, but
for steps that nothing is known to take back.
USAGE
}

to=1
mode=rollback
unattended=
timer=
while [ $# -gt 0 ]; do
  case $1 in
  --to) number "$@"; to=$2; shift ;;
  --timer) number "$@"; timer=$2; unattended=yes; shift ;;
  --state) [ $# -ge 2 ] || die 1 "--state needs a directory"; state=$2; shift ;;
  --confirm) mode=confirm ;;
  --dry-run) mode=dry ;;
  --list) mode=list ;;
  --force) force=yes ;;
  --unattended) unattended=yes ;;
  -h | --help) usage; exit 0 ;;
  *) usage >&2; die 1 "unknown option: $1" ;;
  esac
  shift
done
[ "$to" -ge 1 ] || to=1

applied() {
  case $(status_of "$1") in begun | applied | undoing) return 0 ;; esac
  return 1
}

# The newest applied step that touches a thing says what it must be now. Where others have written in it too, that step is
# taken back in a copy, and the one before it says what must be there then.
foreign() {
  seen=
  nc_bad=
  nc_older=
  nc_known=$nc_line_end
  nc_fresh=
  rm -f "$state"/pretended-*
  nc_pretend=yes
  nc_i=$NC_LAST
  while [ "$nc_i" -ge "$to" ]; do
    if applied "$nc_i" && [ "$(status_of "$nc_i")" != undoing ]; then
      all "$nc_i" first_ours || nc_bad="$nc_bad
step $nc_i:$unmet"
    elif applied "$nc_i"; then
      # It was being taken back when the run was cut off: what it touches may be anywhere between.
      nc_thing=0
      "step_${nc_i}_things" only_seen
    fi
    nc_known=$nc_known$nc_fresh
    nc_fresh=
    nc_i=$((nc_i - 1))
  done
  nc_pretend=
  rm -f "$state"/pretended-*
  [ -n "$nc_bad" ]
}

only_seen() {
  key_of "$@"
  seen="$seen
$nc_key
"
}

# From here on it is too late to confirm. Fails when it was confirmed before.
decide() {
  if mkdir "$state/decision" 2>/dev/null; then
    printf 'rollback\n' >"$state/decision/is"
  fi
  [ "$(cat "$state/decision/is" 2>/dev/null)" = rollback ]
}

# apply.sh may hang in a command, or in writing to a terminal that is gone.
end_apply() {
  [ -r "$state/lock/holder" ] || return 0
  nc_holder=$(cat "$state/lock/holder")
  case $nc_holder in *\ apply.sh) nc_holder=${nc_holder% apply.sh} ;; *) return 0 ;; esac
  # shellcheck disable=SC2086
  alive $nc_holder || return 0
  note "ending apply.sh (process ${nc_holder%% *})"
  kill -TERM "${nc_holder%% *}" 2>/dev/null
  for nc_try in 1 2 3; do
    # shellcheck disable=SC2086
    alive $nc_holder || return 0
    sleep 1
  done
  for nc_proc in /proc/[0-9]*; do
    if [ "$(sed 's/^.*) //' "$nc_proc/stat" 2>/dev/null | cut -d' ' -f2)" = "${nc_holder%% *}" ]; then
      kill -KILL "${nc_proc#/proc/}" 2>/dev/null
    fi
  done
  kill -KILL "${nc_holder%% *}" 2>/dev/null
  # Until the kernel has taken it away the lock is its own.
  for nc_try in 1 2 3 4 5 6 7 8 9 10; do
    # shellcheck disable=SC2086
    alive $nc_holder || return 0
    sleep 1
  done
  note "process ${nc_holder%% *} does not end"
  return 0
}

dry_run() {
  nc_i=$NC_LAST
  while [ "$nc_i" -ge "$to" ]; do
    if applied "$nc_i"; then
      eval "nc_title=\$step_${nc_i}_title nc_commands=\$step_${nc_i}_back"
      printf 'step %s: take back: %s\n' "$nc_i" "$nc_title"
      [ -z "$nc_commands" ] || printf '%s\n' "$nc_commands" | sed 's/^/  would run: /'
    fi
    nc_i=$((nc_i - 1))
  done
  if foreign; then
    printf 'somebody else has changed what was set:%s\n' "$nc_bad"
  else
    printf 'nobody else has changed what was set\n'
  fi
}

# put_saved PATH: the file as it was before the first step, with its owner and permissions.
put_saved() {
  note "\$ put back the saved copy of $1"
  nc_copy=
  while read -r nc_number nc_path; do
    [ "$nc_path" != "$1" ] || nc_copy=$state/before/files/$nc_number
  done <"$state/before/files/names"
  if [ -z "$nc_copy" ] || [ ! -f "$nc_copy" ]; then
    say "there is no saved copy of $1: put back your own"
    return 1
  fi
  cp -pP "$nc_copy" "$1.netchange-new" || return 1
  durable "$1.netchange-new"
  mv -f "$1.netchange-new" "$1" && durable "$1"
}

undo_step() {
  eval "nc_title=\$step_${n}_title nc_flag=\$step_${n}_flag nc_residue=\$step_${n}_residue"
  nc_any=
  nc_held=yes
  nc_kept=
  all "$n" is_ours || nc_held=
  [ -z "$nc_apart" ] || beside=yes
  # Where things are only counted (`blind`) and there are as many as before, that proves nothing.
  if [ -n "$nc_any" ] && [ "$nc_flag" != unknown ] && [ "$nc_flag" != blind ] && [ -z "$nc_moved" ]; then
    mark "$n" undone
    say "step $n: is as before: $nc_title"
    return 0
  fi
  if [ "$(status_of "$n")" = undoing ]; then
    say "step $n: finishing a rollback that was cut off"
  elif [ -z "$nc_held" ]; then
    say "step $n: somebody else has changed what it set:$unmet"
    if [ -n "$force" ]; then
      say "step $n: taken back all the same, as told"
    elif [ -n "$unattended" ]; then
      say "step $n: that is left alone, the rest of the step is taken back"
      nc_kept=$nc_left
    else
      die 3 "stopped before step $n; look at it, then use --force to take it back all the same"
    fi
  fi
  mark "$n" undoing
  say "step $n: taking back: $nc_title"
  # What a command returns is not what decides: the state is read back below.
  "step_${n}_undo"
  if ! all "$n" is_back; then
    say "step $n: not as before:$unmet"
    failed="$failed $n"
    if [ -z "$force$unattended" ]; then
      die 4 "stopped at step $n; see $state/log; $state/before holds the state before the change"
    fi
    return 0
  fi
  if [ -n "$nc_kept" ]; then
    # What is left may be looked at, and taken back, later.
    mark "$n" applied
    left="$left $n"
    return 0
  fi
  mark "$n" undone
  if [ "$nc_flag" = unknown ]; then
    partial="$partial $n"
    say "step $n: nothing is known to take back what its command did beyond this"
  fi
  [ -z "$nc_residue" ] || printf '%s\n' "$nc_residue" | while read -r nc_line; do say "  remains: $nc_line"; done
}

# Whether all that was taken back is as the first step that touched it found it.
as_at_first() {
  seen=
  nc_kept=
  nc_i=$to
  while [ "$nc_i" -le "$NC_LAST" ]; do
    case $(status_of "$nc_i") in
    undoing | undone) all "$nc_i" first_back || return 1 ;;
    esac
    nc_i=$((nc_i + 1))
  done
}

case $mode in
list) list_steps; exit 0 ;;
confirm) confirm ;;
dry) dry_run; exit 0 ;;
esac

if [ -n "$timer" ]; then
  trap '' HUP
  # Told to apply.sh, which waits for it; then its terminal is let go.
  printf '%s %s\n' "$$" "$(start_of $$)"
  exec </dev/null >>"$state/log" 2>&1
  sleep "$timer"
fi
if [ ! -d "$state" ]; then
  printf '%s\n' "$NC_NAME: nothing of this plan was applied here ($state does not exist)" >&2
  exit 0
fi
if [ -n "$unattended" ]; then
  exec </dev/null >>"$state/log" 2>&1
  trap '' HUP
  decide || exit 0
  note "not confirmed in time: taking everything back"
  end_apply
fi
# shellcheck disable=SC2086 # a list of words that this script was made with
need_tools $NC_TOOLS
lock
trap 'note "stopped by a signal"; exit 129' HUP
trap 'note "stopped by a signal"; exit 130' INT
trap 'note "stopped by a signal"; exit 143' TERM
[ -z "$unattended" ] || trap '' HUP
failed=
left=
partial=
beside=
some=
n=$NC_LAST
while [ "$n" -ge "$to" ]; do
  if applied "$n"; then some=yes; fi
  n=$((n - 1))
done
if [ -z "$some" ]; then
  say "nothing to take back: no step of this plan is applied"
  exit 0
fi
if [ -z "$force$unattended" ] && foreign; then
  say "somebody else has changed what was set:$nc_bad"
  die 3 "nothing was changed; look at it, then use --force to take it back all the same"
fi
decide || note "it was confirmed; taken back all the same, by hand"
stop_timer
n=$NC_LAST
while [ "$n" -ge "$to" ]; do
  if applied "$n"; then undo_step; fi
  n=$((n - 1))
done
# What an older step was to put right may have stood in the way of a newer one: the end counts.
if [ -n "$failed" ] && [ -z "$left" ] && as_at_first; then
  for nc_i in $failed; do mark "$nc_i" undone; done
  failed=
fi
[ -z "$failed" ] || die 4 "not as before: step$failed; $state/before holds the state before the change"
[ -z "$left" ] || die 3 "left alone, because somebody else has changed them: step$left"
if [ -n "$partial" ]; then
  say "taken back, but for what the commands of step$partial did: nothing is known of that"
  exit 7
fi
if [ -n "$beside" ]; then
  say "taken back: the node is as before, but for what others have changed meanwhile"
else
  say "taken back: the node is as before"
fi
exit 0
