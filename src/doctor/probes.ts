/**
 * What has to be tried. Whatever touches a device does so in a namespace that has no name and ends with the probe; of the machine's
 * own devices facts are read and nothing is changed. Loaded by doctor.ts only when the native addon can be.
 */
import {
  BpfError,
  haveAtomics,
  haveBtf,
  haveClsact,
  haveFentry,
  haveKfunc,
  haveKprobe,
  haveMmapableArray,
  haveNativeXdp,
  haveRingBuffer,
  haveTcx,
  inspect,
  libbpfVersion,
  type Probe,
} from 'bpf-loader-ts';
import {
  ControlSocket,
  closeFd,
  errnoName,
  memlockLimit,
  NetlinkSocket,
  netnsCreate,
  netnsCurrent,
  withNetns,
} from 'bpf-loader-ts/sys';
import { vfailover } from '../../bpf/vfailover.bpf.js';
import { foreignPrograms } from '../datapath/hooks.js';
import * as c from '../netlink/constants.js';
import { Rtnl } from '../netlink/index.js';
import { MessageBuilder, parseAck, splitMessages } from '../netlink/message.js';
import { bpfObject } from '../paths.js';
import { findCandidates } from './candidates.js';
import { isPromiscuous, routesBy, vlans } from './device-facts.js';
import type { Candidate, Manager, ProbeFindings, VirtioDevice } from './findings.js';
import { managersOf } from './host.js';

const ANSWER_TIMEOUT_MS = 1000;
/** What the kernel calls when a device loses its carrier. */
const CARRIER_OFF = 'netif_carrier_off';
const LOOPBACK = 1;
/** linux/pkt_sched.h: the parent of a root qdisc. */
const TC_H_ROOT = 0xffffffff;

/** Takes tens of milliseconds. Never throws. `managers`: those that run. */
export function gatherProbes(managers: readonly Manager[]): ProbeFindings {
  const kernCtx = haveKfunc('bpf_cast_to_kern_ctx', '6.2');
  return {
    libbpf: libbpfVersion,
    features: {
      atomics: haveAtomics(),
      btf: haveBtf(),
      mmapableArray: haveMmapableArray(),
      ringBuffer: haveRingBuffer(),
      tcx: haveTcx(),
      kernCtx,
      fentry: haveFentry(CARRIER_OFF),
      kprobe: haveKprobe(CARRIER_OFF),
      ...probeDevices(),
    },
    programs: loadPrograms(kernCtx.answer === 'supported'),
    setns: attempt('entering a network namespace', enterOwn),
    memlock: memlockLimit(),
    ...listDevices(managers),
  };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A probe of something that can only fail for want of permission. */
function attempt(name: string, test: () => void): Probe {
  try {
    test();
    return { answer: 'supported', detail: `${name} works` };
  } catch (error) {
    return { answer: 'unsupported', detail: `${name}: ${messageOf(error)}` };
  }
}

function enterOwn(): void {
  const own = netnsCurrent();
  try {
    withNetns(own, () => {});
  } finally {
    closeFd(own);
  }
}

type DeviceProbes = Record<'clsact' | 'nativeXdp' | 'netkit' | 'vlan' | 'dummy', Probe>;

const everywhere = (one: Probe): DeviceProbes => ({
  clsact: one,
  nativeXdp: one,
  netkit: one,
  vlan: one,
  dummy: one,
});

function probeDevices(): DeviceProbes {
  let netns: number;
  try {
    netns = netnsCreate();
  } catch (error) {
    const detail = `no network namespace to try it in: ${messageOf(error)}`;
    return everywhere({ answer: 'inconclusive', detail });
  }
  try {
    const veth = createVeth(netns);
    return {
      // the loopback of a namespace of our own will do where there is no veth
      clsact: withNetns(netns, () => haveClsact(typeof veth === 'number' ? veth : LOOPBACK)),
      nativeXdp:
        typeof veth === 'number' ? withNetns(netns, () => haveNativeXdp(veth, 'veth', '4.19')) : veth,
      netkit: probeKind(netns, 'netkit', 'requires kernel >= 6.7 with CONFIG_NETKIT'),
      vlan:
        typeof veth === 'number'
          ? probeKind(netns, 'vlan', 'requires CONFIG_VLAN_8021Q', (m) =>
              m
                .u32(c.IFLA_LINK, veth)
                .nest(c.IFLA_LINKINFO, (info) =>
                  info
                    .string(c.IFLA_INFO_KIND, 'vlan')
                    .nest(c.IFLA_INFO_DATA, (data) => data.attr(c.IFLA_VLAN_ID, Uint8Array.of(2, 0))),
                ),
            )
          : veth,
      dummy: probeKind(netns, 'dummy', 'requires CONFIG_DUMMY'),
    };
  } catch (error) {
    return everywhere({ answer: 'inconclusive', detail: messageOf(error) });
  } finally {
    closeFd(netns);
  }
}

/** Its ifindex, or why there is none. */
function createVeth(netns: number): number | Probe {
  try {
    using rtnl = new Rtnl({ netns });
    return rtnl.createVeth({ name: 'vfprobe0', peer: { name: 'vfprobe1' } }).ifindex;
  } catch (error) {
    return { answer: 'inconclusive', detail: `no veth to try it on: ${messageOf(error)}` };
  }
}

/** Makes a device of a kind, which ends with its namespace. A kernel that does not know the kind says EOPNOTSUPP. */
function probeKind(
  netns: number,
  kind: string,
  needs: string,
  describe = (m: MessageBuilder): MessageBuilder =>
    m.nest(c.IFLA_LINKINFO, (info) => info.string(c.IFLA_INFO_KIND, kind)),
): Probe {
  const inconclusive = (why: string): Probe => ({ answer: 'inconclusive', detail: `${kind}: ${why}` });
  try {
    using socket = new NetlinkSocket({ netns });
    const flags = c.NLM_F_REQUEST | c.NLM_F_ACK | c.NLM_F_CREATE | c.NLM_F_EXCL;
    const request = describe(
      new MessageBuilder(c.RTM_NEWLINK, flags).ifinfo(0).string(c.IFLA_IFNAME, `vf${kind}`),
    );
    const sent = socket.send(request.finish(1));
    if (sent < 0) return inconclusive(errnoName(sent));
    const buffer = new Uint8Array(4096);
    if (socket.pollIn(ANSWER_TIMEOUT_MS) !== 1) return inconclusive('the kernel did not answer');
    const length = socket.recv(buffer);
    if (length < 0) return inconclusive(errnoName(length));
    for (const message of splitMessages(buffer.subarray(0, length))) {
      if (message.type !== c.NLMSG_ERROR) continue;
      const { errno } = parseAck(message);
      if (errno === 0) return { answer: 'supported', detail: `${kind} works` };
      if (errno === c.EOPNOTSUPP) {
        return { answer: 'unsupported', detail: `${kind} not supported (${needs})` };
      }
      return inconclusive(errnoName(errno));
    }
    return inconclusive('the kernel did not acknowledge');
  } catch (error) {
    return inconclusive(messageOf(error));
  }
}

/** Loads our own programs as the datapath does, attached to nothing and pinned nowhere: the probe that no table can replace. */
function loadPrograms(kernCtx: boolean): Probe {
  try {
    using object = vfailover.load(bpfObject('vfailover'), {
      variables: { vf_has_kern_ctx: kernCtx ? 1 : 0 },
    });
    return { answer: 'supported', detail: `${object.object.spec.programs.length} programs load` };
  } catch (error) {
    const refused = error instanceof BpfError && error.code !== 'BPF_PERMISSION';
    return { answer: refused ? 'unsupported' : 'inconclusive', detail: messageOf(error) };
  }
}

function listDevices(managers: readonly Manager[]): Pick<ProbeFindings, 'candidates' | 'virtio'> {
  try {
    using rtnl = new Rtnl();
    using control = new ControlSocket();
    const links = rtnl.links();
    const driver = (name: string): string | null => quietly(() => control.driver(name)?.driver) ?? null;
    const virtio: VirtioDevice[] = links
      .filter(({ name }) => driver(name) === 'virtio_net')
      .map(({ name, txQueues }) => ({ name, queues: txQueues ?? 1 }));
    const tagged = vlans();
    const candidates: Candidate[] = findCandidates(
      links,
      ({ name, ifindex, permAddress }) => ({
        driver: driver(name),
        managedBy: managersOf(ifindex, managers),
        foreign: quietly(() => foreignPrograms(ifindex)) ?? [],
        xdp: quietly(() => xdpOn(ifindex)) ?? [],
        qdisc: rtnl.qdiscs(ifindex).find((q) => q.parent === TC_H_ROOT)?.kind ?? null,
        permanentMac: permAddress !== undefined,
        addresses: rtnl.addresses(ifindex).map(({ address, prefix, flags }) => ({
          address: `${address}/${prefix}`,
          duplicate: (flags & c.IFA_F_DADFAILED) !== 0,
        })),
        routes: routesBy(name),
        promiscuous: isPromiscuous(name),
        letsIn: {
          macs: [],
          vlans: tagged.filter((v) => v.below === name).map((v) => v.id),
        },
      }),
      (name) => tagged.find((v) => v.name === name)?.id ?? null,
    );
    return { candidates, virtio };
  } catch (error) {
    return { candidates: messageOf(error), virtio: messageOf(error) };
  }
}

const xdpOn = (ifindex: number): string[] =>
  inspect(ifindex)
    .filter(({ hook }) => hook === 'xdp')
    .map(({ progId, name }) => `${name || 'unnamed'} (id ${progId})`);

/** A detail that may be missing: the device has just gone, or asking needs a privilege that another check reports. */
function quietly<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}
