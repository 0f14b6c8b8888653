import { describe, expect, it } from 'vitest';
import { type Device, identityMac, normaliseMac } from '../../src/device.js';
import {
  claimOf,
  type MatchTarget,
  matchDevice,
  mtuLimits,
  mustLeave,
  STACKED_KINDS,
  selects,
} from '../../src/registry/match.js';

const MAC = '52:54:00:00:00:01';
const OTHER = '52:54:00:00:00:02';

function device(over: Partial<Device> = {}): Device {
  return {
    ifindex: 3,
    name: 'ens5',
    type: 1,
    address: MAC,
    mtu: 1500,
    up: true,
    carrier: true,
    operstate: 'up',
    ...over,
  };
}

const VIRTIO = { parentDev: 'virtio0', parentBus: 'virtio' };
const VF = { parentDev: '0000:01:10.0', parentBus: 'pci' };

function target(over: Partial<MatchTarget> = {}, master: Partial<Device> = {}): MatchTarget {
  return {
    name: 'web0',
    model: 'transparent',
    rules: {},
    master: device({ ifindex: 2, name: 'ens4', permAddress: MAC, ...VIRTIO, ...master }),
    ...over,
  };
}

function codeOf(result: ReturnType<typeof matchDevice>) {
  return 'refused' in result ? result.refused.code : undefined;
}

describe('MAC addresses', () => {
  it.each([
    ['52-54-00-AB-00-01', '52:54:00:ab:00:01'],
    [' 52:54:00:ab:00:01 ', '52:54:00:ab:00:01'],
    ['00:00:00:00:00:00', undefined],
    ['01:00:5e:00:00:01', undefined],
    ['ff:ff:ff:ff:ff:ff', undefined],
    ['52:54:00:ab:00', undefined],
    ['', undefined],
  ])('%j is %j', (text, mac) => expect(normaliseMac(text)).toBe(mac));

  it('is the permanent one, or the current one', () => {
    expect(identityMac(device({ permAddress: OTHER }))).toBe(OTHER);
    expect(identityMac(device())).toBe(MAC);
    expect(identityMac(device({ permAddress: '00:00:00:00:00:00' }))).toBe(MAC);
    expect(identityMac(device({ address: '' }))).toBeUndefined();
  });
});

describe('match by MAC (row 2)', () => {
  it.each<[string, Partial<Device>, boolean]>([
    ['same permanent MAC', { permAddress: MAC }, true],
    ['same permanent, other current MAC', { permAddress: MAC, address: OTHER }, true],
    ['other permanent, same current MAC', { permAddress: OTHER }, false],
    ['no permanent, same current MAC', {}, true],
    ['no permanent, other current MAC', { address: OTHER }, false],
    ['no MAC at all', { address: '' }, false],
  ])('%s', (_, over, match) => {
    expect(matchDevice(target(), device({ ...VF, ...over }))).toMatchObject({ match });
  });

  it('never matches a zero MAC with a zero MAC', () => {
    const zero = { address: '00:00:00:00:00:00' };
    const master = device({ ifindex: 2, ...zero });
    expect(matchDevice(target({ master }), device(zero))).toEqual({ match: false });
  });

  it('does not look at MACs where the model has none in common', () => {
    expect(matchDevice(target({ model: 'uplink' }), device(VF))).toEqual({ match: false });
    const rules = { primary: { name: 'ens5' } };
    expect(matchDevice(target({ model: 'uplink', rules }), device({ address: OTHER }))).toMatchObject({
      role: 'primary',
    });
  });
});

describe('role (row 3)', () => {
  it('is primary unless the bus parent is the master’s', () => {
    expect(claimOf(target(), device(VF))).toEqual({ role: 'primary', explicit: false });
    expect(claimOf(target({ model: 'net-failover' }), device(VIRTIO))).toEqual({
      role: 'standby',
      explicit: false,
    });
    expect(claimOf(target(), device({ ...VIRTIO, parentBus: 'pci' }))?.role).toBe('primary');
  });

  it('takes two devices without a parent for strangers', () => {
    const { parentDev: _p, parentBus: _b, ...master } = target().master;
    expect(claimOf(target({ master }), device())?.role).toBe('primary');
  });

  it('makes the master the standby of the transparent model, and of no other', () => {
    const t = target();
    expect(matchDevice(t, t.master)).toMatchObject({ match: true, role: 'standby' });
    const n = target({ model: 'net-failover' });
    expect(matchDevice(n, n.master)).toEqual({ match: false });
  });

  it('leaves slaves of the kernel’s own failover master to it', () => {
    const result = matchDevice(target({ model: 'net-failover' }), device({ ...VF, master: 2 }));
    expect(result).toMatchObject({ match: true, role: 'primary' });
  });

  it('follows the rules: a role with a rule takes what it names and nothing else', () => {
    const t = target({ rules: { primary: { bus: 'pci/0000:01:10.0' } } });
    expect(claimOf(t, device(VF))).toEqual({ role: 'primary', explicit: true });
    expect(claimOf(t, device({ ...VF, parentDev: '0000:01:10.1' }))).toBeUndefined();
    const hidden = target({ model: 'hidden', rules: { standby: { name: 'ens5' } } });
    expect(claimOf(hidden, device())).toEqual({ role: 'standby', explicit: true });
  });

  it.each([
    [{ name: 'ens5' }, true],
    [{ name: 'ens6' }, false],
    [{ mac: '52-54-00-00-00-01' }, true],
    [{ mac: OTHER }, false],
    [{ bus: '0000:01:10.0' }, true],
    [{ bus: 'pci/0000:01:10.0' }, true],
    [{ bus: 'usb/0000:01:10.0' }, false],
    [{ name: 'ens5', bus: '0000:01:10.1' }, false],
    [{ mac: 'nonsense' }, false],
    [{}, false],
  ])('selector %j names the device: %j', (selector, yes) => expect(selects(selector, device(VF))).toBe(yes));

  it('lets a selector name the current MAC too', () => {
    expect(selects({ mac: MAC }, device({ permAddress: OTHER }))).toBe(true);
  });
});

describe('refusals', () => {
  it.each<[string, Partial<Device>, Partial<Device>, string, object]>([
    ['not Ethernet', { type: 32 }, {}, 'DEVICE_NOT_ETHERNET', { field: 'primary', value: 32 }],
    ['owned', { master: 7 }, {}, 'DEVICE_OWNED', { value: 'bond0' }],
    [
      'too small an MTU',
      { maxMtu: 1500 },
      { mtu: 9000 },
      'MTU_MISMATCH',
      { field: 'primary.mtu', value: 1500 },
    ],
    ['too large an MTU', { minMtu: 2000 }, {}, 'MTU_MISMATCH', { field: 'primary.mtu', value: 2000 }],
  ])('%s', (_, over, master, code, detail) => {
    const nameOf = (ifindex: number) => (ifindex === 7 ? 'bond0' : undefined);
    const result = matchDevice(target({}, master), device({ ...VF, ...over }), nameOf);
    expect(codeOf(result)).toBe(code);
    const { refused } = result as { refused: Error & { fix?: string } };
    expect(refused).toMatchObject(detail);
    expect(refused.fix).toBeTruthy();
  });

  it('names an owner that it does not know by ifindex', () => {
    const result = matchDevice(target(), device({ master: 9 }));
    expect('refused' in result && result.refused.message).toContain('ifindex 9');
  });

  it('takes a maximum MTU of 0 for no limit, and IFLA_MASTER 0 for no owner', () => {
    expect(matchDevice(target({}, { mtu: 9000 }), device({ maxMtu: 0, master: 0 }))).toMatchObject({
      match: true,
    });
  });

  it('refuses a named primary with another MAC, and says what to do', () => {
    for (const [rule, field] of [
      [{ name: 'ens5' }, 'primary.name'],
      [{ bus: '0000:01:10.0' }, 'primary.bus'],
      [{ mac: OTHER }, 'primary.mac'],
    ] as const) {
      const result = matchDevice(target({ rules: { primary: rule } }), device({ ...VF, address: OTHER }));
      expect('refused' in result && result.refused).toMatchObject({
        code: 'MAC_MISMATCH',
        field,
        value: OTHER,
      });
      expect('refused' in result && result.refused.fix).toContain(MAC);
    }
  });

  it('accepts a named primary whose current MAC was set by hand', () => {
    const rules = { primary: { name: 'ens5' } };
    expect(matchDevice(target({ rules }), device({ permAddress: OTHER }))).toMatchObject({ match: true });
  });
});

describe('stacked devices', () => {
  it.each([...STACKED_KINDS])('a %s is not meant', (kind) => {
    const result = matchDevice(target(), device({ kind }));
    expect(result).toMatchObject({ match: false, reason: `ens5 is a ${kind} device` });
  });

  it.each<[string, Partial<Device>, boolean]>([
    ['a link in this namespace', { link: 2 }, false],
    ['a link to itself', { link: 3 }, true],
    ['a link in another namespace', { link: 2, linkNetnsId: 0 }, true],
    ['a veth with its peer here', { link: 9, kind: 'veth' }, true],
    ['no link', { link: 0 }, true],
  ])('%s', (_, over, match) => expect(matchDevice(target(), device(over))).toMatchObject({ match }));

  it('is an error if named', () => {
    const rules = { primary: { name: 'ens5' } };
    expect(codeOf(matchDevice(target({ rules }), device({ kind: 'vlan', link: 2 })))).toBe('CONFIG_INVALID');
  });
});

describe('mustLeave', () => {
  const implicit = { role: 'primary', explicit: false } as const;
  it('keeps a slave that was renamed away from its rule', () => {
    const t = target({ rules: { primary: { name: 'ens5' } } });
    expect(mustLeave(t, device({ name: 'vf0' }), { role: 'primary', explicit: true })).toBeUndefined();
  });

  it('keeps a slave that was named and has only its current MAC in common', () => {
    const claim = { role: 'primary', explicit: true } as const;
    const slave = device({ permAddress: OTHER });
    expect(mustLeave(target(), slave, claim)).toBeUndefined();
    expect(mustLeave(target(), slave, implicit)?.code).toBe('MAC_MISMATCH');
  });

  it.each<[Partial<Device>, Partial<Device>, string | undefined]>([
    [{}, {}, undefined],
    // Its current MAC follows the master's; a permanent one says that it is another device now.
    [{ address: OTHER }, {}, undefined],
    [{}, { permAddress: OTHER }, undefined],
    [{ permAddress: OTHER }, {}, 'MAC_MISMATCH'],
    [{ master: 9 }, {}, 'DEVICE_OWNED'],
    [{ maxMtu: 1500 }, { mtu: 9000 }, 'MTU_MISMATCH'],
  ])('slave %j of master %j: %s', (slave, master, code) => {
    expect(mustLeave(target({}, master), device(slave), implicit)?.code).toBe(code);
  });
});

it('intersects MTU limits (row 10)', () => {
  expect(
    mtuLimits([device({ minMtu: 68, maxMtu: 9000 }), device({ minMtu: 46, maxMtu: 1500 }), device()]),
  ).toEqual({
    min: 68,
    max: 1500,
  });
});
