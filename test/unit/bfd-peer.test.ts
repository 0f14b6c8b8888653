import { describe, expect, it } from 'vitest';
import type { BfdConfig } from '../../src/config/index.js';
import { findPeer, type Neighbourhood } from '../../src/detect/bfd/peer.js';
import type { Device } from '../../src/device.js';
import { parseIp } from '../../src/frames/address.js';
import { parseMac } from '../../src/frames/mac.js';

const MASTER = 7;
const PEER = '10.0.0.9';
const MAC = parseMac('52:54:00:12:34:56');
const [UNICAST, UNREACHABLE] = [1, 7];
const VLAN = {
  ifindex: 8,
  name: 'eth0.5',
  kind: 'vlan',
  link: MASTER,
  vlan: { id: 5, protocol: 0x8100 },
} as Device;

/** A kernel that knows a way and a neighbour; `resolved` is what it was made to ask. */
function kernel(o: Partial<Neighbourhood> = {}): Neighbourhood & { resolved: string[] } {
  const resolved: string[] = [];
  return {
    resolved,
    masterIfindex: MASTER,
    device: (ifindex) => (ifindex === VLAN.ifindex ? VLAN : undefined),
    devices: () => [VLAN],
    route: () => ({ type: UNICAST, ifindex: MASTER }),
    neighbour: () => ({ mac: MAC, fresh: true }),
    resolve: (ifindex, ip) => void resolved.push(`${ip}@${ifindex}`),
    ...o,
  };
}

const bfd = (o: object = {}): BfdConfig => ({ mode: 'single-hop', peer: PEER, ...o }) as BfdConfig;
const via = (gateway: string) => () => ({ type: UNICAST, ifindex: MASTER, gateway: parseIp(gateway).bytes });

describe('the MAC of a BFD peer', () => {
  it('is the neighbour’s, and is left alone while it is fresh', () => {
    const k = kernel();
    expect(findPeer(bfd(), k)).toEqual({
      mac: MAC,
      detail: `${PEER} is at 52:54:00:12:34:56`,
      pending: false,
    });
    expect(k.resolved).toEqual([]);
  });

  it('with a link-local address, is the one on the master or its VLAN, whatever the kernel’s way', () => {
    const k = kernel({ route: () => ({ type: UNICAST, ifindex: 3 }), neighbour: () => undefined });
    expect(findPeer(bfd({ peer: 'fe80::9' }), k).pending).toBe(true);
    expect(findPeer(bfd({ peer: 'fe80::9', vlan: 5 }), k).pending).toBe(true);
    expect(k.resolved).toEqual([`fe80::9@${MASTER}`, `fe80::9@${VLAN.ifindex}`]);
    const without = findPeer(bfd({ peer: 'fe80::9', vlan: 6 }), k);
    expect(without).toMatchObject({ mac: null, pending: false, detail: expect.stringContaining('VLAN 6') });
  });

  it('is asked for again before it is old, and stands meanwhile', () => {
    const k = kernel({ neighbour: () => ({ mac: MAC, fresh: false }) });
    expect(findPeer(bfd(), k).mac).toEqual(MAC);
    expect(k.resolved).toEqual([`${PEER}@${MASTER}`]);
  });

  it.each([
    ['nobody has asked yet', undefined],
    ['nobody answers', { mac: undefined, fresh: false }],
  ])('is unknown and pending: %s', (_, known) => {
    const k = kernel({ neighbour: () => known });
    expect(findPeer(bfd(), k)).toEqual({
      mac: null,
      detail: `${PEER} does not say its MAC address`,
      pending: true,
    });
    expect(k.resolved).toEqual([`${PEER}@${MASTER}`]);
  });

  it('is with s-bfd the router’s; single-hop has none', () => {
    const k = kernel({ route: via('10.0.0.1'), neighbour: () => undefined });
    expect(findPeer(bfd({ mode: 's-bfd' }), k).pending).toBe(true);
    expect(k.resolved).toEqual([`10.0.0.1@${MASTER}`]);
    expect(findPeer(bfd(), k)).toEqual({
      mac: null,
      detail: `${PEER} is behind the router 10.0.0.1, and single-hop is for neighbours`,
      pending: false,
    });
  });

  it.each([
    ['no route', {}, undefined, `there is no route to ${PEER}`],
    ['a route that refuses', {}, { type: UNREACHABLE, ifindex: 0 }, `there is no route to ${PEER}`],
    [
      'another device',
      {},
      { type: UNICAST, ifindex: 3 },
      `the way to ${PEER} begins at device 3, not at the master`,
    ],
    [
      'the VLAN, of a session without one',
      {},
      { type: UNICAST, ifindex: VLAN.ifindex },
      `the way to ${PEER} begins at eth0.5, not at the master`,
    ],
    [
      'the master, of a session in a VLAN',
      { vlan: 5 },
      { type: UNICAST, ifindex: MASTER },
      `the way to ${PEER} begins at device 7, not at the master’s VLAN`,
    ],
  ])('is not looked for: %s', (_, more, route, detail) => {
    const k = kernel({ route: () => route });
    expect(findPeer(bfd(more), k)).toEqual({ mac: null, detail, pending: false });
    expect(k.resolved).toEqual([]);
  });

  it('is looked for in the VLAN', () => {
    const k = kernel({ route: () => ({ type: UNICAST, ifindex: VLAN.ifindex }), neighbour: () => undefined });
    expect(findPeer(bfd({ vlan: 5 }), k).pending).toBe(true);
    expect(k.resolved).toEqual([`${PEER}@${VLAN.ifindex}`]);
  });
});
