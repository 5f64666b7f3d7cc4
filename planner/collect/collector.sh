#!/bin/sh
# netchange collector: prints the network state of this node to standard output, and changes nothing.
#
#   sh collector.sh TOKEN [ROOT] [SECONDS]
#
# TOKEN starts every line that is not content: chosen by the caller at random, so that content cannot forge one.
# ROOT  is where the files of the node lie (default /); commands always speak of the running kernel.
# SECONDS is the deadline of each command (default 20).
#
#   TOKEN H 1 …            header: version of this format
#   TOKEN B n name argv    section n begins; its content follows, then one line feed that is not content
#   TOKEN X n text         first and last line that the command wrote to standard error
#   TOKEN E n status       section n ends
#   TOKEN S n name reason  section n was not tried
#   TOKEN Z n              the end: n sections were printed
#
# Only a shell is needed (dash, bash, busybox ash); every tool that is missing makes a skipped section.
# It never creates tables or loads modules: `-save` without `-t` only, and nothing is asked of a subsystem whose
# module is not loaded. It never reads private keys, kubeconfigs, command lines of processes or stable_secret.

T=$1 R=${2:-/} D=${3:-20}
[ -n "$T" ] || { echo "usage: sh collector.sh TOKEN [ROOT] [SECONDS]" >&2; exit 64; }
R=${R%/}
n=0 er='' st=0
nl='
'
LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin; export PATH

# iptables-nft-save 1.8.9 recurses over its chains: 21,000 of them take more than 2 MiB of stack, 102,000 more than 8 (it dies).
for deep in 1048576 "$(ulimit -H -s 2>/dev/null)"; do
  if (ulimit -S -s "$deep") 2>/dev/null; then ulimit -S -s "$deep"; break; fi
done

has() { command -v "$1" >/dev/null 2>&1; }

# Deadline: `timeout` where it exists (busybox before 1.30 wants `-t`: not used), else a sleeping killer.
watch=none
if has timeout && timeout 5 true </dev/null >/dev/null 2>&1; then watch=timeout
elif has sleep; then watch=sleep
fi

within() {
  case $watch in
    timeout) timeout "$D" "$@" ;;
    sleep)
      "$@" & within_p=$!
      { sleep "$D" && kill "$within_p"; } >/dev/null 2>&1 3>&- & within_w=$!
      wait "$within_p"; within_s=$?
      kill "$within_w" 2>/dev/null
      return "$within_s" ;;
    *) "$@" ;;
  esac
}

skip() { n=$((n + 1)); printf '%s S %s %s %s\n' "$T" "$n" "$1" "$2"; }

close_section() {
  if [ -n "$er" ]; then
    first=${er%%"$nl"*}; last=${er##*"$nl"}
    [ "$first" = "$last" ] || first="$first … $last"
    printf '\n%s X %s %s\n%s E %s %s\n' "$T" "$n" "$first" "$T" "$n" "$st"
  else
    printf '\n%s E %s %s\n' "$T" "$n" "$st"
  fi
}

# run NAME COMMAND…: a tool with a deadline.   shell NAME FUNCTION…: a function of this script.
run() {
  run_name=$1; shift
  has "$1" || { skip "$run_name" "$1: not found"; st=127; return; }
  n=$((n + 1))
  printf '%s B %s %s %s\n' "$T" "$n" "$run_name" "$*"
  { er=$(within "$@" 2>&1 1>&3 </dev/null); st=$?; } 3>&1
  close_section
}

shell() {
  run_name=$1; shift
  n=$((n + 1))
  printf '%s B %s %s %s\n' "$T" "$n" "$run_name" "$*"
  { er=$("$@" 2>&1 1>&3 </dev/null); st=$?; } 3>&1
  close_section
}

# slurp PATH: cat, or what a shell can do alone.
slurp() {
  if has cat; then cat -- "$1"; return; fi
  while IFS= read -r slurp_line || [ -n "$slurp_line" ]; do printf '%s\n' "$slurp_line"; done <"$1"
}

# proc NAME PATH: a file of the running kernel.
proc() {
  if [ ! -e "$2" ]; then skip "$1" absent
  elif [ ! -r "$2" ]; then skip "$1" "$2: not readable (needs root)"
  else shell "$1" slurp "$2"
  fi
}

# module NAME: whether asking the subsystem loads nothing. Unknown counts as yes: a gap would be worse.
module() {
  [ -d "/sys/module/$1" ] && return 0
  [ -e /proc/modules ] || return 0
  read -r module_kernel </proc/sys/kernel/osrelease
  module_list=/lib/modules/$module_kernel/modules.builtin
  [ -r "$module_list" ] && has grep || return 0
  grep -q "/$1\.ko" "$module_list"
}

# asks MODULE NAME COMMAND…: run, unless the module is not loaded, which means that there is nothing.
asks() {
  asks_module=$1; shift
  if module "$asks_module"; then run "$@"; else skip "$1" "module $asks_module not loaded"; st=127; fi
}

# --- sysctls ---------------------------------------------------------------------------------------------------

# One grep where there is one: a `cat` for each file takes a minute on a node with many links.
# The `read` of dash and busybox takes one byte at a time, and the kernel gives numbers to the first read only
# (kernel/sysctl.c, do_proc_dointvec: nothing at a position other than 0): 4096 would be 4. So a shell's own `read` is
# used only where it shows pid_max, which has three digits at least, with more than one.
# Keys that hold secrets are left out; what could not be read is told as `unreadable: PATH`.
sysctls() {
  if has grep; then
    # shellcheck disable=SC2086
    grep -r '' /proc/sys/net $sysctl_others 2>&1 |
      grep -v -e /stable_secret: -e /tcp_fastopen_key: -e /netdev_rss_key: -e /fib_multipath_hash_seed:
    return 0
  fi
  sysctl_by=read
  if has cat; then sysctl_by=cat
  else
    read -r sysctl_value </proc/sys/kernel/pid_max
    case $sysctl_value in
      ??*) ;;
      *) echo "neither grep nor cat, and the shell reads one byte at a time" >&2; return 1 ;;
    esac
  fi
  for sysctl_tree in /proc/sys/net $sysctl_others; do sysctl_walk "$sysctl_tree"; done
  return 0
}
sysctl_walk() {
  case $1 in
    */stable_secret | */tcp_fastopen_key | */netdev_rss_key | */fib_multipath_hash_seed) return ;;
  esac
  if [ -d "$1" ]; then
    for sysctl_file in "$1"/*; do sysctl_walk "$sysctl_file"; done
  elif [ -r "$1" ] && [ "$sysctl_by" = cat ]; then
    printf '%s:%s\n' "$1" "$(cat "$1" 2>/dev/null)"
  elif [ -r "$1" ]; then
    sysctl_value=''
    { IFS= read -r sysctl_value <"$1"; } 2>/dev/null
    printf '%s:%s\n' "$1" "$sysctl_value"
  elif [ -e "$1" ]; then printf 'unreadable: %s\n' "$1"
  fi
}
sysctl_others='/proc/sys/fs/file-max /proc/sys/fs/nr_open /proc/sys/fs/inotify /proc/sys/kernel/panic
/proc/sys/kernel/panic_on_oops /proc/sys/kernel/pid_max /proc/sys/kernel/threads-max
/proc/sys/kernel/keys/root_maxbytes /proc/sys/kernel/keys/root_maxkeys /proc/sys/user/max_net_namespaces
/proc/sys/vm/max_map_count /proc/sys/vm/overcommit_memory /proc/sys/vm/panic_on_oom
/proc/sys/vm/min_free_kbytes'

# --- files -----------------------------------------------------------------------------------------------------

paths=''

# target PATH: where a link points to.
target() {
  if has readlink; then readlink "$1"
  elif has ls; then target_line=$(ls -ld "$1") && printf '%s\n' "${target_line#* -> }"
  else echo "no tool shows where a link points to" >&2; return 1
  fi
}

# Lines that hold keys and passwords keep their name and lose their value; a quoted one keeps its quotes, so that JSON
# stays JSON. Everything up to the last quote of the line goes: rather too much than a part of a secret.
mask() {
  sed -e 's/^\([[:space:]]*-\{0,1\}[[:space:]]*"\{0,1\}[A-Za-z0-9_.-]*[Kk][Ee][Yy][0-9]*"\{0,1\}[[:space:]]*[=:][[:space:]]*\)".*"\(,\{0,1\}[[:space:]]*\)$/\1"<masked>"\2/' -e t \
    -e 's/^\([[:space:]]*-\{0,1\}[[:space:]]*"\{0,1\}[A-Za-z0-9_.-]*[Kk][Ee][Yy][0-9]*"\{0,1\}[[:space:]]*[=:][[:space:]]*\).*/\1<masked>/' -e t \
    -e 's/^\([[:space:]]*"\{0,1\}[A-Za-z0-9_.-]*[Pp][Aa][Ss][Ss][A-Za-z]*[0-9]*"\{0,1\}[[:space:]]*[=:][[:space:]]*\)".*"\(,\{0,1\}[[:space:]]*\)$/\1"<masked>"\2/' -e t \
    -e 's/^\([[:space:]]*"\{0,1\}[A-Za-z0-9_.-]*[Pp][Aa][Ss][Ss][A-Za-z]*[0-9]*"\{0,1\}[[:space:]]*[=:][[:space:]]*\).*/\1<masked>/' -e t \
    -e 's/^\([[:space:]]*"\{0,1\}[A-Za-z0-9_.-]*[Pp][Ss][Kk]"\{0,1\}[[:space:]]*[=:][[:space:]]*\)".*"\(,\{0,1\}[[:space:]]*\)$/\1"<masked>"\2/' -e t \
    -e 's/^\([[:space:]]*"\{0,1\}[A-Za-z0-9_.-]*[Pp][Ss][Kk]"\{0,1\}[[:space:]]*[=:][[:space:]]*\).*/\1<masked>/' -e t \
    -e 's/^\([[:space:]]*"\{0,1\}[A-Za-z0-9_.-]*\([Ss]ecret\)s\{0,1\}"\{0,1\}[[:space:]]*[=:][[:space:]]*\)".*"\(,\{0,1\}[[:space:]]*\)$/\1"<masked>"\3/' -e t \
    -e 's/^\([[:space:]]*"\{0,1\}[A-Za-z0-9_.-]*\([Ss]ecret\)s\{0,1\}"\{0,1\}[[:space:]]*[=:][[:space:]]*\).*/\1<masked>/' -e t \
    -e 's/^\([[:space:]]*"\{0,1\}[A-Za-z0-9_.-]*[Tt]oken"\{0,1\}[[:space:]]*[=:][[:space:]]*\)".*"\(,\{0,1\}[[:space:]]*\)$/\1"<masked>"\2/' -e t \
    -e 's/^\([[:space:]]*"\{0,1\}[A-Za-z0-9_.-]*[Tt]oken"\{0,1\}[[:space:]]*[=:][[:space:]]*\).*/\1<masked>/' -e t \
    -e 's/^\([[:space:]]*wpa-psk[[:space:]][[:space:]]*\).*/\1<masked>/' -e t \
    -e 's/^\([[:space:]]*wireless-key[0-9]*[[:space:]][[:space:]]*\).*/\1<masked>/' -e t \
    -- "$1"
}

# one READER PATH: a persisted file (PATH as the node knows it), with its target when it is a link.
one() {
  one_reader=$1 one_path=$2 one_at=$R$2
  if [ -h "$one_at" ]; then
    shell "link$one_path" target "$one_at"
    # Under another root an absolute link would lead into the running system.
    if [ -n "$R" ]; then
      one_to=$(target "$one_at" 2>/dev/null)
      case $one_to in /*) one_at=$R$one_to ;; esac
    fi
  fi
  if [ -f "$one_at" ]; then
    paths="$paths$nl$one_at"
    if [ ! -r "$one_at" ]; then skip "file$one_path" "$one_path: not readable (needs root)"
    elif [ "$one_reader" = mask ] && ! has sed; then skip "file$one_path" "no sed to mask keys with"
    else shell "file$one_path" "$one_reader" "$one_at"
    fi
  fi
}

# every READER DIRECTORY PATTERN…: the files of a directory, in the order of the shell (byte order in the C locale).
every() {
  every_reader=$1 every_dir=$2; shift 2
  [ -d "$R$every_dir" ] || return 0
  if [ ! -r "$R$every_dir" ] || [ ! -x "$R$every_dir" ]; then
    skip "file$every_dir" "$every_dir: not readable (needs root)"; return 0
  fi
  for every_pattern in "$@"; do
    for every_file in "$R$every_dir"/$every_pattern; do
      if [ -e "$every_file" ] || [ -h "$every_file" ]; then one "$every_reader" "${every_file#"$R"}"; fi
    done
  done
}

file() { for file_path in "$@"; do
  if [ -e "$R$file_path" ] || [ -h "$R$file_path" ]; then one slurp "$file_path"
  else
    file_dir=${file_path%/*}
    if [ -d "$R$file_dir" ] && [ ! -x "$R$file_dir" ]; then skip "file$file_path" "$file_dir: not readable (needs root)"; fi
  fi
done; }
files() { every slurp "$@"; }
masked() { every mask "$@"; }

names() { for names_file in "$1"/*; do [ -e "$names_file" ] && printf '%s\n' "${names_file##*/}"; done; return 0; }
listing() {
  if [ ! -d "$R$2" ]; then skip "$1" absent
  elif [ ! -r "$R$2" ]; then skip "$1" "$2: not readable (needs root)"
  else shell "$1" names "$R$2"
  fi
}

# flags NAME PATH: of a static pod's manifest the few flags that tell ranges and ports; the rest may hold secrets.
flags() {
  if [ -d "$R${2%/*}" ] && [ ! -x "$R${2%/*}" ]; then skip "$1" "${2%/*}: not readable (needs root)"
  elif [ ! -e "$R$2" ]; then skip "$1" absent
  elif [ ! -r "$R$2" ]; then skip "$1" "$2: not readable (needs root)"
  elif ! has grep; then skip "$1" "grep: not found"
  else shell "$1" lines_of_flags "$R$2"
  fi
}
lines_of_flags() {
  grep -e '^[[:space:]]*-[[:space:]]*["'\'']\{0,1\}--service-cluster-ip-range=' \
    -e '^[[:space:]]*-[[:space:]]*["'\'']\{0,1\}--service-node-port-range=' \
    -e '^[[:space:]]*-[[:space:]]*["'\'']\{0,1\}--cluster-cidr=' \
    -e '^[[:space:]]*-[[:space:]]*["'\'']\{0,1\}--proxy-mode=' -- "$1"
  [ $? -lt 2 ]
}

modes() {
  modes_ifs=$IFS; IFS=$nl
  set -f
  # shellcheck disable=SC2086
  set -- $paths
  set +f; IFS=$modes_ifs
  stat -L -c '%a %n' -- "$@" | while IFS=' ' read -r modes_mode modes_path; do
    printf '%s %s\n' "$modes_mode" "${modes_path#"$R"}"
  done
}

# --- the node --------------------------------------------------------------------------------------------------

printf '%s H 1 root=%s\n' "$T" "${R:-/}"

proc boot-id/first /proc/sys/kernel/random/boot_id
proc kernel /proc/sys/kernel/osrelease
proc hostname /proc/sys/kernel/hostname
run user id -u
proc uptime /proc/uptime
proc cpus /proc/cpuinfo
proc meminfo /proc/meminfo
proc modules /proc/modules

run version/ip ip -V
run version/iptables iptables -V
run version/iptables-nft iptables-nft -V
run version/iptables-legacy iptables-legacy -V
run version/nft nft -v
run version/ipset ipset -v
run version/conntrack conntrack -V
run version/kubelet kubelet --version
run version/containerd containerd --version
run version/crio crio --version
run version/docker docker --version

shell sysctl sysctls

run ip/addr ip -j -d addr
[ "$st" = 0 ] || run ip/addr-text ip -d addr
[ "$st" = 0 ] || run ip/addr-text ip addr
run ip/route4 ip -4 -j -d -N route show table all
run ip/route6 ip -6 -j -d -N route show table all
run ip/route4-text ip -4 -d -N route show table all
[ "$st" = 0 ] || run ip/route4-text ip -4 route show table all
run ip/route6-text ip -6 -d -N route show table all
[ "$st" = 0 ] || run ip/route6-text ip -6 route show table all
run ip/rule4 ip -4 -j -d -N rule
[ "$st" = 0 ] || run ip/rule4-text ip -4 rule
run ip/rule6 ip -6 -j -d -N rule
[ "$st" = 0 ] || run ip/rule6-text ip -6 rule
run ip/nexthop ip -j -d nexthop
run ip/neigh6 ip -6 -j neigh
run ip/neigh-proxy4 ip -4 -j neigh show proxy
run ip/neigh-proxy6 ip -6 -j neigh show proxy
run ip/neigh4 ip -4 -j neigh
[ "$st" = 0 ] || run ip/neigh-text ip neigh
run bridge/fdb bridge -j fdb
[ "$st" = 0 ] || run bridge/fdb-text bridge fdb

asks nf_tables iptables-nft/ip iptables-nft-save
asks nf_tables iptables-nft/ip6 ip6tables-nft-save
asks ip_tables iptables-legacy/ip iptables-legacy-save
asks ip6_tables iptables-legacy/ip6 ip6tables-legacy-save
if ! has iptables-nft-save && ! has iptables-legacy-save; then
  run iptables/ip iptables-save
  run iptables/ip6 ip6tables-save
fi
proc legacy-tables/ip /proc/net/ip_tables_names
proc legacy-tables/ip6 /proc/net/ip6_tables_names
asks nf_tables nft/json nft -j list ruleset
asks nf_tables nft/text nft list ruleset
asks ip_set ipset ipset save

proc proc/sockstat /proc/net/sockstat
proc proc/sockstat6 /proc/net/sockstat6
proc proc/snmp /proc/net/snmp
proc proc/netstat /proc/net/netstat
proc proc/conntrack /proc/net/stat/nf_conntrack
proc proc/arp_cache /proc/net/stat/arp_cache
proc proc/ndisc_cache /proc/net/stat/ndisc_cache
proc proc/file-nr /proc/sys/fs/file-nr
if [ "$(id -u 2>/dev/null)" = 0 ]; then run listeners ss -Hnltup; else run listeners ss -Hnltu; fi

file /etc/os-release /usr/lib/os-release
file /etc/sysctl.conf
for where in /etc /run /usr/local/lib /usr/lib; do
  files $where/sysctl.d '*.conf' '.[!.]*.conf'
  files $where/modules-load.d '*.conf'
  files $where/modprobe.d '*.conf'
  files $where/systemd/network '*.network' '*.link' '*.network.d/*.conf' '*.link.d/*.conf'
  masked $where/systemd/network '*.netdev' '*.netdev.d/*.conf'
done
# On a system where /lib is /usr/lib the files were read above.
if [ ! -h "$R/lib" ]; then
  for where in /lib; do
    files $where/sysctl.d '*.conf' '.[!.]*.conf'
    files $where/modules-load.d '*.conf'
    files $where/modprobe.d '*.conf'
    files $where/systemd/network '*.network' '*.link' '*.network.d/*.conf' '*.link.d/*.conf'
    masked $where/systemd/network '*.netdev' '*.netdev.d/*.conf'
    file $where/systemd/system/kubelet.service
    files $where/systemd/system/kubelet.service.d '*.conf'
    masked $where/netplan '*.yaml'
  done
fi
file /etc/modules
masked /etc/cni/net.d '*.conf' '*.conflist' '*.json'
listing cni-plugins /opt/cni/bin
file /var/lib/kubelet/config.yaml /var/lib/kubelet/kubeadm-flags.env
file /etc/default/kubelet /etc/sysconfig/kubelet
file /etc/kubernetes/kubelet/kubelet-config.json /etc/kubernetes/kubelet/config.json
files /etc/kubernetes/kubelet/config.json.d '*.conf'
file /etc/systemd/system/kubelet.service /usr/lib/systemd/system/kubelet.service
files /etc/systemd/system/kubelet.service.d '*.conf'
files /run/systemd/system/kubelet.service.d '*.conf'
files /usr/lib/systemd/system/kubelet.service.d '*.conf'
file /var/lib/kube-proxy/config.conf /var/lib/kube-proxy/kube-proxy-config.yaml
file /etc/kubernetes/kube-proxy-config.yaml
flags flags/kube-apiserver /etc/kubernetes/manifests/kube-apiserver.yaml
flags flags/kube-controller-manager /etc/kubernetes/manifests/kube-controller-manager.yaml
flags flags/kube-proxy /etc/kubernetes/manifests/kube-proxy.yaml
file /run/flannel/subnet.env /etc/kube-flannel/net-conf.json
file /etc/docker/daemon.json
file /etc/resolv.conf /run/systemd/resolve/resolv.conf /etc/systemd/resolved.conf
files /etc/systemd/resolved.conf.d '*.conf'
file /etc/systemd/networkd.conf
files /etc/systemd/networkd.conf.d '*.conf'
masked /etc/netplan '*.yaml'
masked /run/netplan '*.yaml'
masked /usr/lib/netplan '*.yaml'
file /etc/NetworkManager/NetworkManager.conf
files /etc/NetworkManager/conf.d '*.conf'
masked /etc/NetworkManager/system-connections '*.nmconnection'
masked /run/NetworkManager/system-connections '*.nmconnection'
file /etc/sysconfig/network
masked /etc/sysconfig/network-scripts 'ifcfg-*' 'route-*' 'route6-*' 'rule-*' 'rule6-*'
masked /etc/sysconfig/network 'ifcfg-*' 'ifroute-*' routes config
masked /etc/network interfaces 'interfaces.d/*'
file /etc/iproute2/rt_tables /usr/share/iproute2/rt_tables
files /etc/iproute2/rt_tables.d '*.conf'
file /etc/iptables/rules.v4 /etc/iptables/rules.v6 /etc/iptables/ipsets
file /etc/sysconfig/iptables /etc/sysconfig/ip6tables /etc/sysconfig/ipset /etc/ipset.conf
file /etc/nftables.conf /etc/sysconfig/nftables.conf
# That nftables.service is enabled (systemd.unit(5), WantedBy=): Debian's unit, then Red Hat's.
file /etc/systemd/system/sysinit.target.wants/nftables.service
file /etc/systemd/system/multi-user.target.wants/nftables.service
files /etc/nftables '*.nft' '*.conf'
files /etc/nftables.d '*.nft' '*.conf'
file /etc/default/ufw
files /etc/ufw '*.rules' '*.conf'
file /etc/firewalld/firewalld.conf /etc/firewalld/direct.xml
files /etc/firewalld/zones '*.xml'
files /etc/firewalld/policies '*.xml'
files /etc/firewalld/services '*.xml'
files /etc/firewalld/ipsets '*.xml'
file /etc/tuned/active_profile
files /etc/tuned '*/tuned.conf'

if [ -n "$paths" ]; then
  if has stat; then shell modes modes; else skip modes "stat: not found"; fi
fi
proc links-last /proc/net/dev
proc boot-id/last /proc/sys/kernel/random/boot_id

printf '%s Z %s\n' "$T" "$n"
