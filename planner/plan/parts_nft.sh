
# ---- nft tables by rule and by element: what of them is the step's own ------------------------------------------

# nft deletes a rule by its handle only, and a handle is never used again in its table (nf_tables_alloc_handle). A
# listing is taken apart into lines of three fields, numbered by their place:
#   table, h, a flag or comment          chain NAME, o         chain NAME, h, what it says of itself
#   chain NAME, r, HANDLE RULE           set NAME, e, element
# part-flat has them as printed, part-live without counts and times, line by line the same.
nc_t=$(printf '\t')
nc_told=
nc_read=

flatten() {
  sed -n "
/^\$/d
/^table /d
/^}/d
/^${nc_t}}/d
/^${nc_t}[a-z].* {\( # handle [0-9]*\)*\$/{
  s/^${nc_t}\(.*\) {\( # handle [0-9]*\)*\$/\1/
  h
  s/\$/${nc_t}o${nc_t}/
  p
  d
}
/^${nc_t}[^${nc_t}]/{
  s/^${nc_t}/table${nc_t}h${nc_t}/
  p
  d
}
s/^${nc_t}${nc_t}//
/^elements = {/b elements
/ {\$/b block
b line
:block
N
/\n${nc_t}${nc_t}}.*\$/!b block
s/{\n${nc_t}*/{ /
s/\n${nc_t}${nc_t}}/; }/
s/\n${nc_t}*/; /g
:line
G
/ # handle [0-9]*\n/{
  s/^\(.*\) # handle \([0-9]*\)\n\(.*\)\$/\3${nc_t}r${nc_t}\2 \1/
  p
  d
}
s/^\(.*\)\n\(.*\)\$/\2${nc_t}h${nc_t}\1/
p
d
:elements
s/^elements = {//
:more
/,\$/!{
  s/ }\$//
  s/^[ ${nc_t}]*//
  G
  s/^\(.*\)\n\(.*\)\$/\2${nc_t}e${nc_t}\1/
  p
  d
}
s/^[ ${nc_t}]*//
G
s/^\(.*\)\n\(.*\)\$/\2${nc_t}e${nc_t}\1/
p
n
b more
" | sed "
/^[^${nc_t}]*${nc_t}e${nc_t}/!b
s/^\([^${nc_t}]*${nc_t}e${nc_t}\)\([^\",]*\(\"[^\"]*\"[^\",]*\)*\), *\(..*\)\$/\1\2\n\1\4/
t one
s/,\$//
b
:one
P
D
"
}

# What is told of things of a table: read from the description of them.
native() {
  while IFS= read -r nc_line; do
    nc_rest=${nc_line#* }
    case $nc_line in
    'table '*)
      nc_table=$nc_rest
      read_native || return 0
      ;;
    once)
      # A table that is compared as a whole is told at two places.
      [ -z "$nc_making" ] || [ -z "$nc_told" ] || return 0
      nc_told=$nc_making
      ;;
    'object '*)
      nc_object=$nc_rest
      nc_chain=${nc_object##* }
      nc_owner=
      nc_policy=
      nc_moving=
      nc_rewritten=
      for nc_one in b a ours back; do : >"$state/part-$nc_one"; done
      ;;
    'cut '*) nc_cut=$nc_rest ;;
    'kind '*) nc_kind=$nc_rest ;;
    'b '*) printf '%s\n' "$nc_rest" >>"$state/part-b" ;;
    'a '*) printf '%s\n' "$nc_rest" >>"$state/part-a" ;;
    'policy '*) nc_policy=$nc_rest ;;
    'owner '*) nc_owner=$nc_rest ;;
    'digest '*) nc_digest=$nc_rest ;;
    moving) nc_moving=yes ;;
    begin) begin_native ;;
    'hunk '*) begin_hunk "$nc_rest" ;;
    '< '*) bound_above ;;
    '> '*) bound_below ;;
    '- '*) printf '%s\n' "$nc_rest" >>"$state/part-ours" ;;
    '+ '*) printf '%s\n' "$nc_rest" >>"$state/part-back" ;;
    '.') [ -n "$nc_skip" ] || end_hunk ;;
    end) [ -n "$nc_skip" ] || end_native ;;
    esac
  done
}

# What cannot be read is not absent. A line break in a comment would make of one rule two lines.
read_native() {
  # Within a transaction every number is one of the same listing.
  [ -z "$nc_making" ] || [ -z "$nc_read" ] || return 0
  nc_read=$nc_making
  [ -n "$nc_making" ] || : >"$state/part-cut"
  nc_gone=
  # shellcheck disable=SC2086 # family and name
  if "$(real nft)" -a list table $nc_table </dev/null >"$state/part-all" 2>/dev/null; then
    if ! sed 's/"[^"]*"//g' "$state/part-all" | grep -q '"'; then
      flatten <"$state/part-all" >"$state/part-flat"
      stilled <"$state/part-all" | flatten >"$state/part-live"
      return 0
    fi
    nc_said="there is a line break in a comment of table $nc_table: its rules cannot be told"
  elif "$(real nft)" list tables </dev/null >"$state/part-all" 2>/dev/null &&
    ! grep -qxF "table $nc_table" "$state/part-all"; then
    nc_gone=yes
    : >"$state/part-flat"
    : >"$state/part-live"
    return 0
  else
    nc_said="nft does not tell the rules of table $nc_table"
  fi
  at_least foreign
  because "$nc_said"
  return 1
}

native_clash() {
  at_least foreign
  because "$nc_object of table $nc_table: $*"
}

# fields TAG FILE: the third fields of the thing's lines of one sort; lines TAG FILE: their numbers.
fields() {
  sed -n "s/^$nc_cut${nc_t}$1${nc_t}//p" "$2"
}

lines() {
  grep -n "^$nc_cut${nc_t}$1${nc_t}" "$2" | sed 's/:.*//'
}

# How the thing stands before its rules and elements are looked at. Nothing more is done where nc_skip is set.
begin_native() {
  nc_skip=
  nc_there=
  nc_number=0
  nc_taken=0
  nc_size=0
  if [ "$nc_object" = table ]; then
    begin_flags
    return 0
  fi
  ! grep -q "^$nc_cut${nc_t}o${nc_t}" "$state/part-live" || nc_there=yes
  fields h "$state/part-live" >"$state/part-h"
  case $nc_object in
  'chain '*)
    sed -e '/^policy [a-z]*;$/d' -e '/^type /s/ *policy [a-z]*;//' "$state/part-h" >"$state/part-one"
    fields r "$state/part-live" | sed 's/^[0-9]* //' >"$state/part-chain"
    lines r "$state/part-live" >"$state/part-at"
    nc_size=$(grep -c '' "$state/part-chain")
    : >"$state/part-edits"
    if [ -n "$nc_owner" ] && [ "$(sha256sum <"$state/part-chain")" != "$nc_digest  -" ]; then nc_rewritten=yes; fi
    ;;
  *) cat "$state/part-h" >"$state/part-one" ;;
  esac
  nc_found=$(cat "$state/part-one")
  nc_was=$(cat "$state/part-b")
  nc_is_now=$(cat "$state/part-a")
  case $nc_kind$nc_there in
  made) nc_skip=yes ;;
  deleted)
    at_least after
    begin_again "$state/part-make"
    ;;
  both | again)
    native_clash "it is not there any more"
    nc_skip=yes
    ;;
  deletedyes)
    if [ "$nc_found" != "$nc_was" ]; then
      native_clash "somebody has made another in its place"
      nc_skip=yes
    fi
    ;;
  *)
    if [ "$nc_kind" = again ] && [ "$nc_found" = "$nc_was" ]; then
      nc_kind=both
    elif [ "$nc_found" != "$nc_is_now" ]; then
      native_clash "somebody has made it anew, and otherwise"
      nc_skip=yes
    elif [ "$nc_kind" = again ]; then
      at_least after
      begin_again "$state/part-again"
    fi
    ;;
  esac
  if [ -z "$nc_skip" ] && [ -n "$nc_policy" ] && [ "$nc_kind$nc_there" = bothyes ] &&
    ! grep -q "^type .*policy $nc_policy;\|^policy $nc_policy;" "$state/part-h"; then
    at_least after
    set_policy "$nc_policy"
  fi
}

set_policy() {
  [ -z "$nc_making" ] || printf 'chain %s %s { policy %s; }\n' "$nc_table" "$nc_chain" "$1" >>"$state/part-policies"
}

# What it says of itself when it is made anew.
begin_again() {
  [ -n "$nc_making" ] || return 0
  printf '%s\n' "$nc_object" >>"$1"
  {
    sed "s|^|$nc_object${nc_t}h${nc_t}|" "$state/part-b"
    [ -n "$nc_policy" ] || ! grep -q '^type ' "$state/part-b" || nc_policy=$(sed -n 's/^.*policy \([a-z]*\);.*$/\1/p' "$state/part-h")
    [ -z "$nc_policy" ] || printf '%s\n' "$nc_object${nc_t}h${nc_t}policy $nc_policy;"
  } >>"$state/part-heads"
}

# Flags and comment of the table.
begin_flags() {
  nc_skip=yes
  nc_found=$(fields h "$state/part-live")
  nc_was=$(cat "$state/part-b")
  case $nc_kind$nc_gone in
  deletedyes) at_least after ;;
  deleted) return 0 ;;
  *)
    [ "$nc_found" != "$nc_was" ] || return 0
    if [ "$nc_found" != "$(cat "$state/part-a")" ]; then
      native_clash "it has other flags, or another comment: $(shorten "$nc_found")"
      return 0
    fi
    at_least after
    ;;
  esac
  [ -n "$nc_making" ] || return 0
  nc_flags=yes
  [ "$nc_kind" != again ] || nc_anew=yes
  sed "s|^|table${nc_t}h${nc_t}|" "$state/part-b" >"$state/part-flags"
}

end_native() {
  case $nc_object in
  'chain '*) end_native_chain ;;
  'set '*|'map '*) end_native_set ;;
  *) nc_others= ;;
  esac
  [ "$nc_kind" = made ] || return 0
  if [ -n "$nc_others" ]; then
    note "$nc_object of table $nc_table stays: there is something of others in it"
    # A policy that the step has set is none of theirs: what was let through before is let through again.
    case $nc_object in 'chain '*)
      if grep -q '^type .*policy drop;' "$state/part-h"; then
        at_least after
        set_policy accept
      fi
      ;;
    esac
  elif [ -n "$nc_making" ]; then
    printf '%s\n' "$nc_object" >>"$state/part-tail"
  elif [ "$nc_taken" -gt 0 ] || ! named "$nc_object"; then
    at_least after
  fi
}

end_native_chain() {
  nc_others=
  [ "$nc_taken" -eq "$nc_size" ] || nc_others=yes
  [ -n "$nc_making" ] || return 0
  while read -r nc_place nc_number nc_do nc_rule; do
    case $nc_do in
    I) printf '%s\n' "$nc_object${nc_t}$nc_place${nc_t}$nc_number${nc_t}$nc_rule" >>"$state/part-puts" ;;
    D) sed -n "${nc_place}p" "$state/part-at" >>"$state/part-cut" ;;
    esac
  done <"$state/part-edits"
}

# ---- elements

# The key of an element: without what is kept with it.
keys() {
  sed -e 's/ : .*//' -e 's/ counter packets .*//' -e 's/ counter$//' -e 's/ timeout .*//' -e 's/ expires .*//' \
    -e 's/ comment ".*//' -e 's/ limit rate .*//' -e 's/ quota .*//' -e 's/ ct count .*//' -e 's/ last$//' -e 's/ last used .*//'
}

# Lines of the second file that are in the first; that are not: grep with a file of no patterns is not the same everywhere.
among() {
  if [ -s "$1" ]; then grep -xFf "$1" "$2"; fi
}

beyond() {
  if [ -s "$1" ]; then grep -vxFf "$1" "$2"; else cat "$2"; fi
}

end_native_set() {
  nc_others=
  if [ -n "$nc_moving" ]; then return 0; fi
  grep -n "^$nc_cut${nc_t}e${nc_t}" "$state/part-live" | grep -v '^[^"]* timeout ' >"$state/part-found"
  sed 's/:.*//' "$state/part-found" >"$state/part-at"
  sed "s/^[0-9]*:$nc_cut${nc_t}e${nc_t}//" "$state/part-found" >"$state/part-region"
  cat "$state/part-ours" "$state/part-back" >"$state/part-both"
  cat "$state/part-ours" >"$state/part-mine"
  # An element is told by its key: with other data or another comment it was changed by somebody.
  keys <"$state/part-both" >"$state/part-one"
  keys <"$state/part-region" >"$state/part-other"
  if [ -s "$state/part-one" ]; then
    grep -nxFf "$state/part-one" "$state/part-other" | sed 's/:.*/p/' >"$state/part-lines"
    sed -n -f "$state/part-lines" "$state/part-region" >"$state/part-one"
    beyond "$state/part-both" "$state/part-one" >"$state/part-met"
    if [ -s "$state/part-met" ]; then
      native_clash "somebody has written an element otherwise: $(shorten "$(sed -n 1p "$state/part-met")")"
      [ -n "$force" ] || return 0
      cat "$state/part-met" >>"$state/part-mine"
    fi
  fi
  beyond "$state/part-both" "$state/part-region" >"$state/part-theirs"
  # What is left when the step's own are gone is the others'.
  beyond "$state/part-ours" "$state/part-region" >"$state/part-one"
  [ ! -s "$state/part-one" ] || nc_others=yes
  if [ "$nc_kind" = made ] && fields e "$state/part-live" | grep -q '^[^"]* timeout '; then nc_others=yes; fi
  if [ "$nc_kind" = again ] && [ -n "$nc_others" ] &&
    [ "$(grep '^type ' "$state/part-a")" != "$(grep '^type ' "$state/part-b")" ]; then
    native_clash "others have put elements into it, and it becomes one of another type"
    return 0
  fi
  beyond "$state/part-region" "$state/part-back" >"$state/part-met"
  if [ -s "$state/part-theirs" ] && grep -q '^flags .*interval' "$state/part-h"; then
    merged || [ -n "$force" ] || return 0
  fi
  if [ -s "$state/part-met" ]; then
    at_least after
    [ -z "$nc_making" ] || sed "s|^|$nc_object${nc_t}e${nc_t}|" "$state/part-met" >>"$state/part-more"
    nc_taken=1
  fi
  if [ -s "$state/part-mine" ]; then take_elements; fi
  if [ "$nc_taken" -gt 0 ] && constant; then begin_again "$state/part-again"; fi
}

take_elements() {
  grep -nxFf "$state/part-mine" "$state/part-region" | sed 's/:.*/p/' >"$state/part-lines"
  if [ -s "$state/part-lines" ]; then
    at_least after
    nc_taken=1
    [ -z "$nc_making" ] || sed -n -f "$state/part-lines" "$state/part-at" >>"$state/part-cut"
  fi
}

# A set that is constant takes no other elements: it is made anew.
constant() {
  grep -q '^flags .*constant' "$state/part-h" && [ "$nc_kind$nc_there" = bothyes ]
}

# Intervals of others may hold those of the step. What is to come back and lies in one is there (it leaves part-met);
# where the step's own lies in one, nobody can tell whose it is.
merged() {
  : >"$state/part-one"
  while IFS= read -r nc_element; do
    held "$nc_element" || printf '%s\n' "$nc_element" >>"$state/part-one"
  done <"$state/part-met"
  cat "$state/part-one" >"$state/part-met"
  beyond "$state/part-region" "$state/part-ours" >"$state/part-one"
  while IFS= read -r nc_element; do
    if held "$nc_element"; then
      native_clash "an element of the step lies in one of others, or was joined with it: $(shorten "$nc_element")"
      return 1
    fi
  done <"$state/part-one"
}

# Whether the element lies in one of the set that is none of the step's.
held() {
  case $1 in *' . '*) return 1 ;; esac
  # shellcheck disable=SC2046,SC2086 # words
  "$(real nft)" get element $nc_table "$nc_chain" "{ $(printf '%s\n' "$1" | keys) }" </dev/null 2>/dev/null |
    stilled | flatten | sed -n "s/^$nc_cut${nc_t}e${nc_t}//p" >"$state/part-holder"
  beyond "$state/part-both" "$state/part-holder" >"$state/part-other"
  [ -s "$state/part-other" ]
}

# Whether a rule or an element that stays names the thing.
named() {
  sed 's/$/d/' "$state/part-cut" >"$state/part-lines"
  sed -f "$state/part-lines" "$state/part-live" | sed -e '/^[^'"$nc_t"']*'"$nc_t"'[re]/!d' \
    -e 's/ comment "[^"]*"//g' -e 's/ prefix "[^"]*"//g' >"$state/part-rest"
  nc_word=$(literal "${1##* }")
  case $1 in
  'chain '*) nc_word="\\(jump\\|goto\\) $nc_word" ;;
  'set '*|'map '*|'flowtable '*) nc_word="\\(@\\|meter \\)$nc_word" ;;
  *) nc_word="\\(\"$nc_word\"\\|name $nc_word\\)" ;;
  esac
  grep -e "$nc_word\$" -e "${nc_word}[ ,;:}]" "$state/part-rest" >"$state/part-naming"
}

# ---- one transaction for a table

# back_native THINGS COMMAND…: runs it with its input, which writes things as a whole; rule by rule and element by element
# where others have written too. What they do at this very moment makes nft refuse a handle: then it is looked at again.
back_native() {
  nc_of=$1
  shift
  if ! mixed "$nc_of"; then
    ! mine "$nc_of" "$@" || return 0
    # A rule of others elsewhere may name what is to be made anew.
    note "once more, rule by rule"
  fi
  nc_back=0
  for nc_try in 1 2; do
    native_transaction "$nc_of"
    [ -s "$state/transaction" ] || return 0
    nc_back=0
    "$@" <"$state/transaction" || nc_back=$?
    [ "$nc_back" -ne 0 ] || break
  done
  return "$nc_back"
}

native_transaction() {
  for nc_one in cut puts more make again heads policies tail flags gone; do : >"$state/part-$nc_one"; done
  nc_told=
  nc_read=
  nc_flags=
  nc_part=before
  nc_why=
  nc_anew=
  nc_making=yes
  for nc_thing in $1; do
    case " $nc_unsure " in *" $nc_thing "*) [ -n "$force" ] || continue ;; esac
    "step_${nc_step}_part" "$nc_thing"
  done
  nc_making=
  # A thing of the step goes, unless something of others names it.
  while IFS= read -r nc_one; do
    named "$nc_one" || printf '%s\n' "$nc_one" >>"$state/part-gone"
  done <"$state/part-tail"
  write_again
  {
    if [ -n "$nc_anew" ]; then
      printf 'delete table %s\n' "$nc_table"
    else
      tell_deleted
    fi
    tell_block
    [ -n "$nc_anew" ] || tell_added
    cat "$state/part-policies"
  } >"$state/transaction"
}

# Chains that are emptied and filled again: those that name a thing that is made anew. And all into which rules come, where
# one of the transaction has a block of rules: nft 1.0.6 ends with SIGSEGV when it is to insert any rule beside one.
write_again() {
  : >"$state/part-whole"
  grep '^chain ' "$state/part-again" >>"$state/part-whole"
  while IFS= read -r nc_one; do
    named "$nc_one" || continue
    sed -n "s/^\(chain [^${nc_t}]*\)${nc_t}.*/\1/p" "$state/part-naming" >>"$state/part-whole"
    # Elements that name it go and come back, with what is kept with them.
    grep "^[^${nc_t}]*${nc_t}e" "$state/part-naming" | sed "s/^\([^${nc_t}]*\)${nc_t}.*/\1/" | sort -u >"$state/part-sets"
    while IFS= read -r nc_object; do
      ! grep -qxF -e "$nc_object" "$state/part-again" || continue
      nc_cut=$(literal "$nc_object")
      grep -n "^$nc_cut${nc_t}e${nc_t}.*: $nc_word" "$state/part-flat" | sed 's/:.*//' >"$state/part-one"
      beyond "$state/part-cut" "$state/part-one" >"$state/part-met"
      sed 's/$/p/' "$state/part-met" >"$state/part-lines"
      cat "$state/part-met" >>"$state/part-cut"
      sed -n -f "$state/part-lines" "$state/part-flat" >>"$state/part-more"
    done <"$state/part-sets"
  done <"$state/part-again"
  if [ -n "$nc_anew" ]; then sed -n "s/^\(chain [^${nc_t}]*\)${nc_t}o.*/\1/p" "$state/part-flat" >>"$state/part-whole"; fi
  if [ -s "$state/part-whole" ] || grep -q '[jg][uo][mt][po] {' "$state/part-puts"; then
    {
      cat "$state/part-puts"
      grep "^chain [^${nc_t}]*${nc_t}r" "$state/part-flat"
    } | sed -n "s/^\([^${nc_t}]*\)${nc_t}.*[jg][uo][mt][po] {.*/\1/p" >"$state/part-one"
    sed "s/${nc_t}.*//" "$state/part-puts" >"$state/part-other"
    if grep '[jg][uo][mt][po] {' "$state/part-puts" >"$state/part-met" || among "$state/part-whole" "$state/part-one" >"$state/part-met"; then
      cat "$state/part-other" >>"$state/part-whole"
    fi
  fi
  sort -u "$state/part-whole" >"$state/part-one"
  beyond "$state/part-make" "$state/part-one" >"$state/part-whole"
  cat "$state/part-gone" "$state/part-again" >"$state/part-away"
  cat "$state/part-make" "$state/part-again" >"$state/part-new"
}

# listed FILE THING: whether the thing is one of the file's lines.
listed() {
  grep -qxF -e "$2" "$1"
}

# What goes: first what names, then what is named.
tell_deleted() {
  sed "s/^chain /flush chain $nc_table /" "$state/part-whole"
  sort -n "$state/part-cut" | uniq | sed 's/$/p/' >"$state/part-lines"
  sed -n -f "$state/part-lines" "$state/part-flat" >"$state/part-met"
  while IFS= read -r nc_line; do
    nc_object=${nc_line%%"$nc_t"*}
    nc_rest=${nc_line#*"$nc_t"}
    case $nc_rest in
    r*)
      listed "$state/part-whole" "$nc_object" && continue
      nc_rest=${nc_rest#r?}
      printf 'delete rule %s %s handle %s\n' "$nc_table" "${nc_object##* }" "${nc_rest%% *}"
      ;;
    e*)
      ! listed "$state/part-away" "$nc_object" || continue
      printf 'delete element %s %s { %s }\n' "$nc_table" "${nc_object##* }" "$(printf '%s\n' "${nc_rest#e?}" | keys)"
      ;;
    esac
  done <"$state/part-met"
  # Elements of a map may lead to a chain that goes.
  sed -n "s/^map \(.*\)/flush map $nc_table \1/p" "$state/part-away"
  for nc_one in 'chain ' 'map ' 'set '; do
    sed -n "s/^$nc_one\(.*\)/delete $nc_one$nc_table \1/p" "$state/part-away"
  done
  sed -e '/^chain /d' -e '/^map /d' -e '/^set /d' -e "s/^\(.*\) \([^ ]*\)\$/delete \1 $nc_table \2/" "$state/part-away"
}

# What is made, or made anew, and chains that are filled again. The flags of the table are always told: without them it wakes up.
tell_block() {
  if [ -n "$nc_anew" ]; then
    sed -n "s/${nc_t}o${nc_t}\$//p" "$state/part-flat" >"$state/part-one"
    cat "$state/part-new" >>"$state/part-one"
    beyond "$state/part-gone" "$state/part-one" | sort -u >"$state/part-told"
  else
    sort -u "$state/part-new" "$state/part-whole" >"$state/part-told"
    [ -n "$nc_flags" ] || [ -s "$state/part-told" ] || return 0
  fi
  printf 'table %s {\n' "$nc_table"
  if [ -n "$nc_flags" ]; then cat "$state/part-flags"; else grep "^table${nc_t}h" "$state/part-flat"; fi | sed "s/^table.h./${nc_t}/"
  while IFS= read -r nc_object; do
    nc_cut=$(literal "$nc_object")
    printf '\t%s {\n' "$nc_object"
    if listed "$state/part-new" "$nc_object"; then
      fields h "$state/part-heads"
    elif [ -n "$nc_anew" ]; then
      fields h "$state/part-flat"
    fi
    case $nc_object in
    'chain '*) merge | sed "s/^\([0-9]*${nc_t}\)\{3\}//" ;;
    'set '*|'map '*)
      sort -n "$state/part-cut" | uniq | sed 's/$/d/' >"$state/part-lines"
      {
        sed -f "$state/part-lines" "$state/part-flat" | sed -n "s/^$nc_cut${nc_t}e${nc_t}//p"
        fields e "$state/part-more"
      } >"$state/part-met"
      if [ -s "$state/part-met" ]; then
        printf 'elements = {\n'
        sed 's/$/,/' "$state/part-met"
        printf '}\n'
      fi
      ;;
    esac
    printf '\t}\n'
  done <"$state/part-told"
  printf '}\n'
}

# The rules of a chain as they are to be: place, sort, number, rule; sort 0 is what comes back.
merge() {
  grep -n "^$nc_cut${nc_t}r${nc_t}" "$state/part-flat" | sed "s/:$nc_cut${nc_t}r${nc_t}[0-9]* /${nc_t}/" >"$state/part-found"
  {
    sed -n "s/^$nc_cut${nc_t}\([0-9]*\)${nc_t}\([0-9]*\)${nc_t}/\1${nc_t}0${nc_t}\2${nc_t}/p" "$state/part-puts"
    nc_place=0
    while IFS= read -r nc_line; do
      nc_place=$((nc_place + 1))
      listed "$state/part-cut" "${nc_line%%"$nc_t"*}" || printf '%s\t1\t0\t%s\n' "$nc_place" "${nc_line#*"$nc_t"}"
    done <"$state/part-found"
  } | sort -t "$nc_t" -k1,1n -k2,2n -k3,3n
}

# What comes into things that stay: each rule before the next one that stays, by its handle, or at the end.
tell_added() {
  while IFS= read -r nc_line; do
    nc_object=${nc_line%%"$nc_t"*}
    listed "$state/part-new" "$nc_object" ||
      printf 'add element %s %s { %s }\n' "$nc_table" "${nc_object##* }" "${nc_line#*"$nc_t"e?}"
  done <"$state/part-more"
  sed "s/${nc_t}.*//" "$state/part-puts" | sort -u >"$state/part-one"
  while IFS= read -r nc_object; do
    ! listed "$state/part-whole" "$nc_object" && ! listed "$state/part-new" "$nc_object" || continue
    nc_cut=$(literal "$nc_object")
    fields r "$state/part-flat" | sed 's/ .*//' >"$state/part-handles"
    lines r "$state/part-flat" >"$state/part-at"
    sed -n "s/^$nc_cut${nc_t}\([0-9]*${nc_t}[0-9]*${nc_t}\)/\1/p" "$state/part-puts" |
      sort -t "$nc_t" -k1,1n -k2,2n >"$state/part-sorted"
    while IFS= read -r nc_line; do
      nc_place=${nc_line%%"$nc_t"*}
      nc_rule=${nc_line#*"$nc_t"*"$nc_t"}
      while nc_number=$(sed -n "${nc_place}p" "$state/part-at") && [ -n "$nc_number" ] &&
        listed "$state/part-cut" "$nc_number"; do
        nc_place=$((nc_place + 1))
      done
      if [ -n "$nc_number" ]; then
        printf 'insert rule %s %s handle %s %s\n' "$nc_table" "${nc_object##* }" \
          "$(sed -n "${nc_place}p" "$state/part-handles")" "$nc_rule"
      else
        printf 'add rule %s %s %s\n' "$nc_table" "${nc_object##* }" "$nc_rule"
      fi
    done <"$state/part-sorted"
  done <"$state/part-one"
}
