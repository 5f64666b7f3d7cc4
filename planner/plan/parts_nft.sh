
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
      nc_was=
      nc_became=
      : >"$state/part-ours"
      : >"$state/part-back"
      ;;
    'cut '*) nc_cut=$nc_rest ;;
    'kind '*) nc_kind=$nc_rest ;;
    'b '*) nc_was=$nc_was$nc_rest$nc_line_end ;;
    'a '*) nc_became=$nc_became$nc_rest$nc_line_end ;;
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
  nc_found=
  nc_set=
  nc_live_policy=
  sed -n "s/^$nc_cut${nc_t}\([oh]\)${nc_t}/\1/p" "$state/part-live" >"$state/part-one"
  while IFS= read -r nc_line; do
    case $nc_line in
    o) nc_there=yes && continue ;;
    'htype '*' policy '*)
      nc_live_policy=${nc_line##* policy }
      nc_live_policy=${nc_live_policy%;}
      nc_line=${nc_line% policy *}
      ;;
    'hflags '*) nc_set=$nc_line ;;
    esac
    nc_found=$nc_found${nc_line#h}$nc_line_end
  done <"$state/part-one"
  case $nc_object in
  'chain '*)
    fields r "$state/part-live" | sed 's/^[0-9]* //' >"$state/part-chain"
    lines r "$state/part-live" >"$state/part-at"
    nc_size=$(grep -c '' "$state/part-chain")
    : >"$state/part-edits"
    if [ -n "$nc_owner" ] && [ "$(sha256sum <"$state/part-chain")" != "$nc_digest  -" ]; then nc_rewritten=yes; fi
    ;;
  esac
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
    elif [ "$nc_found" != "$nc_became" ]; then
      native_clash "somebody has made it anew, and otherwise"
      nc_skip=yes
    elif [ "$nc_kind" = again ]; then
      at_least after
      begin_again "$state/part-again"
    fi
    ;;
  esac
  if [ -z "$nc_skip" ] && [ -n "$nc_policy" ] && [ "$nc_kind$nc_there" = bothyes ] && [ "$nc_live_policy" != "$nc_policy" ]; then
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
    printf '%s' "$nc_was" | sed "s|^|$nc_object${nc_t}h${nc_t}|"
    case $nc_line_end$nc_was in *"${nc_line_end}type "*) nc_policy=${nc_policy:-$nc_live_policy} ;; esac
    [ -z "$nc_policy" ] || printf '%s\n' "$nc_object${nc_t}h${nc_t}policy $nc_policy;"
  } >>"$state/part-heads"
}

# Flags and comment of the table.
begin_flags() {
  nc_skip=yes
  nc_found=$(fields h "$state/part-live")
  [ -z "$nc_found" ] || nc_found=$nc_found$nc_line_end
  case $nc_kind$nc_gone in
  deletedyes) at_least after ;;
  deleted) return 0 ;;
  *)
    [ "$nc_found" != "$nc_was" ] || return 0
    if [ "$nc_found" != "$nc_became" ]; then
      native_clash "it has other flags, or another comment: $(shorten "$nc_found")"
      return 0
    fi
    at_least after
    ;;
  esac
  [ -n "$nc_making" ] || return 0
  nc_flags=yes
  [ "$nc_kind" != again ] || nc_anew=yes
  printf '%s' "$nc_was" | sed "s|^|table${nc_t}h${nc_t}|" >"$state/part-flags"
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
      if [ "$nc_live_policy" = drop ]; then
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
  sed -n "s|^\([0-9]*\) \([0-9]*\) I |$nc_object${nc_t}\1${nc_t}\2${nc_t}|p" "$state/part-edits" >>"$state/part-puts"
  sed -n 's/^\([0-9]*\) [0-9]* D .*/\1p/p' "$state/part-edits" >"$state/part-lines"
  sed -n -f "$state/part-lines" "$state/part-at" >>"$state/part-cut"
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
    [ "$(printf '%s' "$nc_became" | grep '^type')" != "$(printf '%s' "$nc_was" | grep '^type')" ]; then
    native_clash "others have put elements into it, and it becomes one of another type"
    return 0
  fi
  beyond "$state/part-region" "$state/part-back" >"$state/part-met"
  case $nc_set in *interval*)
    if [ -s "$state/part-theirs" ] && ! stiff; then
      merged || [ -n "$force" ] || return 0
      overlapping
    fi
    ;;
  esac
  if [ -s "$state/part-met" ]; then
    at_least after
    [ -z "$nc_making" ] || sed "s|^|$nc_object${nc_t}e${nc_t}|" "$state/part-met" >>"$state/part-more"
    nc_taken=1
  fi
  if [ -s "$state/part-mine" ]; then take_elements; fi
  if [ "$nc_taken" -gt 0 ] && stiff; then begin_again "$state/part-again"; fi
}

take_elements() {
  grep -nxFf "$state/part-mine" "$state/part-region" | sed 's/:.*/p/' >"$state/part-lines"
  if [ -s "$state/part-lines" ]; then
    at_least after
    nc_taken=1
    [ -z "$nc_making" ] || sed -n -f "$state/part-lines" "$state/part-at" >>"$state/part-cut"
  fi
}

# A set that is constant takes no other elements, and nft 1.0.6 aborts over those of intervals with a catch-all: it is made anew.
stiff() {
  [ "$nc_kind$nc_there" = bothyes ] || return 1
  case $nc_set in
  *constant*) return 0 ;;
  *interval*) cat "$state/part-both" "$state/part-region" | grep -q -e '^\*$' -e '^\* ' ;;
  *) return 1 ;;
  esac
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

# What comes back and overlaps with intervals of others leaves part-met, and is named: nft would refuse the whole transaction.
overlapping() {
  [ "$nc_kind" != again ] || return 0
  among "$state/part-mine" "$state/part-region" | keys |
    sed "s/.*/delete element $nc_table $nc_chain { & }/" >"$state/part-other"
  : >"$state/part-one"
  while IFS= read -r nc_element; do
    case $nc_element in
    *' : jump '* | *' : goto '*) ;;
    *)
      if ! { cat "$state/part-other" && printf 'add element %s %s { %s }\n' "$nc_table" "$nc_chain" "$nc_element"; } |
        "$(real nft)" -c -f - >/dev/null 2>&1; then
        native_clash "an element that is to come back overlaps with those of others: $(shorten "$nc_element")"
        continue
      fi
      ;;
    esac
    printf '%s\n' "$nc_element" >>"$state/part-one"
  done <"$state/part-met"
  cat "$state/part-one" >"$state/part-met"
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
  sort -n "$state/part-cut" | uniq | sed 's/$/s|^|-|/' >"$state/part-lines"
  sed -f "$state/part-lines" "$state/part-flat" >"$state/part-marked"
  cat "$state/part-make" "$state/part-again" >"$state/part-new"
}

# listed FILE THING: whether the thing is one of the file's lines.
listed() {
  grep -qxF -e "$2" "$1"
}

# What goes: first what names, then what is named.
tell_deleted() {
  sed "s/^chain /flush chain $nc_table /" "$state/part-whole"
  sed -n 's/^-//p' "$state/part-marked" >"$state/part-met"
  # What is emptied, or goes as a whole, needs no more.
  sed -e 's/[][\.*^$/]/\\&/g' -e "s/.*/\/^&${nc_t}\/d/" "$state/part-whole" >"$state/part-lines"
  sed -f "$state/part-lines" "$state/part-met" |
    sed -n "s/^chain \([^${nc_t}]*\)${nc_t}r${nc_t}\([0-9]*\) .*/delete rule $nc_table \1 handle \2/p"
  sed -e 's/[][\.*^$/]/\\&/g' -e "s/.*/\/^&${nc_t}\/d/" "$state/part-away" >"$state/part-lines"
  sed -f "$state/part-lines" "$state/part-met" | grep "^[^${nc_t}]*${nc_t}e" | keys |
    sed "s/^[a-z]* \([^${nc_t}]*\)${nc_t}e${nc_t}\(.*\)\$/delete element $nc_table \1 { \2 }/"
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
      {
        fields e "$state/part-marked"
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

# The rules of a chain that stay, each with its place before the colon; -NAME is what goes.
staying() {
  grep "^-*$nc_cut${nc_t}r${nc_t}" "$state/part-marked" | grep -n '' | grep -v '^[0-9]*:-'
}

# The rules of a chain as they are to be: place, sort, number, rule; sort 0 is what comes back.
merge() {
  {
    sed -n "s/^$nc_cut${nc_t}\([0-9]*\)${nc_t}\([0-9]*\)${nc_t}/\1${nc_t}0${nc_t}\2${nc_t}/p" "$state/part-puts"
    staying | sed "s/^\([0-9]*\):$nc_cut${nc_t}r${nc_t}[0-9]* /\1${nc_t}1${nc_t}0${nc_t}/"
  } | sort -t "$nc_t" -k1,1n -k2,2n -k3,3n
}

# What comes into things that stay: each rule before the next one that stays, by its handle, or at the end.
tell_added() {
  sed -e 's/[][\.*^$/]/\\&/g' -e "s/.*/\/^&${nc_t}\/d/" "$state/part-new" >"$state/part-lines"
  sed -f "$state/part-lines" "$state/part-more" |
    sed "s/^[a-z]* \([^${nc_t}]*\)${nc_t}e${nc_t}\(.*\)\$/add element $nc_table \1 { \2 }/"
  sed "s/${nc_t}.*//" "$state/part-puts" | sort -u >"$state/part-one"
  while IFS= read -r nc_object; do
    ! listed "$state/part-whole" "$nc_object" && ! listed "$state/part-new" "$nc_object" || continue
    nc_cut=$(literal "$nc_object")
    staying | sed "s/^\([0-9]*\):$nc_cut${nc_t}r${nc_t}\([0-9]*\) .*/\1 \2/" >"$state/part-handles"
    sed -n "s/^$nc_cut${nc_t}\([0-9]*${nc_t}[0-9]*${nc_t}\)/\1/p" "$state/part-puts" |
      sort -t "$nc_t" -k1,1n -k2,2n >"$state/part-sorted"
    nc_number=0
    nc_handle=
    while IFS= read -r nc_line; do
      while [ "$nc_number" -lt "${nc_line%%"$nc_t"*}" ]; do
        # shellcheck disable=SC2162 # numbers only
        if ! read nc_number nc_handle <&3; then
          nc_number=999999999
          nc_handle=
        fi
      done
      nc_rule=${nc_line#*"$nc_t"*"$nc_t"}
      if [ -n "$nc_handle" ]; then
        printf 'insert rule %s %s handle %s %s\n' "$nc_table" "${nc_object##* }" "$nc_handle" "$nc_rule"
      else
        printf 'add rule %s %s %s\n' "$nc_table" "${nc_object##* }" "$nc_rule"
      fi
    done <"$state/part-sorted" 3<"$state/part-handles"
  done <"$state/part-one"
}
