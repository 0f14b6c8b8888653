#!/usr/bin/env bash
# Open vSwitch 3.1.0-2+deb12u1 (Debian 12), userspace datapath, one bridge with the NORMAL action.
#
# A station that moves to another port and says so with the frame that it used before is not learned there at once. For 10 s (max-idle) a
# flow answers for frames of that port, source and destination. A frame that meets a flow does not touch the MAC table. The flow's count
# does, when the next revalidation reads it, up to half a second later. Until then frames to the station go to its old port. A frame to a
# destination that was not used before meets no flow, and is learned at once.
#
# Output seen (port of the MAC 50 ms after each frame, sent by a b a b …; what stands for identical frames varies from run to run):
#   identical frames: a b b b b b b b
#   new destination:  a b a b a b a b
#
# Needs root. Exits 0 if identical frames are not all learned and new ones are, 1 if not.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
packages=(openvswitch-switch=3.1.0-2+deb12u1 openvswitch-common=3.1.0-2+deb12u1)
for p in libunbound8 libxdp1 libbpf1 libevent-2.1-7 libhiredis0.14 libprotobuf-c1 libcap-ng0; do packages+=("$p"); done
apt-get download -qq "${packages[@]}" 2>/dev/null
for deb in *.deb; do dpkg -x "$deb" root; done
export R="$dir/root"

unshare --net --fork --pid --mount-proc --kill-child python3 - <<'PY'
import os, re, socket, subprocess, time
R, run = os.environ['R'], os.path.join(os.path.dirname(os.environ['R']), 'run')
os.mkdir(run)
env = {**os.environ, 'LD_LIBRARY_PATH': f'{R}/usr/lib/x86_64-linux-gnu:{R}/lib/x86_64-linux-gnu',
       'OVS_RUNDIR': run, 'OVS_LOGDIR': run, 'OVS_DBDIR': run, 'OVS_PKGDATADIR': f'{R}/usr/share/openvswitch'}
def tool(name, *a):
    return subprocess.run([f'{R}/usr/bin/{name}', *a], env=env, check=True, capture_output=True, text=True).stdout
def daemon(path, *a):
    name = os.path.basename(path)
    subprocess.Popen([f'{R}/{path}', *a, '--no-chdir', f'--unixctl={run}/{name}.ctl', f'--log-file={run}/{name}.log'],
                     env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
def vsctl(*a):
    tool('ovs-vsctl', f'--db=unix:{run}/db.sock', '--timeout=20', '--retry', *a)
for p in 'ab':
    subprocess.run(['ip', 'link', 'add', p + '0', 'type', 'veth', 'peer', 'name', p + '1'], check=True)
    for e in '01':
        subprocess.run(['ip', 'link', 'set', p + e, 'addrgenmode', 'none', 'up'], check=True)
tool('ovsdb-tool', 'create', f'{run}/conf.db', f'{R}/usr/share/openvswitch/vswitch.ovsschema')
daemon('usr/sbin/ovsdb-server', f'{run}/conf.db', f'--remote=punix:{run}/db.sock')
vsctl('--no-wait', 'init')
daemon('usr/lib/openvswitch-switch/ovs-vswitchd', f'unix:{run}/db.sock', '--disable-system')
vsctl('add-br', 'br0', '--', 'set', 'bridge', 'br0', 'datapath_type=netdev')
for p in 'ab':
    vsctl('add-port', 'br0', p + '1')
ctl = lambda *a: tool('ovs-appctl', '--timeout=5', '-t', f'{run}/ovs-vswitchd.ctl', *a)
numbers = dict((n, p) for p, n in re.findall(r'\b([ab])1 (\d+)/', ctl('dpif/show')))
MAC = bytes.fromhex('020000000001')
sockets = {}
for p in 'ab':
    sockets[p] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sockets[p].bind((p + '0', 0))
body = bytes.fromhex('0806 0001 0800 0604 0001') + MAC + bytes([192, 0, 2, 1]) + bytes(6) + bytes([192, 0, 2, 1]) + bytes(18)
def where():
    m = re.search(r'^ *(\d+) +\d+ +02:00:00:00:00:01', ctl('fdb/show', 'br0'), re.M)
    return numbers.get(m.group(1)) if m else '-'
def round(destination):
    out = []
    for i in range(8):
        sockets['ab'[i % 2]].send(destination(i) + MAC + body)
        time.sleep(0.05)
        out.append(where())
    return out
time.sleep(1)
same = round(lambda i: b'\xff' * 6)
print('identical frames:', *same)
time.sleep(12)
new = round(lambda i: bytes([6, 0, 0, 0, 1, i]))
print('new destination: ', *new)
want = list('abababab')
raise SystemExit(0 if new == want and same != want else 1)
PY
