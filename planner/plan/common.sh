# ---- what apply.sh and rollback.sh share -----------------------------------------------------------------------
# POSIX sh: dash, bash, busybox ash. Nothing is needed on the node but its own tools.

LC_ALL=C
export LC_ALL
PATH="${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin"
export PATH
unset IFS
umask 022
# iptables-nft-save 1.8.9 recurses over its chains: 21,000 of them take more than 2 MiB of stack, 102,000 more than 8 (it dies).
# shellcheck disable=SC3045 # dash, bash and busybox have these options; where there are none the limit stays as it is
for nc_deep in 1048576 "$(ulimit -H -s 2>/dev/null)"; do
  if (ulimit -S -s "$nc_deep") 2>/dev/null; then
    ulimit -S -s "$nc_deep"
    break
  fi
done

state="${NETCHANGE_STATE:-/var/lib/netchange}/$NC_PLAN"
force=
interrupted=
nc_ticked=
nc_notes=
nc_ahead=
nc_printed=
nc_line_end='
'

# For people, and for the log once there is one.
say() {
  printf '%s\n' "$*" >&2 2>/dev/null
  note "$*"
}

# The clock is asked once a second: a rollback is not to wait for it.
note() {
  [ -d "$state" ] || return 0
  nc_tick=
  { read -r nc_tick nc_rest </proc/uptime; } 2>/dev/null
  nc_tick=${nc_tick%%.*}
  if [ -z "$nc_tick" ] || [ "$nc_tick" != "$nc_ticked" ]; then
    nc_ticked=$nc_tick
    nc_now=$(date -u '+%Y-%m-%dT%H:%M:%SZ')
  fi
  printf '%s %s\n' "$nc_now" "$*" >>"$state/log" 2>/dev/null
  return 0
}

# die STATUS SENTENCE
die() {
  nc_status=$1
  shift
  say "$NC_NAME: $*"
  exit "$nc_status"
}

# The file, and the directory it is in, are on the disk when this returns.
durable() {
  sync "$1" "${1%/*}/" 2>/dev/null || sync
}

# A file of the state directory, replaced at once: keep NAME TEXT
keep() {
  printf '%s\n' "$2" >"$state/$1.new" && mv -f "$state/$1.new" "$state/$1" && durable "$state/$1"
}

# begun, applied, undoing, undone; nothing when the step was never touched.
status_of() {
  if [ -r "$state/step-$1" ] && read -r nc_is <"$state/step-$1"; then printf '%s\n' "$nc_is"; fi
}

mark() {
  keep "step-$1" "$2" || die 1 "cannot write $state/step-$1"
  note "step $1: $2"
}

# A shell may bring applets of its own that it prefers to the node's programs (busybox), and that speak less.
real() {
  case $(command -v "$1" 2>/dev/null) in
  /*) printf '%s' "$1" ;;
  *) (
    IFS=:
    set -f
    for nc_dir in $PATH; do
      if [ -f "$nc_dir/$1" ] && [ -x "$nc_dir/$1" ]; then
        printf '%s' "$nc_dir/$1"
        exit 0
      fi
    done
    printf '%s' "$1"
  ) ;;
  esac
}

case $(command -v cat 2>/dev/null) in
/*) nc_applets= ;;
*) nc_applets=yes ;;
esac

# What a command prints, white space folded to one blank. Only to be called in a subshell: it sets an option there.
value_of() {
  set -f
  if [ -n "$nc_applets" ]; then
    nc_program=$(real "$1")
    shift
    set -- "$nc_program" "$@"
  elif [ "$1 ${2-}" = 'sh -c' ]; then
    # The same in the subshell that is there already.
    if [ -n "$nc_printed" ] && [ "${3#"$nc_printed | "}" != "$3" ]; then
      set -- eval "{ ${3#"$nc_printed | "}; } <\"\$state/printed\""
    else
      set -- eval "$3"
    fi
  fi
  # shellcheck disable=SC2046 # splitting is the point
  set -- $("$@" </dev/null 2>/dev/null)
  printf '%s' "$*"
}

# The exit status as a value.
status_value() {
  "$@" </dev/null >/dev/null 2>&1
  printf '%s\n' "$?"
}

# A value for people; the digest is that of an empty print.
shorten() {
  case $1 in
  '' | 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 -') printf 'nothing' ;;
  *) printf '%s' "$1" | tr -c ' -~' '?' | cut -c1-160 ;;
  esac
}

# ---- visitors: each is called for every thing of a step as
#      VISITOR 'how it is before' 'how it is after' '=before' '=after' COMMAND…     (`?` in place of a value: any)

unmet=

# Values of sysctls, many by one program: ahead VISITOR PATH…. What is not found there is read on its own.
ahead() {
  case $1 in nothing_seen | only_seen) return 0 ;; esac
  shift
  nc_ahead=$nc_line_end$(grep -s '' "$@" /dev/null 2>/dev/null)$nc_line_end
}

# What a program prints, for all things that read a part of it: printed_ahead VISITOR COMMAND.
printed_ahead() {
  case $1 in nothing_seen | only_seen) return 0 ;; esac
  nc_printed=
  if [ -d "$state" ] && (eval "$2" >"$state/printed" </dev/null) 2>/dev/null; then nc_printed=$2; fi
}

# The value of the sysctl that `cat PATH` would print, when it was read ahead and has one line.
read_ahead() {
  case $nc_ahead in *"$nc_line_end$2:"*) ;; *) return 1 ;; esac
  nc_rest=${nc_ahead#*"$nc_line_end$2:"}
  case $nc_rest in *"$nc_line_end$2:"*) return 1 ;; esac
  # They are asked for in the order in which they were read: what is left behind is not searched again.
  nc_ahead=$nc_line_end${nc_rest#*"$nc_line_end"}
  set -f
  # shellcheck disable=SC2086 # splitting is the point
  set -- ${nc_rest%%"$nc_line_end"*}
  set +f
  nc_found="$*"
}

# Each thing is read once for a judgement and its record together: reading may take seconds where there are many rules.
look() {
  if [ $# -ne 6 ] || [ "$5" != cat ] || [ -z "$nc_ahead" ] || ! read_ahead "$5" "$6"; then
    nc_found=$(shift 4 && value_of "$@")
  fi
  [ -z "$nc_notes" ] || printf '=%s\n' "$nc_found" >>"$nc_notes"
}

is_before() {
  [ "$3$nc_notes" = '?' ] && return 0
  look "$@"
  if [ "$3" = '?' ] || [ "=$nc_found" = "$3" ]; then return 0; fi
  unmet="$unmet
  must hold: $1; found: $(shorten "$nc_found")"
}

is_after() {
  [ "$4$nc_notes" = '?' ] && return 0
  look "$@"
  if [ "$4" = '?' ] || [ "=$nc_found" = "$4" ]; then return 0; fi
  unmet="$unmet
  must hold: $2; found: $(shorten "$nc_found")"
}

# A thing is told by the command that reads it.
key_of() {
  shift 4
  IFS='|'
  nc_key="$*"
  unset IFS
}

# Things that an earlier, or later, step touches as well are judged by that one.
first_before() {
  key_of "$@"
  case $seen in *"
$nc_key
"*) return 0 ;; esac
  seen="$seen
$nc_key
"
  is_before "$@"
}

first_ours() {
  nc_thing=$((nc_thing + 1))
  key_of "$@"
  case $seen in *"
$nc_key
"*) return 0 ;; esac
  nc_by_part=
  judge_ours "$@"
  # Of what was judged by the newest step's part alone, older steps tell their own.
  case $nc_by_part$nc_part in yesbefore | yesafter) return 0 ;; esac
  seen="$seen
$nc_key
"
}

# As before the step, or as the step left it; $nc_moved says whether it is not as before.
is_ours() {
  nc_any=yes
  nc_thing=$((nc_thing + 1))
  judge_ours "$@"
}

record() {
  look "$@"
  printf '=%s\n' "$nc_found"
}

# How a step's things stand: all STEP VISITOR, the sentences are in $unmet.
all() {
  unmet=
  nc_moved=
  nc_apart=
  nc_left=
  nc_unsure=
  nc_step=$1
  nc_thing=0
  "step_${1}_things" "$2"
  [ -z "$unmet" ]
}

# The same, and what was found goes to a file of the state directory: all_noted STEP VISITOR FILE
all_noted() {
  nc_notes="$state/$3.new"
  : >"$nc_notes" || die 1 "cannot write $nc_notes"
  all "$1" "$2"
  nc_held=$?
  mv -f "$nc_notes" "$state/$3"
  nc_notes=
  return "$nc_held"
}

# ---- actions

# What a command says goes to the log, and to people when it fails.
run() {
  note "\$ $*"
  nc_program=$(real "$1")
  shift
  set -- "$nc_program" "$@"
  "$@" >"$state/output" 2>&1
  nc_code=$?
  # A few lines, mostly: no program is needed for them.
  { while IFS= read -r nc_said; do printf '%s\n' "$nc_said"; done <"$state/output" >>"$state/log"; } 2>/dev/null
  [ "$nc_code" -eq 0 ] && return 0
  say "exit $nc_code: $*"
  tail -n 20 "$state/output" | tr -c ' -~\n' '?' | sed 's/^/  /' >&2
  return "$nc_code"
}

# put_file MODE PATH <TEXT: written beside it and renamed, so that nobody ever reads half of it.
# An empty mode keeps the owner and the permissions of the file that is there.
put_file() {
  note "\$ install $2"
  nc_new="$2.netchange-new"
  mkdir -p "${2%/*}/" && rm -f "$nc_new" || return 1
  if [ -f "$2" ] && [ ! -L "$2" ]; then
    cp -p "$2" "$nc_new" || return 1
  fi
  if ! cat >"$nc_new"; then
    rm -f "$nc_new"
    return 1
  fi
  if [ -n "$1" ]; then chmod "$1" "$nc_new" || return 1; fi
  durable "$nc_new"
  mv -f "$nc_new" "$2" || return 1
  durable "$2"
}

need_tools() {
  nc_missing=
  for nc_tool in cat cut date dirname grep mkdir mv sed sha256sum sort sync tail tr uniq "$@"; do
    command -v "$nc_tool" >/dev/null 2>&1 || nc_missing="$nc_missing $nc_tool"
  done
  [ -z "$nc_missing" ] || die 1 "not on this node:$nc_missing; nothing was changed"
}

# ---- one run at a time

# Nothing for one that has ended and that nobody has waited for yet (state Z): it holds nothing any more.
start_of() {
  { IFS= read -r nc_stat <"/proc/$1/stat"; } 2>/dev/null || return 0
  # Behind the name, which may hold anything: the state, and as the twentieth word the start.
  nc_stat=${nc_stat##*) }
  case $nc_stat in [ZX]*) return 0 ;; esac
  # shellcheck disable=SC2086
  set -- $nc_stat
  [ $# -lt 20 ] || shift 19
  printf '%s\n' "$1"
}

# A process is told by its number and its start: numbers are used again.
alive() {
  [ -n "${1:-}" ] && [ -n "${2:-}" ] && [ "$(start_of "$1")" = "$2" ]
}

lock() {
  if mkdir "$state/lock" 2>/dev/null; then
    :
  else
    nc_holder=
    [ -r "$state/lock/holder" ] && nc_holder=$(cat "$state/lock/holder")
    # shellcheck disable=SC2086 # words: number, start, script
    if alive $nc_holder; then
      die 6 "another run works on this plan (process ${nc_holder%% *}); nothing was changed by this one"
    fi
    note "taking over the lock of a process that is gone"
  fi
  printf '%s %s %s\n' "$$" "$(start_of $$)" "$NC_NAME" >"$state/lock/holder"
  trap 'unlock' EXIT
}

unlock() {
  rm -rf "$state/lock"
}

# ---- the timer: decision/ is made by whoever is first, the confirmation or the rollback

stop_timer() {
  [ -r "$state/timer" ] || return 0
  nc_timer=$(cat "$state/timer")
  rm -f "$state/timer"
  case $nc_timer in
  systemd\ *)
    systemctl stop "${nc_timer#systemd }.timer" >/dev/null 2>&1
    ;;
  process\ *)
    nc_timer=${nc_timer#process }
    # shellcheck disable=SC2086
    if alive $nc_timer && [ "${nc_timer%% *}" != "$$" ]; then
      kill -TERM "-${nc_timer%% *}" 2>/dev/null || kill -TERM "${nc_timer%% *}" 2>/dev/null
    fi
    ;;
  esac
  return 0
}

timer_runs() {
  [ -r "$state/timer" ] || return 1
  nc_timer=$(cat "$state/timer")
  # shellcheck disable=SC2086
  case $nc_timer in
  systemd\ *) systemctl is-active --quiet "${nc_timer#systemd }.timer" ;;
  process\ *) alive ${nc_timer#process } ;;
  *) return 1 ;;
  esac
}

confirm() {
  [ -d "$state" ] || die 1 "nothing of this plan was applied here ($state does not exist)"
  if mkdir "$state/decision" 2>/dev/null; then
    printf 'confirmed\n' >"$state/decision/is"
    durable "$state/decision/is"
    stop_timer
    say "confirmed: the change stays; rollback.sh in $state still takes it back"
    exit 0
  fi
  if [ "$(cat "$state/decision/is" 2>/dev/null)" = confirmed ]; then
    say "confirmed already"
    exit 0
  fi
  die 6 "too late: the rollback has begun; see $state/log"
}

list_steps() {
  nc_n=1
  while [ "$nc_n" -le "$NC_LAST" ]; do
    eval "nc_title=\$step_${nc_n}_title nc_remark=\$step_${nc_n}_remark"
    nc_is=$(status_of "$nc_n")
    printf '%3s  %-8s %s\n' "$nc_n" "${nc_is:--}" "$nc_title"
    [ -z "$nc_remark" ] || printf '              %s\n' "$nc_remark"
    nc_n=$((nc_n + 1))
  done
}

number() {
  case ${2:-} in
  '' | *[!0-9]*) die 1 "$1 needs a number" ;;
  esac
}
