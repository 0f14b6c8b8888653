import { groupMac, ipBytes } from '../../netns/frames.js';
import { FOREIGN as MACVLAN, PLAIN, VLAN } from '../../netns/stream-kinds.js';
import { ASKER_MAC, type Asker } from '../asker.js';
import { arpRequest, echoRequest, type Heard, solicitation } from '../frames.js';
import type { Testbed } from '../testbed.js';
import { GUEST_ADDRESS, GUEST_MAC } from '../wire.js';

/**
 * Questions from outside to what a guest has on its master: each is a frame of its own that a NIC may filter. A guest is right when it
 * answers every one, whichever slave carries its traffic.
 */

/** Asked so often, and answered so often if all is well. */
export const TIMES = 5;
/** An emulated guest answers within so long, ms. */
const ANSWER_MS = 1_000;
/** Source addresses begin here: each is used once, so that the guest's neighbour cache never knows it. */
const FRESH_FROM = 16;

/** Groups that are addresses of the guest, so that it answers echo requests to them. Streams have other ones: the guest's own would not leave. */
const GROUP = { ip: '239.99.7.7', ip6: 'ff05::99:7' };
const ECHOER = { ip: '10.99.0.9', ip6: 'fd00:99::9' };
const CONTAINER = { mac: '52:54:00:76:66:04', ip: '10.99.0.4', ip6: 'fd00:99::4' };

/** Makes the master's addresses of both families, and the groups that it answers echo requests to. */
const plain = {
  make: (m: string) => `echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_broadcasts
    ip addr add ${PLAIN.ip6}/64 dev ${m} nodad
    ip addr add ${GROUP.ip}/32 dev ${m} autojoin; ip addr add ${GROUP.ip6}/128 dev ${m} autojoin
    ip neigh replace ${ECHOER.ip} lladdr ${ASKER_MAC} dev ${m}
    ip neigh replace ${ECHOER.ip6} lladdr ${ASKER_MAC} dev ${m}`,
  remove: (m: string) => `ip addr del ${GROUP.ip}/32 dev ${m}; ip addr del ${GROUP.ip6}/128 dev ${m}
    ip addr del ${PLAIN.ip6}/64 dev ${m}
    ip neigh del ${ECHOER.ip} dev ${m}; ip neigh del ${ECHOER.ip6} dev ${m}`,
  announce: undefined,
};

const vlan = {
  make: (m: string) => `modprobe 8021q; ip link add link ${m} name v77 type vlan id ${VLAN.id}
    ip addr add ${VLAN.ip}/24 dev v77; ip addr add ${VLAN.ip6}/64 dev v77 nodad; ip link set v77 up`,
  remove: () => 'ip link del v77',
  announce: undefined,
};

const inside = (netns: string, device: string, { ip, ip6 }: { ip: string; ip6: string }): string =>
  `ip -n ${netns} addr add ${ip}/24 dev ${device}; ip -n ${netns} addr add ${ip6}/64 dev ${device} nodad
   ip -n ${netns} link set ${device} up`;
/** The switch learns where that MAC is, as it does from any station that speaks. */
const speak = (netns: string, device: string, { ip }: { ip: string }): string =>
  `ip netns exec ${netns} arping -q -U -c 1 -w 1 -I ${device} ${ip}`;

const macvlan = {
  make: (m: string) => `modprobe macvlan; ip netns add mv
    ip link add mv0 link ${m} address ${MACVLAN.mac} netns mv type macvlan mode bridge
    ${inside('mv', 'mv0', MACVLAN)}`,
  remove: () => 'ip -n mv link del mv0; ip netns del mv',
  announce: speak('mv', 'mv0', MACVLAN),
};

const bridge = {
  make: (m: string) => `modprobe -a bridge veth; ip netns add ct
    ip link add br0 type bridge stp_state 0 forward_delay 0; ip link set br0 address ${GUEST_MAC} up
    ip link add ct0 type veth peer name ct1 address ${CONTAINER.mac} netns ct
    ip link set ct0 master br0 up; ip link set ${m} master br0
    ${inside('ct', 'ct1', CONTAINER)}`,
  remove: (m: string) => `ip link set ${m} nomaster; ip link del ct0; ip link del br0; ip netns del ct`,
  announce: speak('ct', 'ct1', CONTAINER),
};

/** What is made on the master for a question, and how its stations let themselves be heard. */
const SCENES = { plain, vlan, macvlan, bridge } satisfies Record<
  string,
  { make(master: string): string; remove(master: string): string; announce: string | undefined }
>;
export type SceneName = keyof typeof SCENES;
export const SCENE_NAMES = Object.keys(SCENES) as SceneName[];

interface Asked {
  frame: Buffer;
  answers(heard: Heard): boolean;
}

export interface Question {
  name: string;
  scene: SceneName;
  /** The question of that number: its sender is one that nobody has heard of. */
  ask(number: number): Asked;
}

const hex = (ip: string): string => ipBytes(ip).toString('hex');
const fresh = (number: number, net: string): string => `${net}${FRESH_FROM + (number % 200)}`;
const fresh6 = (number: number, net: string): string => `${net}f:${number.toString(16)}`;

/** Who is asked: addresses of one station of the guest. */
interface Target {
  mac: string;
  ip: string;
  ip6: string;
  vlan?: number;
}

const isFrom = (heard: Heard, { mac, vlan: tag }: Target): boolean =>
  heard.from === mac && heard.to === ASKER_MAC && heard.vlan === tag;

/** An ARP request; `direct` to the MAC itself, else to everybody. */
const arp =
  (target: Target, net: string, direct = false) =>
  (number: number): Asked => ({
    frame: arpRequest({
      mac: ASKER_MAC,
      ip: fresh(number, net),
      toIp: target.ip,
      ...(direct && { toMac: target.mac }),
      ...(target.vlan !== undefined && { vlan: target.vlan }),
    }),
    answers: (h) => h.kind === 'arp-reply' && isFrom(h, target) && h.answersFor === hex(target.ip),
  });

/** A neighbour solicitation; `direct` to the MAC itself, else to the group of the address. */
const nd =
  (target: Target, net: string, direct = false) =>
  (number: number): Asked => ({
    frame: solicitation(
      {
        mac: ASKER_MAC,
        ip: fresh6(number, net),
        ...(direct && { toMac: target.mac }),
        ...(target.vlan !== undefined && { vlan: target.vlan }),
      },
      target.ip6,
    ),
    answers: (h) => h.kind === 'advertisement' && isFrom(h, target) && h.answersFor === hex(target.ip6),
  });

/** An echo request to an address of the guest, or to a group that it is in. */
export const echoTo =
  (toMac: string, toIp: string) =>
  (number: number): Asked => ({
    frame: echoRequest(
      { mac: ASKER_MAC, ip: toIp.includes(':') ? ECHOER.ip6 : ECHOER.ip, toMac, toIp },
      number,
    ),
    answers: (h) => h.kind === 'echo-reply' && isFrom(h, GUEST) && h.number === number,
  });

const GUEST: Target = { mac: GUEST_MAC, ip: GUEST_ADDRESS, ip6: PLAIN.ip6 };
const ON_VLAN: Target = { mac: GUEST_MAC, ip: VLAN.ip, ip6: VLAN.ip6, vlan: VLAN.id };
const [NET, NET6] = ['10.99.0.', 'fd00:99::'];
const [VLAN_NET, VLAN_NET6] = ['10.99.77.', 'fd00:77::'];

/** IPv6 as often as IPv4. Those before `nd` are controls: every NIC lets them in. */
export const QUESTIONS: readonly Question[] = [
  { name: 'arp', scene: 'plain', ask: arp(GUEST, NET) },
  { name: 'ping', scene: 'plain', ask: echoTo(GUEST_MAC, GUEST_ADDRESS) },
  { name: 'ping6', scene: 'plain', ask: echoTo(GUEST_MAC, PLAIN.ip6) },
  { name: 'nd', scene: 'plain', ask: nd(GUEST, NET6) },
  { name: 'group', scene: 'plain', ask: echoTo(groupMac(GROUP.ip), GROUP.ip) },
  { name: 'group6', scene: 'plain', ask: echoTo(groupMac(GROUP.ip6), GROUP.ip6) },
  { name: 'vlan', scene: 'vlan', ask: arp(ON_VLAN, VLAN_NET) },
  { name: 'vlan6', scene: 'vlan', ask: nd(ON_VLAN, VLAN_NET6) },
  { name: 'macvlan', scene: 'macvlan', ask: arp(MACVLAN, NET, true) },
  { name: 'macvlan6', scene: 'macvlan', ask: nd(MACVLAN, NET6, true) },
  { name: 'bridge', scene: 'bridge', ask: arp(CONTAINER, NET, true) },
  { name: 'bridge6', scene: 'bridge', ask: nd(CONTAINER, NET6, true) },
];

/** Makes what a scene's questions are about. */
export async function makeScene(bed: Testbed, name: SceneName): Promise<void> {
  const { master } = await bed.devices();
  await bed.guest.run(`set -e; ${SCENES[name].make(master)}`);
}

/** Removes what there is of a scene. */
export async function removeScene(bed: Testbed, name: SceneName): Promise<void> {
  const { master } = await bed.devices();
  await bed.guest.exec(SCENES[name].remove(master));
}

/** Lets the stations of a scene speak, so that the switch knows the port where their MAC is now. */
export async function announceScene(bed: Testbed, name: SceneName): Promise<void> {
  const { announce } = SCENES[name];
  if (announce !== undefined) await bed.guest.exec(announce);
}

let number = 0;

/** Asks a question `times` times, its scene being there. Returns how often it was answered. */
export async function ask(asker: Asker, question: Question, times = TIMES): Promise<number> {
  let answered = 0;
  for (let i = 0; i < times; i++) {
    const { frame, answers } = question.ask(++number);
    if (await asker.ask(frame, answers, ANSWER_MS)) answered++;
  }
  return answered;
}
