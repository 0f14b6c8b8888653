#!/usr/bin/env bash
# iproute2 6.1.0 (Debian 12), Linux 6.18 and, by net/sched/sch_generic.c, every kernel since 4.17.
#
# A changed txqueuelen throws away what waits in the device's root qdisc, also where that qdisc has a limit of its own and never looks at
# txqueuelen (tbf, here). The kernel takes the queues down for the change (dev_qdisc_change_tx_queue_len), which resets them. Neither
# ip-link(8) nor the qdisc's own drop counter tells.
#
# Output seen:
#   before: backlog 9 packets, dropped 0
#   after:  backlog 0 packets, dropped 0, delivered 0 more
#
# Needs root. Exits 0 if this is what happens, 1 if not.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq iproute2=6.1.0-3 2>/dev/null
dpkg -x iproute2_6.1.0-3_*.deb root
export PATH="$dir/root/sbin:$dir/root/bin:$PATH" TC_LIB_DIR="$dir/root/usr/lib/tc"

unshare -n bash -euo pipefail <<'INNER'
ip link add near type veth peer name far
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6
ip addr add 192.0.2.1/24 dev near
ip link set near up
ip link set far up
ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:02 dev near
tc qdisc add dev near root tbf rate 8bit burst 1600 limit 1mb
for _ in $(seq 10); do printf '%01000d' 0 >/dev/udp/192.0.2.2/9; done

field() { tc -s qdisc show dev near | sed -n "s/.*$1.*/\1/p" | head -1; }
backlog() { field 'backlog [0-9A-Za-z]*b \([0-9]*\)p'; }
dropped() { field 'dropped \([0-9]*\),'; }
received() { cat /proc/net/dev | sed -n 's/^ *far: *[0-9]* *\([0-9]*\).*/\1/p'; }

got=$(received)
echo "before: backlog $(backlog) packets, dropped $(dropped)"
[ "$(backlog)" -gt 0 ]
ip link set near txqueuelen 1001
echo "after:  backlog $(backlog) packets, dropped $(dropped), delivered $(($(received) - got)) more"
[ "$(backlog)" = 0 ] && [ "$(dropped)" = 0 ] && [ "$(received)" = "$got" ]
INNER
