/** Checks of the machine and of this installation. Pure. */
import { list, ok, problem, releaseAtLeast } from './check.js';
import type { Candidate, CandidateDevice, Check, Findings, HostFindings, ProbeFindings } from './findings.js';
import { managerChecks } from './manager-checks.js';
import { slaveChecks } from './slave-checks.js';

const NODE_MAJOR = 20;
const BACKLOG_DEFAULT = 1000;
/** What LinkMonitor asks for: 1 MiB. */
const NETLINK_RCVBUF = 1_048_576;
const CAP_NET_ADMIN = 12n;

export function machineChecks({ host, probes, dropIns }: Findings): Check[] {
  const usable = typeof probes === 'string' ? undefined : probes;
  return [
    node(host),
    addon(probes),
    ...build(host),
    bpffs(host),
    ...(usable === undefined ? [] : [memlock(host, usable)]),
    backlog(host),
    rmemMax(host),
    cpus(host),
    ...(usable === undefined
      ? []
      : [devices(usable), ...managerChecks(host, usable, dropIns), ...slaveChecks(usable)]),
  ];
}

function node({ node: version }: HostFindings): Check {
  const needed = `${NODE_MAJOR} or later`;
  if (Number.parseInt(version, 10) >= NODE_MAJOR) return ok('node', needed, version);
  const cost = 'the command line may start, but nothing was tried on so old a Node';
  return problem({
    status: 'fail',
    name: 'node',
    needed,
    found: version,
    cost,
    fix: `install Node ${NODE_MAJOR} or later`,
  });
}

function addon(probes: Findings['probes']): Check {
  const needed = 'bpf_loader.node';
  if (typeof probes !== 'string') {
    return ok('addon', needed, `loaded, with libbpf ${probes.libbpf}`);
  }
  const cost = 'vfailover cannot run, and what the kernel can do was not tried';
  return problem({
    status: 'fail',
    name: 'addon',
    needed,
    found: probes,
    cost,
    fix: 'build it: `make build`, or install vfailover anew',
  });
}

function build({ missing }: HostFindings): Check[] {
  const part = (name: string, file: string, cost: string): Check =>
    missing.includes(file) || missing.includes('bpf/vfailover.h')
      ? problem({
          status: 'fail',
          name,
          needed: file,
          found: 'absent',
          cost,
          fix: 'build it: `make build`, or install vfailover anew',
        })
      : ok(name, file, 'present');
  return [
    part('bpf-objects', 'bpf/vfailover.bpf.o', 'vfailover cannot run: there are no programs to attach'),
    part('workers', 'dist/workers/decision.js', 'vfailover cannot run: nobody would decide'),
  ];
}

function bpffs({ bpffs: { mounted, writable }, capabilities }: HostFindings): Check {
  const [name, needed] = ['bpffs', '/sys/fs/bpf mounted, writable'];
  const fix =
    'as root: mount -t bpf bpf /sys/fs/bpf (in a container: mount the host’s), or set pin_root to another BPF file system';
  if (mounted) {
    if (writable.answer === 'supported') return ok(name, needed, 'both');
    const cost =
      'vfailover cannot run with the default pin_root: what it attaches is pinned there, to outlive the daemon';
    const own = `run as root, or set pin_root to a folder of yours on a BPF file system`;
    return problem({
      status: 'fail',
      name,
      needed,
      found: `mounted, but ${writable.detail}`,
      cost,
      fix: own,
    });
  }
  const mayMount = capabilities !== null && ((capabilities >> 21n) & 1n) === 1n;
  return mayMount
    ? problem({
        status: 'warn',
        name,
        needed,
        found: 'not mounted',
        cost: 'none, if the daemon may mount it: it tries at its start',
        fix,
      })
    : problem({
        status: 'fail',
        name,
        needed,
        found: 'not mounted',
        cost: 'vfailover cannot run: there is nowhere to pin programs and maps',
        fix,
      });
}

function memlock({ release }: HostFindings, { memlock: { soft, hard } }: ProbeFindings): Check {
  const [name, needed] = ['memlock', 'only before Linux 5.11'];
  const words = (n: number): string => (n === Number.POSITIVE_INFINITY ? 'unlimited' : `${n} bytes`);
  const charged = releaseAtLeast(release, 5, 11) === false;
  if (!charged || soft === Number.POSITIVE_INFINITY || hard === Number.POSITIVE_INFINITY) {
    return ok(
      name,
      needed,
      charged ? words(hard) : `${words(soft)}; this kernel does not count maps against it`,
    );
  }
  const cost = 'maps count against this limit: the kernel may refuse them with EPERM';
  return problem({
    status: 'warn',
    name,
    needed,
    found: words(hard),
    cost,
    fix: 'LimitMEMLOCK=infinity in the systemd unit, or `ulimit -l unlimited`',
  });
}

function backlog({ sysctls: { netdevMaxBacklog: found } }: HostFindings): Check {
  const [name, needed] = ['netdev-max-backlog', `net.core.netdev_max_backlog of ${BACKLOG_DEFAULT} or more`];
  const cost =
    'frames that arrive on the VF are handed to the master through each CPU’s backlog: a burst longer than this is cut';
  const fix = 'sysctl -w net.core.netdev_max_backlog=4096, and the same in /etc/sysctl.d';
  if (found === null)
    return problem({
      status: 'unknown',
      name,
      needed,
      found: 'not readable here',
      cost,
      fix: `on the machine itself: ${fix}`,
    });
  return found >= BACKLOG_DEFAULT
    ? ok(name, needed, String(found))
    : problem({ status: 'warn', name, needed, found: String(found), cost, fix });
}

function rmemMax({ sysctls: { rmemMax: found }, capabilities }: HostFindings): Check {
  const [name, needed] = ['rmem-max', `net.core.rmem_max of ${NETLINK_RCVBUF}, or CAP_NET_ADMIN`];
  const exempt = capabilities !== null && ((capabilities >> CAP_NET_ADMIN) & 1n) === 1n;
  if (found !== null && (found >= NETLINK_RCVBUF || exempt)) {
    return ok(
      name,
      needed,
      found >= NETLINK_RCVBUF ? String(found) : `${found}, which CAP_NET_ADMIN may exceed`,
    );
  }
  if (exempt) return ok(name, needed, 'not readable here; CAP_NET_ADMIN may exceed it');
  const cost =
    'a burst of link events overruns the netlink socket: nothing is lost, but all devices are listed anew';
  const fix = `sysctl -w net.core.rmem_max=${NETLINK_RCVBUF}`;
  return found === null
    ? problem({ status: 'unknown', name, needed, found: 'not readable here', cost, fix })
    : problem({ status: 'warn', name, needed, found: String(found), cost, fix });
}

function cpus({ cpus: found }: HostFindings): Check {
  const needed = '2 or more';
  if (found > 1) return ok('cpus', needed, String(found));
  const cost =
    'decision worker and traffic share a CPU, so decisions wait for it; `worker.wait: spin` would take it whole';
  return problem({
    status: 'warn',
    name: 'cpus',
    needed,
    found: String(found),
    cost,
    fix: 'allow the daemon another CPU, and leave `worker.wait` at epoll',
  });
}

const deviceWords = ({ name, driver }: CandidateDevice): string =>
  driver === null ? name : `${name} (${driver})`;

function devices({ candidates }: ProbeFindings): Check {
  const [name, needed] = ['devices', 'a VF and a virtio device of one MAC'];
  if (typeof candidates === 'string') {
    const fix = 'run vfailover doctor as root';
    return problem({
      status: 'unknown',
      name,
      needed,
      found: candidates,
      cost: 'cannot tell which devices there are',
      fix,
    });
  }
  if (candidates.length === 0) {
    return problem({
      status: 'warn',
      name,
      needed,
      found: 'none in this network namespace',
      cost: 'there is nothing to fail over between at the moment; a VF that is unplugged joins by itself when it comes',
      fix: 'give the VF the MAC of the virtio device on the host: ip link set PF vf N mac MAC',
    });
  }
  const faults = candidates.map(faultOf).filter((fault) => fault !== undefined);
  const found = candidates
    .map(
      ({ mac, master, others }) =>
        `${[...(master ? [master] : []), ...others].map(deviceWords).join(' + ')}, ${mac}`,
    )
    .join('; ');
  if (faults.length === 0) {
    const masters = candidates.map(({ master }) => master?.name);
    return ok(
      name,
      needed,
      found,
      `name the master in the configuration: ${masters.map((m) => `master: ${m}`).join(', ')}`,
    );
  }
  const cost = faults.map((f) => f.cost).join('; ');
  return problem({
    status: 'warn',
    name,
    needed,
    found,
    cost,
    fix: [...new Set(faults.map((f) => f.fix))].join('; '),
  });
}

/** What keeps a pair from being an instance. */
function faultOf({ master, others, owner }: Candidate): { cost: string; fix: string } | undefined {
  const names = list([...(master ? [master] : []), ...others].map((d) => d.name));
  const foreign = [...(master ? [master] : []), ...others].filter((d) => d.foreign.length > 0);
  if (owner !== null) {
    const kernels = /^net_failover (.*)/.exec(owner)?.[1];
    const fix = kernels
      ? `set \`model: net-failover\` and \`master: ${kernels}\`, or take the STANDBY feature from the virtio device (QEMU: failover=off; libvirt: no <teaming>)`
      : `release them from ${owner} (ip link set DEV nomaster), or leave the pair to it`;
    return { cost: `${names} belong to ${owner}: vfailover does not take a device from its owner`, fix };
  }
  if (foreign.length > 0) {
    const whose = foreign.map((d) => `${d.name} has ${list(d.foreign)}`).join(', ');
    return {
      cost: `${whose}: an instance is refused there`,
      fix: 'let the owner of those programs detach them (bpftool net)',
    };
  }
  if (master === null) {
    return {
      cost: `which of ${names} is to be the master is not plain: none, or more than one, is a virtio device`,
      fix: 'name it in the configuration: `master: DEV`',
    };
  }
  if (others.length > 1) {
    const rest = list(others.map((d) => d.name));
    return {
      cost: `${rest} both match ${master.name}: an instance would refuse to choose`,
      fix: 'name one: `primary: {name: DEV}`',
    };
  }
  return undefined;
}
