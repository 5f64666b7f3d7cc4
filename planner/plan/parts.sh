# ---- by part: what of a thing is the step's own, where others have changed it too ------------------------------

# Of what is not as the step left it, step_N_part tells the part that is the step's own. It answers in nc_part:
#   before   nothing of the step is left there
#   after    what the step did is there, and how to take it back is plain
#   doubt    the same, but where a rule stood among those of others is not
#   foreign  the very same was changed by somebody else
nc_making=
nc_by_number=
nc_kept=
nc_pretend=
nc_pretending=
nc_part=
nc_by_part=
nc_new_policy=
nc_older=
nc_known=
nc_fresh=

# How a thing stands that is not as before: as after the step, as it was found right after it, or changed by others.
judge_ours() {
  [ "$3" = '?' ] && return 0
  look "$@"
  [ "=$nc_found" = "$3" ] && return 0
  if [ "$4" = '?' ] || [ "=$nc_found" = "$4" ]; then
    nc_moved=yes
    return 0
  fi
  nc_recorded=$4
  if [ -r "$state/step-$nc_step.after" ]; then
    nc_recorded=$(sed -n "${nc_thing}p" "$state/step-$nc_step.after")
    if [ "=$nc_found" = "$nc_recorded" ]; then
      nc_moved=yes
      return 0
    fi
  fi
  nc_apart="$nc_apart $nc_thing"
  nc_is=$nc_found
  nc_part=foreign
  nc_why=
  # Where the step did not do what was foreseen, its part is not known.
  if [ "$nc_recorded" = "$4" ] || [ "$nc_recorded" = "$3" ]; then
    apart "$nc_thing"
  else
    nc_unsure="$nc_unsure $nc_thing"
    if [ -n "$nc_pretend" ]; then
      case $nc_older in *"$nc_line_end$nc_key$nc_line_end"*) return 0 ;; esac
    fi
  fi
  if [ -n "$nc_pretend" ] && [ -n "$nc_by_part" ]; then
    nc_older="$nc_older$nc_line_end$nc_key$nc_line_end"
    [ "$nc_part" != after ] || pretend
  fi
  case $nc_part in
  before) return 0 ;;
  after)
    nc_moved=yes
    return 0
    ;;
  doubt)
    nc_moved=yes
    if [ -n "$force$unattended" ]; then
      note "step $nc_step:$nc_why"
      return 0
    fi
    ;;
  esac
  nc_moved=yes
  nc_left="$nc_left $nc_thing"
  unmet="$unmet
  neither holds: $1; nor: $2; found: $(shorten "$nc_is")$nc_why"
}

# As before the step, but for what others have added, and for what is left to them.
is_back() {
  nc_thing=$((nc_thing + 1))
  judge_back "$@"
}

first_back() {
  nc_thing=$((nc_thing + 1))
  key_of "$@"
  case $seen in *"
$nc_key
"*) return 0 ;; esac
  seen="$seen
$nc_key
"
  judge_back "$@"
}

judge_back() {
  [ "$3" = '?' ] && return 0
  case " $nc_kept " in *" $nc_thing "*) return 0 ;; esac
  look "$@"
  [ "=$nc_found" = "$3" ] && return 0
  # A route that the kernel has made (RTPROT_KERNEL) follows its address, which may be among what is left.
  case $4 in *' proto 2 '*) [ -z "$nc_kept" ] || [ "=$nc_found" != "$4" ] || return 0 ;; esac
  nc_is=$nc_found
  nc_part=foreign
  nc_why=
  apart "$nc_thing"
  [ "$nc_part" = before ] && return 0
  unmet="$unmet
  must hold: $1; found: $(shorten "$nc_is")$nc_why"
}

# The part of thing NUMBER: sets nc_part and nc_why.
apart() {
  nc_part=before
  nc_why=
  "step_${nc_step}_part" "$1" || nc_part=foreign
}

# The worst of all answers counts, in the order before, after, doubt, foreign.
at_least() {
  case $1$nc_part in
  foreign* | *before | doubtafter) nc_part=$1 ;;
  esac
}

because() {
  nc_why="$nc_why
    $*"
}

# Takes the part of a thing back in a copy of its table or set, where the parts of older steps are looked for.
pretend() {
  for nc_file in head body tail deleted; do : >"$state/part-$nc_file"; done
  nc_because=$nc_why
  nc_making=yes
  nc_pretending=yes
  "step_${nc_step}_part" "$nc_thing"
  nc_making=
  nc_pretending=
  nc_part=after
  nc_why=$nc_because
}

# part BEFORE AFTER COMMAND…: what the command prints is the step's own.
part() {
  nc_one=$1
  nc_other=$2
  shift 2
  nc_by_part=yes
  [ -z "$nc_pretending" ] || return 0
  if [ -n "$nc_pretend" ]; then
    # A newer step has had its say about it.
    case $nc_known in *"$nc_line_end$*$nc_line_end"*) return 0 ;; esac
    nc_fresh="$nc_fresh$*$nc_line_end"
  fi
  nc_found=$(value_of "$@")
  case "=$nc_found" in
  "$nc_one") ;;
  "$nc_other") at_least after ;;
  *) at_least foreign ;;
  esac
}

# mine THINGS COMMAND…: runs it, unless one of the things is left to somebody else.
mine() {
  nc_of=$1
  shift
  for nc_one in $nc_of; do
    case " $nc_kept " in *" $nc_one "*)
      note "left alone, not run: $*"
      # What the same command would have written is left with it: the mode of a file with its text.
      nc_kept="$nc_kept $nc_of"
      return 0
      ;;
    esac
  done
  "$@"
}

mixed() {
  for nc_one in $1; do
    case " $nc_apart " in *" $nc_one "*) return 0 ;; esac
  done
  return 1
}

# ---- rules

# back_table THINGS COMMAND…: runs it with its input, which writes chains as a whole. Where others have written in one of
# them, the rules of the step are taken back one by one, in one transaction for the table all the same.
back_table() {
  nc_of=$1
  shift
  if ! mixed "$nc_of"; then
    "$@"
    return
  fi
  for nc_by_number in '' yes; do
    transaction "$nc_of"
    nc_back=0
    "$@" <"$state/transaction" || nc_back=$?
    [ "$nc_back" -ne 0 ] || break
  done
  nc_by_number=
  return "$nc_back"
}

transaction() {
  for nc_one in head body tail deleted; do : >"$state/part-$nc_one"; done
  nc_making=yes
  for nc_thing in $1; do
    case " $nc_unsure " in *" $nc_thing "*) [ -n "$force" ] || continue ;; esac
    "step_${nc_step}_part" "$nc_thing"
  done
  nc_making=
  # A chain of the step goes, unless rules of others are in it or lead to it.
  : >"$state/part-gone"
  while IFS= read -r nc_chain; do
    referred "$(literal "$nc_chain")" || printf '%s\n' "-X $nc_chain" >>"$state/part-gone"
  done <"$state/part-tail"
  {
    printf '*%s\n' "$nc_table"
    cat "$state/part-head" "$state/part-body" "$state/part-gone"
    printf 'COMMIT\n'
  } >"$state/transaction"
}

literal() {
  printf '%s' "$1" | sed 's/[][\.*^$/]/\\&/g'
}

# Whether a rule leads to the chain that will not be deleted: a regular expression of its name.
referred() {
  grep -e " -[jg] $1\$" -e " -[jg] $1 " "$state/part-live" >"$state/part-jumps"
  if [ -n "$nc_making" ] || [ -s "$state/part-deleted" ]; then
    grep -vxFf "$state/part-deleted" "$state/part-jumps" >"$state/part-found"
    [ -s "$state/part-found" ]
  else
    [ -s "$state/part-jumps" ]
  fi
}

# What of a table's chains is the step's: read from the description of them.
chains() {
  nc_by_part=yes
  while IFS= read -r nc_line; do
    nc_rest=${nc_line#* }
    case $nc_line in
    'table '*)
      nc_table=${nc_rest##* }
      read_table "${nc_rest% *}" || return 0
      ;;
    'chain '*)
      nc_chain=$nc_rest
      nc_owner=
      nc_policy=
      nc_new_policy=
      ;;
    'cut '*) nc_cut=$nc_rest ;;
    'kind '*)
      nc_kind=$nc_rest
      begin_chain
      ;;
    'policy '*) begin_policy "$nc_rest" ;;
    'owner '*) nc_owner=$nc_rest ;;
    'digest '*)
      nc_rewritten=yes
      [ "$(sha256sum <"$state/part-chain")" != "$nc_rest  -" ] || nc_rewritten=
      ;;
    'hunk '*) begin_hunk "$nc_rest" ;;
    '< '*) bound_above ;;
    '> '*) bound_below ;;
    '- '*) printf '%s\n' "$nc_rest" >>"$state/part-ours" ;;
    '+ '*) printf '%s\n' "$nc_rest" >>"$state/part-back" ;;
    '.') end_hunk ;;
    'end') end_chain ;;
    esac
  done
  [ -z "$nc_pretending" ] || pretend_table
}

# What cannot be read is not absent. A table with rules that only nft can tell is printed as a remark (iptables-nft-save).
read_table() {
  [ -n "$nc_making" ] || : >"$state/part-deleted"
  nc_copy="$state/pretended-${1##*/}-$nc_table"
  if [ -n "$nc_pretend" ] && [ -f "$nc_copy" ]; then
    cp "$nc_copy" "$state/part-live"
    return 0
  fi
  if "$(real "$1")" </dev/null >"$state/part-all" 2>/dev/null &&
    ! grep -q "^# Table .$nc_table. is incompatible" "$state/part-all"; then
    sed -n "/^\\*$nc_table\$/,/^COMMIT\$/p" "$state/part-all" >"$state/part-live"
    return 0
  fi
  at_least foreign
  because "$1 does not tell the rules of table $nc_table"
  return 1
}

begin_chain() {
  sed -n -e "s/^-A $nc_cut \\(.*\\)\$/\\1/p" -e "s/^-A $nc_cut\$//p" "$state/part-live" >"$state/part-chain"
  nc_size=$(grep -c '' "$state/part-chain")
  : >"$state/part-edits"
  nc_number=0
  nc_taken=0
  nc_there=
  grep -q "^:$nc_cut " "$state/part-live" && nc_there=yes
  case $nc_kind in
  both)
    if [ -z "$nc_there" ]; then
      at_least foreign
      because "chain $nc_chain of table $nc_table is not there any more"
    fi
    ;;
  deleted)
    if [ -z "$nc_there" ]; then
      at_least after
      [ -z "$nc_making" ] || printf ':%s - [0:0]\n' "$nc_chain" >>"$state/part-head"
    fi
    ;;
  esac
}

begin_policy() {
  [ -z "$nc_pretending" ] || nc_new_policy=$1
  nc_policy=$(sed -n "s/^:$nc_cut \\([^ ]*\\) .*/\\1/p" "$state/part-live")
  [ "${nc_policy:-ACCEPT}" = "$1" ] && return 0
  at_least after
  [ -z "$nc_making" ] || printf ':%s %s [0:0]\n' "$nc_chain" "$1" >>"$state/part-head"
}

begin_hunk() {
  : >"$state/part-ours"
  : >"$state/part-back"
  nc_top=0
  nc_above=lost
  nc_low=$((nc_size + 1))
  nc_below=lost
  nc_bound=
  nc_tried=0
  nc_sought=0
  case $1 in *'^'*) nc_above=start ;; esac
  case $1 in *'$'*) nc_below=end ;; esac
  case $1 in *'!'*) nc_bound=yes ;; esac
}

# Unchanged rules around the place, the nearest first: the first that stands there once says where it is.
bound_above() {
  nc_tried=$((nc_tried + 1))
  [ "$nc_above" = lost ] || return 0
  places_of "$nc_rest" "$state/part-chain"
  if [ "$nc_count" -eq 1 ]; then
    nc_top=$nc_places
    nc_above=far
    [ "$nc_tried" -gt 1 ] || nc_above=near
  fi
}

bound_below() {
  nc_sought=$((nc_sought + 1))
  [ "$nc_below" = lost ] || return 0
  places_of "$nc_rest" "$state/part-chain"
  if [ "$nc_count" -eq 1 ]; then
    nc_low=$nc_places
    nc_below=far
    [ "$nc_sought" -gt 1 ] || nc_below=near
  fi
}

# places_of LINE FILE: the numbers of the lines that are exactly this.
places_of() {
  nc_places=$(grep -nxF -e "$1" "$2" | sed 's/:.*//')
  # shellcheck disable=SC2086 # words
  set -- $nc_places
  nc_count=$#
}

# How many of the lines of FILE there are in the region, as often as there: all, some, none, or other.
share() {
  : >"$state/part-met"
  nc_share=none
  [ -s "$1" ] || return 0
  grep -xFf "$1" "$state/part-region" >"$state/part-met"
  [ -s "$state/part-met" ] || return 0
  sort "$1" | uniq -c >"$state/part-one"
  sort "$state/part-met" | uniq -c >"$state/part-other"
  nc_share=some
  if grep -vxFf "$state/part-one" "$state/part-other" >/dev/null; then
    nc_share=other
  elif [ "$(grep -c '' "$state/part-one")" -eq "$(grep -c '' "$state/part-other")" ]; then
    nc_share=all
  fi
}

clash() {
  at_least foreign
  because "chain $nc_chain of table $nc_table: $*"
}

# The rules between the neighbours: which are the step's, and where those come back that it has taken away.
end_hunk() {
  [ -n "$nc_there" ] || [ "$nc_kind" = base ] || [ "$nc_kind" = deleted ] || return 0
  if [ "$nc_kind" = deleted ] && [ -z "$nc_there" ]; then
    put_back 1 "$state/part-back"
    return 0
  fi
  if [ "$nc_top" -ge "$nc_low" ]; then
    clash "the rules around the step's stand in another order"
    return 0
  fi
  if [ -n "$nc_bound" ]; then
    case $nc_above$nc_below in *far* | *lost*)
      clash "the rules that were next to the step's are not there any more"
      [ -n "$force" ] || return 0
      ;;
    esac
  fi
  sed -n "$((nc_top + 1)),\${$nc_low,\$d
p
}" "$state/part-chain" >"$state/part-region"
  nc_ours=$(grep -c '' "$state/part-ours")
  nc_first=
  nc_last=
  nc_mine=0
  if [ "$(cat "$state/part-region")" = "$(cat "$state/part-ours")" ]; then
    # As the step left it: nothing needs to be counted.
    nc_returned=none
    nc_share=none
    if [ "$nc_ours" -gt 0 ]; then
      at_least after
      nc_mine=$nc_ours
      nc_first=$((nc_top + 1))
      nc_last=$((nc_top + nc_ours))
    fi
  else
    share "$state/part-back"
    nc_returned=$nc_share
    share "$state/part-ours"
  fi
  if [ "$nc_share" = other ]; then
    clash "a rule of the step stands there more than once: $(shorten "$(sed -n 1p "$state/part-met")")"
    [ -n "$force" ] || return 0
  fi
  if [ "$nc_share" != none ]; then
    at_least after
    for nc_place in $(grep -nxFf "$state/part-ours" "$state/part-region" | sed 's/:.*//'); do
      nc_place=$((nc_place + nc_top))
      [ -n "$nc_first" ] || nc_first=$nc_place
      nc_last=$nc_place
      nc_mine=$((nc_mine + 1))
    done
  fi
  if [ -s "$state/part-back" ] && [ "$nc_returned" != all ]; then
    return_place || [ -n "$force" ] || return 0
    at_least after
    put_back "$nc_at" "$state/part-back"
  fi
  [ "$nc_mine" -eq 0 ] || take_away
}

# Where the rules come back: sets nc_at; fails when somebody has changed what stood there.
return_place() {
  nc_at=${nc_first:-$((nc_top + 1))}
  if [ "$nc_ours" -gt 0 ] && [ "$nc_mine" -eq "$nc_ours" ] && [ $((nc_last - nc_first + 1)) -eq "$nc_ours" ] &&
    [ "$nc_returned" = none ] && [ -z "$nc_owner" ]; then
    return 0
  fi
  nc_others=$(($(grep -c '' "$state/part-region") - nc_mine))
  nc_rule=$(shorten "$(sed -n 1p "$state/part-back")")
  if [ "$nc_returned" != none ]; then
    clash "of the rules that the step took away some are back: $nc_rule"
    return 1
  fi
  if [ -n "$nc_owner" ] && [ -n "$nc_rewritten" ]; then
    clash "$nc_owner has written it again: the former rule is not put among the new ones: $nc_rule"
    return 1
  fi
  if [ "$nc_mine" -lt "$nc_ours" ]; then
    clash "the rule that the step put in the place of this one is not there any more: $nc_rule"
    return 1
  fi
  if [ "$nc_ours" -gt 0 ]; then
    [ $((nc_last - nc_first + 1)) -gt "$nc_ours" ] || return 0
    doubt
    return 0
  fi
  case $nc_above-$nc_below in
  lost-lost)
    clash "none of the rules around it is there any more: $nc_rule"
    return 1
    ;;
  start-near) nc_at=$nc_low && return 0 ;;
  near-end) return 0 ;;
  esac
  [ "$nc_others" -eq 0 ] || doubt
}

# What worked before is to work again: where nothing tells, the former rule comes before those of others.
doubt() {
  at_least doubt
  because "chain $nc_chain of table $nc_table: others have put rules where this one stood; it can only be guessed that it comes before theirs: $nc_rule"
}

put_back() {
  [ -n "$nc_making" ] || return 0
  while IFS= read -r nc_rule; do
    nc_number=$((nc_number + 1))
    printf '%s %s I %s\n' "$1" "$nc_number" "$nc_rule" >>"$state/part-edits"
  done <"$2"
}

take_away() {
  nc_taken=$((nc_taken + nc_mine))
  [ -n "$nc_making" ] || return 0
  grep -nxFf "$state/part-ours" "$state/part-region" >"$state/part-met"
  while IFS= read -r nc_rule; do
    nc_number=$((nc_number + 1))
    printf '%s %s D %s\n' "$((${nc_rule%%:*} + nc_top))" "$nc_number" "${nc_rule#*:}" >>"$state/part-edits"
    printf '%s\n' "-A $nc_chain ${nc_rule#*:}" >>"$state/part-deleted"
  done <"$state/part-met"
}

# The chain as it is once the step is taken back, in the copy of its table. All places are those from before.
pretend_chain() {
  sort -k1,1n -k2,2n "$state/part-edits" >"$state/part-sorted"
  : >"$state/part-appended"
  : >"$state/part-removed"
  while read -r nc_place nc_number nc_do nc_rule; do
    if [ "$nc_do" = D ]; then
      printf '%sd\n' "$nc_place" >>"$state/part-removed"
    elif [ "$nc_place" -gt "$nc_size" ]; then
      printf '%s\n' "$nc_rule" >>"$state/part-appended"
    else
      case $nc_rule in *\\*) nc_rule=$(printf '%s\n' "$nc_rule" | sed 's/\\/\\\\/g') ;; esac
      printf '%si\\\n%s\n' "$nc_place" "$nc_rule"
    fi
  done <"$state/part-sorted" >"$state/part-script"
  cat "$state/part-removed" >>"$state/part-script"
  sed -f "$state/part-script" "$state/part-chain" >"$state/part-after"
  cat "$state/part-appended" >>"$state/part-after"
  sed -e "/^-A $nc_cut /d" -e "/^-A $nc_cut\$/d" "$state/part-live" >"$state/part-new"
  if [ "$nc_kind" = deleted ] && [ -z "$nc_there" ]; then printf ':%s - [0:0]\n' "$nc_chain" >>"$state/part-new"; fi
  if [ -n "$nc_new_policy" ]; then
    sed "s/^\\(:$nc_cut \\)[^ ]*/\\1$nc_new_policy/" "$state/part-new" >"$state/part-live"
    mv -f "$state/part-live" "$state/part-new"
  fi
  while IFS= read -r nc_rule; do printf '%s\n' "-A $nc_chain $nc_rule"; done <"$state/part-after" >>"$state/part-new"
  mv -f "$state/part-new" "$state/part-live"
}

pretend_table() {
  while IFS= read -r nc_chain; do
    nc_cut=$(literal "$nc_chain")
    if ! referred "$nc_cut"; then
      sed "/^:$nc_cut /d" "$state/part-live" >"$state/part-new"
      mv -f "$state/part-new" "$state/part-live"
    fi
  done <"$state/part-tail"
  mv -f "$state/part-live" "$nc_copy"
}

end_chain() {
  if [ "$nc_kind" = made ] && [ -n "$nc_there" ]; then
    if [ "$nc_taken" -eq "$nc_size" ]; then
      if [ -n "$nc_making" ]; then
        printf '%s\n' "$nc_chain" >>"$state/part-tail"
      elif [ "$nc_size" -gt 0 ] || ! referred "$nc_cut"; then
        at_least after
      fi
    else
      note "chain $nc_chain of table $nc_table stays: there are rules of others in it"
    fi
  fi
  [ -n "$nc_making" ] || return 0
  if [ -n "$nc_pretending" ]; then
    pretend_chain
    return 0
  fi
  # From below: what is done there does not change the numbers above.
  sort -k1,1nr -k2,2nr "$state/part-edits" >"$state/part-sorted"
  while read -r nc_place nc_number nc_do nc_rule; do
    case $nc_do in
    I) printf '%s\n' "-I $nc_chain $nc_place $nc_rule" ;;
    D)
      places_of "$nc_rule" "$state/part-chain"
      # By its words: should somebody write there at this very moment, no rule of theirs is hit.
      if [ -n "$nc_by_number" ] || [ "$nc_count" -ne 1 ]; then
        printf '%s\n' "-D $nc_chain $nc_place"
      else
        printf '%s\n' "-D $nc_chain $nc_rule"
      fi
      ;;
    esac
  done <"$state/part-sorted" >>"$state/part-body"
}

# ---- elements of sets

# back_sets THINGS COMMAND…: runs it with its input, which writes sets as a whole; element by element where others have written too.
back_sets() {
  nc_of=$1
  shift
  if ! mixed "$nc_of"; then
    "$@"
    return
  fi
  : >"$state/transaction"
  nc_making=yes
  for nc_thing in $nc_of; do
    case " $nc_kept " in *" $nc_thing "*) continue ;; esac
    "step_${nc_step}_part" "$nc_thing"
  done
  nc_making=
  [ ! -s "$state/transaction" ] || "$@" <"$state/transaction"
}

elements() {
  : >"$state/part-ours"
  : >"$state/part-back"
  while IFS= read -r nc_line; do
    nc_rest=${nc_line#* }
    case $nc_line in
    'set '*) nc_set=$nc_rest ;;
    'create '*) nc_create=$nc_rest ;;
    'kind '*) nc_kind=$nc_rest ;;
    '- '*) printf '%s\n' "$nc_rest" >>"$state/part-ours" ;;
    '+ '*) printf '%s\n' "$nc_rest" >>"$state/part-back" ;;
    esac
  done
  nc_by_part=yes
  nc_there=
  nc_copy=$state/pretended-set-$(printf '%s' "$nc_set" | sha256sum | cut -c1-32)
  if [ -n "$nc_pretend" ] && [ -f "$nc_copy" ]; then
    cp "$nc_copy" "$state/part-live"
    if grep -q '^create ' "$state/part-live"; then nc_there=yes; fi
  else
    "$(real ipset)" save "$nc_set" </dev/null >"$state/part-live" 2>/dev/null && nc_there=yes
  fi
  sed -n 's/^add [^ ]* //p' "$state/part-live" | without_times >"$state/part-region"
  without_times <"$state/part-ours" >"$state/part-mine"
  without_times <"$state/part-back" >"$state/part-theirs"
  case $nc_kind$nc_there in
  both)
    at_least foreign
    because "ipset $nc_set is not there any more"
    return 0
    ;;
  deletedyes)
    if [ "$(sed -n 's/^create [^ ]* \([^ ]*\).*/\1/p' "$state/part-live")" != "${nc_create%% *}" ]; then
      at_least foreign
      because "somebody has made an ipset $nc_set of another type"
      return 0
    fi
    ;;
  deleted)
    at_least after
    [ -z "$nc_making" ] || printf 'create %s %s\n' "$nc_set" "$nc_create" >>"$state/transaction"
    ;;
  made) return 0 ;;
  esac
  # An element is told by its first word: with other options it was changed by somebody.
  sort "$state/part-mine" "$state/part-theirs" | sed 's/ .*//' | uniq >"$state/part-one"
  : >"$state/part-other-options"
  sed 's/ .*//' "$state/part-region" | grep -nxFf "$state/part-one" | sed 's/:.*//;s/$/p/' >"$state/part-lines"
  if [ -s "$state/part-lines" ]; then
    sort "$state/part-mine" "$state/part-theirs" >"$state/part-one"
    sed -n -f "$state/part-lines" "$state/part-region" | grep -vxFf "$state/part-one" >"$state/part-met"
    if [ -s "$state/part-met" ]; then
      at_least foreign
      because "ipset $nc_set: an element has other options: $(shorten "$(sed -n 1p "$state/part-met")")"
      [ -n "$force" ] || return 0
      cp "$state/part-met" "$state/part-other-options"
    fi
  fi
  share "$state/part-theirs"
  [ "$nc_share" = all ] || [ ! -s "$state/part-theirs" ] || at_least after
  share "$state/part-mine"
  [ "$nc_share" = none ] || at_least after
  if [ "$nc_kind" = made ] &&
    [ "$(sort "$state/part-met" "$state/part-other-options" | grep -c '')" -eq "$(grep -c '' "$state/part-region")" ]; then
    at_least after
    if [ -n "$nc_pretending" ]; then
      : >"$nc_copy"
    elif [ -n "$nc_making" ]; then
      printf 'destroy %s\n' "$nc_set" >>"$state/transaction"
    fi
    return 0
  fi
  [ "$nc_kind" != made ] || note "ipset $nc_set stays: there are elements of others in it"
  [ -n "$nc_making" ] || return 0
  if [ -n "$nc_pretending" ]; then
    pretend_set
    return 0
  fi
  sed -e 's/ .*//' -e "s|^|del $nc_set |" "$state/part-met" "$state/part-other-options" >>"$state/transaction"
  sed "s|^|add $nc_set |" "$state/part-back" >>"$state/transaction"
}

# The set as it is once the step is taken back, in its copy.
pretend_set() {
  {
    if [ -n "$nc_there" ]; then
      sed -n '/^create /p' "$state/part-live"
    else
      printf 'create %s %s\n' "$nc_set" "$nc_create"
    fi
    if [ -s "$state/part-met" ]; then
      grep -vxFf "$state/part-met" "$state/part-region"
    else
      cat "$state/part-region"
    fi | sed "s|^|add $nc_set |"
    sed "s|^|add $nc_set |" "$state/part-back"
  } >"$state/part-new"
  mv -f "$state/part-new" "$nc_copy"
}

# Remaining times and counters move by themselves.
without_times() {
  sed -e 's/ timeout [0-9]*//' -e 's/ packets [0-9]*//' -e 's/ bytes [0-9]*//'
}
