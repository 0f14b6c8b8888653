/** Checks of what the kernel can do. Pure. */
import type { Probe } from 'bpf-loader-ts';
import { AS_ROOT, list, ok, probed, problem, releaseAtLeast } from './check.js';
import type { Check, Feature, Findings, HostFindings, ProbeFindings } from './findings.js';

const DISTRIBUTION = 'use a kernel of a current distribution (Debian 12, RHEL 9, Ubuntu 22.04 or later)';

/** What a program at netif_carrier_off would see first. */
const CARRIER_COST =
  'no program can be told of a lost carrier in the moment: the next frame sent (tier 0) or the worker’s next look finds it';

/** Numbers of linux/capability.h. */
const CAP = { NET_ADMIN: 12, NET_RAW: 13, SYS_ADMIN: 21, PERFMON: 38, BPF: 39 } as const;

const HOW_TO_GRANT =
  'run as root, or grant them: AmbientCapabilities= in the systemd unit, or `setpriv --ambient-caps`';

export function kernelChecks({ host, probes }: Findings): Check[] {
  if (typeof probes === 'string') return capabilityChecks(host);
  return [
    kernel(host, probes),
    ...capabilityChecks(host),
    namespaces(probes),
    ...required(probes.features),
    programs(host, probes),
    ...attachment(probes.features),
    ...optional(probes.features),
    virtioXdp(host, probes),
  ];
}

/** Whether the process has the capability. CAP_SYS_ADMIN stands for those that were split off it in Linux 5.8. */
function has(capabilities: bigint, name: keyof typeof CAP): boolean {
  const bit = (n: number): boolean => ((capabilities >> BigInt(n)) & 1n) === 1n;
  return bit(CAP[name]) || ((name === 'BPF' || name === 'PERFMON') && bit(CAP.SYS_ADMIN));
}

function capabilityChecks({ capabilities }: HostFindings): Check[] {
  const needed = 'CAP_BPF, CAP_NET_ADMIN, CAP_NET_RAW';
  if (capabilities === null) {
    const cost = 'cannot tell: without them vfailover cannot start';
    return [
      problem({
        status: 'unknown',
        name: 'capabilities',
        needed,
        found: 'not readable',
        cost,
        fix: 'mount /proc',
      }),
    ];
  }
  const missing = (['BPF', 'NET_ADMIN', 'NET_RAW'] as const).filter((name) => !has(capabilities, name));
  const all = missing.map((name) => `CAP_${name}`);
  const cost = 'vfailover cannot load programs, change devices or announce addresses, whichever it lacks';
  return [
    all.length === 0
      ? ok('capabilities', needed, 'all')
      : problem({
          status: 'fail',
          name: 'capabilities',
          needed,
          found: `without ${list(all)}`,
          cost,
          fix: HOW_TO_GRANT,
        }),
    has(capabilities, 'PERFMON')
      ? ok('perfmon', 'CAP_PERFMON', 'present')
      : problem({
          status: 'warn',
          name: 'perfmon',
          needed: 'CAP_PERFMON',
          found: 'absent',
          cost:
            'the verifier refuses a program that looks at kernel memory, as tier 0 does for a device’s carrier; ' +
            'the check `programs` tells whether ours are among them',
          fix: HOW_TO_GRANT.replace('them', 'CAP_PERFMON'),
        }),
  ];
}

function kernel({ release }: HostFindings, { features }: ProbeFindings): Check {
  const needed = '5.12 or later';
  const fix = DISTRIBUTION;
  const cost =
    'vfailover cannot run: its programs flip the steering word with a compare-and-swap (Linux 5.12)';
  const recent = releaseAtLeast(release, 5, 12);
  const { answer, detail } = features.atomics;
  // what was tried counts for more than the number: distributions backport
  if (answer === 'supported') return ok('kernel', needed, release);
  if (answer === 'unsupported')
    return problem({ status: 'fail', name: 'kernel', needed, found: `${release}: ${detail}`, cost, fix });
  if (recent === true) return ok('kernel', needed, release);
  return problem({
    status: 'unknown',
    name: 'kernel',
    needed,
    found: `${release}; ${detail}`,
    cost,
    fix: `${fix}, or try again as root`,
  });
}

function namespaces({ setns }: ProbeFindings): Check {
  return probed('namespaces', setns, {
    needed: 'may enter network namespaces',
    status: 'fail',
    cost: 'the daemon enters the namespace of each instance by its descriptor, its own among them, and cannot serve any',
    fix: 'run as root, or with CAP_SYS_ADMIN besides',
  });
}

function required(features: Record<Feature, Probe>): Check[] {
  return [
    probed('btf', features.btf, {
      needed: '/sys/kernel/btf/vmlinux',
      status: 'fail',
      cost: 'vfailover cannot run: its programs find the kernel’s fields by BTF',
      fix: `${DISTRIBUTION}, or build it with CONFIG_DEBUG_INFO_BTF=y`,
    }),
    probed('mmapable-arrays', features.mmapableArray, {
      needed: 'Linux 5.5',
      status: 'fail',
      cost: 'vfailover cannot run: steering words and counters are read through mapped memory',
      fix: DISTRIBUTION,
    }),
    probed('ring-buffer', features.ringBuffer, {
      needed: 'Linux 5.8',
      status: 'fail',
      cost: 'vfailover cannot run: the programs report switches through a ring buffer',
      fix: DISTRIBUTION,
    }),
  ];
}

function programs({ missing }: HostFindings, { programs: loaded }: ProbeFindings): Check {
  const name = 'programs';
  const needed = 'this kernel takes our programs';
  if (missing.includes('bpf/vfailover.bpf.o')) {
    const cost = 'cannot tell whether the kernel would take them';
    return problem({
      status: 'unknown',
      name,
      needed,
      found: 'not built',
      cost,
      fix: 'build them (see bpf-objects)',
    });
  }
  return probed(name, loaded, {
    needed,
    status: 'fail',
    cost: 'vfailover cannot run: the kernel refuses its programs',
    fix: 'mend what else fails or warns here (capabilities, perfmon, kernel); if nothing does, please report it',
  });
}

/** TCX, or clsact in its place. One of them is needed. */
function attachment({ tcx, clsact }: Record<'tcx' | 'clsact', Probe>): Check[] {
  const either = tcx.answer === 'supported' || clsact.answer === 'supported';
  const first = probed('tcx', tcx, {
    needed: 'Linux 6.6, else clsact',
    status: 'warn',
    cost:
      'programs attach by clsact: whoever deletes that qdisc (`tc qdisc del dev DEV clsact`) takes them along, and traffic ' +
      'stays on virtio until the daemon starts anew; every frame passes the classifier, some nanoseconds more',
    fix: 'a kernel from 6.6 on; nothing else needs to be done: `attach: auto` falls back by itself',
  });
  if (clsact.answer !== 'supported' && tcx.answer === 'supported') {
    return [first, ok('clsact', 'only where TCX is absent', `${clsact.detail}; not needed`)];
  }
  const second = probed('clsact', clsact, {
    needed: 'Linux 4.5 with sch_ingress and cls_bpf',
    status: either ? 'warn' : 'fail',
    cost: 'vfailover cannot run: without TCX and clsact there is no place to attach programs at',
    fix: 'load sch_ingress and cls_bpf (modprobe), or build them: CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF',
  });
  return [first, second];
}

function optional(features: Record<Feature, Probe>): Check[] {
  return [
    probed('kern-ctx', features.kernCtx, {
      needed: 'bpf_cast_to_kern_ctx, Linux 6.2',
      status: 'warn',
      cost:
        'tier 0 sees an unplug, but no carrier: a lost carrier is left to the decision worker, and while the daemon is ' +
        'paused or dead, to nobody',
      fix: 'a kernel from 6.2 on',
    }),
    probed('native-xdp', features.nativeXdp, {
      needed: 'only for XDP steering',
      status: 'warn',
      cost: 'XDP runs in generic mode at a fraction of its rate; steering by tc, the default, does not need it',
      fix: 'a kernel from 4.19 on; leave XDP steering off',
    }),
    probed('netkit', features.netkit, {
      needed: 'only for the hidden model',
      status: 'warn',
      cost: 'the hidden model would use a veth pair: about 100 ns more for each frame; the transparent model does not need it',
      fix: 'a kernel from 6.7 on with CONFIG_NETKIT=y',
    }),
    probed('vlan', features.vlan, {
      needed: 'only for 802.1Q devices on the master',
      status: 'warn',
      cost: 'no VLAN device can be made on the master; frames that are tagged already pass all the same',
      fix: 'load 8021q (modprobe), or build it: CONFIG_VLAN_8021Q',
    }),
    probed('dummy', features.dummy, {
      needed: 'only as a stand-in for a device',
      status: 'warn',
      cost: 'nothing of vfailover itself; tests and trials that want a device without a wire take a veth pair',
      fix: 'load dummy (modprobe), or build it: CONFIG_DUMMY',
    }),
    probed('fentry', features.fentry, {
      needed: 'a tier 0 signal where tracing is allowed',
      status: 'warn',
      cost: CARRIER_COST,
      fix: 'a kernel from 5.5 on whose security modules allow it',
    }),
    probed('kprobe', features.kprobe, {
      needed: 'a tier 0 signal where tracing is allowed',
      status: 'warn',
      cost: CARRIER_COST,
      fix: 'a kernel with CONFIG_KPROBE_EVENTS=y',
    }),
  ];
}

/**
 * Not tried: XDP on a virtio device resets its queues, and the machine's own are left alone. The driver takes a queue for each CPU beside those
 * in use (Linux 4.10); where there are too few it shares them, under a lock (Linux 5.13).
 */
function virtioXdp({ cpus, release }: HostFindings, { virtio }: ProbeFindings): Check {
  const [name, needed] = ['virtio-xdp', 'only for XDP steering'];
  if (typeof virtio === 'string')
    return problem({
      status: 'unknown',
      name,
      needed,
      found: virtio,
      cost: 'cannot tell which devices share queues',
      fix: AS_ROOT,
    });
  if (virtio.length === 0) return ok(name, needed, 'no virtio_net device here');
  const found = list(
    virtio.map(({ name: device, queues }) => `${device} with ${queues} ${queues === 1 ? 'queue' : 'queues'}`),
  );
  const few = virtio.filter(({ queues }) => queues < 2 * cpus);
  if (few.length === 0) return ok(name, needed, found);
  const which = list(few.map((d) => d.name));
  const shares = releaseAtLeast(release, 5, 13) !== false;
  return problem({
    status: 'warn',
    name,
    needed,
    found,
    cost: shares
      ? `${which}: native XDP works, and sends through queues that CPUs share, under a lock; steering by tc, the default, does not need it`
      : `${which}: native XDP is refused, generic mode is left; steering by tc, the default, does not need it`,
    fix: `give it two queues for each CPU (QEMU: queues=${2 * cpus} of the netdev, mq=on of the device)`,
  });
}
