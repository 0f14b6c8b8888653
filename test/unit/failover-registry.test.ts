import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { walks } from '../../packages/bpf-loader-ts/test/walks.js';
import type { Device, Role } from '../../src/device.js';
import { VfError } from '../../src/errors.js';
import type { FailoverEvent } from '../../src/registry/events.js';
import type { FailoverInstance } from '../../src/registry/instance.js';
import { ECHO_MS } from '../../src/registry/join.js';
import type { FailoverOps } from '../../src/registry/ops.js';
import { FailoverRegistry } from '../../src/registry/registry.js';
import type { InstanceSpec } from '../../src/registry/spec.js';

const MAC = '52:54:00:00:00:01';
const MAC2 = '52:54:00:00:00:02';

function device(ifindex: number, over: Partial<Device> = {}): Device {
  const link = { up: true, carrier: true, operstate: 'up' };
  return { ifindex, name: `eth${ifindex}`, type: 1, address: MAC, mtu: 1500, ...link, ...over };
}

const MASTER = device(2, { parentDev: 'virtio0', parentBus: 'virtio' });
const VF = device(3, { parentDev: '0000:01:10.0', parentBus: 'pci' });

/** Ops that log, and fail where they are told to. */
class FakeOps implements FailoverOps {
  readonly log: string[] = [];
  /** Names of calls or steps that throw. */
  readonly broken = new Set<string>();
  onCall: ((call: string) => void) | undefined;

  #call(call: string, name: string): void {
    this.log.push(call);
    this.onCall?.(call);
    if (this.broken.has(name)) throw new Error(`${name} is broken`);
  }
  preRegister(_: FailoverInstance, d: Device, role: Role) {
    this.#call(`pre ${d.name} ${role}`, 'pre');
  }
  joinSteps(_: FailoverInstance, d: Device, role: Role) {
    return ['mtu', 'hook'].map((step) => ({
      name: step,
      do: () => this.#call(`+${step} ${d.name} ${role}`, step),
      undo: (gone: boolean) => this.#call(`-${step} ${d.name}${gone ? ' gone' : ''}`, `undo ${step}`),
    }));
  }
  preLeave(_: FailoverInstance, d: Device, role: Role, reason: string) {
    this.#call(`leaving ${d.name} ${role} ${reason}`, 'preLeave');
  }
  leave(_: FailoverInstance, d: Device, role: Role, reason: string) {
    this.#call(`left ${d.name} ${role} ${reason}`, 'leave');
  }
  linkChange(_: FailoverInstance, d: Device) {
    this.#call(`link ${d.name} ${d.up ? 'up' : 'down'} ${d.carrier ? 'carrier' : 'none'}`, 'link');
  }
  nameChange(_: FailoverInstance, d: Device, oldName: string) {
    this.#call(`name ${oldName} ${d.name}`, 'name');
  }
  drift(_: FailoverInstance, d: Device, role: Role, fields: readonly string[]) {
    this.#call(`drift ${d.name} ${role} ${fields.join()}`, 'drift');
  }
  masterSteps(instance: FailoverInstance) {
    const step = (name: string) => () => this.#call(`${name} ${instance.master.name}`, name);
    return [{ name: 'master', do: step('master'), undo: step('unmaster') }];
  }
  take(): string[] {
    return this.log.splice(0);
  }
}

let now: number;
let ops: FakeOps;
let registry: FailoverRegistry;
let events: FailoverEvent[];

function make(over: Partial<ConstructorParameters<typeof FailoverRegistry>[0]> = {}) {
  registry = new FailoverRegistry({ now: () => now, random: () => 0.5, ...over });
  events = [];
  registry.subscribe((event) => events.push(event));
}

beforeEach(() => {
  now = 1000;
  ops = new FakeOps();
  make();
});

function register(over: Partial<InstanceSpec> = {}) {
  return registry.register({ name: 'web0', master: MASTER, ops, ...over });
}

function refusalOf(work: () => unknown): VfError {
  try {
    work();
  } catch (error) {
    if (error instanceof VfError) return error;
    throw error;
  }
  throw new Error('did not throw');
}

function tickAt(ms: number) {
  now = ms;
  registry.tick(ms);
}

const kinds = () => events.map((event) => event.type);
const codes = (instance: FailoverInstance) =>
  [...instance.refusals.values()].map((refusal) => refusal.error.code);
const state = (instance: FailoverInstance, role: Role = 'primary') => instance.slave(role).state;

describe('register (row 1)', () => {
  it('offers every device that exists, the standby first', () => {
    registry.reconcile([MASTER, VF, device(9, { address: MAC2 })]);
    const instance = register({ master: 2 });
    expect(ops.take()).toEqual([
      'master eth2',
      'pre eth2 standby',
      '+mtu eth2 standby',
      '+hook eth2 standby',
      'pre eth3 primary',
      '+mtu eth3 primary',
      '+hook eth3 primary',
    ]);
    expect(instance.slaves).toEqual([
      { role: 'primary', state: 'joined', device: VF },
      { role: 'standby', state: 'joined', device: MASTER },
    ]);
    expect(kinds()).toEqual(['register', 'join', 'join']);
    expect([instance.index, instance.health, instance.carrier]).toEqual([0, 'ok', true]);
    expect(instance.deviceOf(0)).toEqual(VF);
  });

  it.each<[string, Partial<Record<keyof InstanceSpec, unknown>>, string, string]>([
    ['no ops', { ops: null }, 'CONFIG_INVALID', 'ops.preRegister'],
    ['half an ops', { ops: { preRegister() {} } }, 'CONFIG_INVALID', 'ops.joinSteps'],
    ['no name', { name: ' ' }, 'CONFIG_INVALID', 'name'],
    ['an unknown model', { model: 'opaque' }, 'CONFIG_INVALID', 'model'],
    ['a model named as a method', { model: 'toString' }, 'CONFIG_INVALID', 'model'],
    ['a fractional index', { index: 1.5 }, 'CONFIG_INVALID', 'index'],
    ['an index beyond the maps', { index: 4096 }, 'INSTANCE_LIMIT', 'index'],
    ['an empty rule', { rules: { primary: {} } }, 'CONFIG_INVALID', 'primary'],
    ['an empty name in a rule', { rules: { primary: { name: '' } } }, 'CONFIG_INVALID', 'primary.name'],
    ['a rule with a bad MAC', { rules: { primary: { mac: '01:2' } } }, 'CONFIG_INVALID', 'primary.mac'],
    ['a standby beside the master', { rules: { standby: { name: 'x' } } }, 'CONFIG_INVALID', 'standby'],
    ['an unknown master', { master: 99 }, 'DEVICE_NOT_FOUND', 'master'],
    ['a master that is not Ethernet', { master: device(5, { type: 772 }) }, 'DEVICE_NOT_ETHERNET', 'master'],
  ])('refuses %s', (_, over, code, field) => {
    const error = refusalOf(() => register(over as Partial<InstanceSpec>));
    expect(error).toMatchObject({ code, field });
    expect(error.fix).toBeTruthy();
    expect(registry.instances.size).toBe(0);
    expect(registry.refs.size).toBe(0);
  });

  it('refuses what exists: name, master, slot', () => {
    register();
    expect(refusalOf(() => register({ master: 3 }))).toMatchObject({
      code: 'INSTANCE_EXISTS',
      field: 'name',
    });
    expect(refusalOf(() => register({ name: 'b' }))).toMatchObject({
      code: 'INSTANCE_EXISTS',
      field: 'master',
    });
    const other = { name: 'b', master: device(7, { address: MAC2 }) };
    expect(refusalOf(() => register({ ...other, index: 0 }))).toMatchObject({
      code: 'INSTANCE_EXISTS',
      field: 'index',
    });
    expect(register(other).index).toBe(1);
  });

  it('refuses a master that is a slave already', () => {
    registry.offer(VF);
    register();
    expect(refusalOf(() => register({ name: 'b', master: 3 }))).toMatchObject({
      code: 'DEVICE_OWNED',
      field: 'master',
    });
  });

  it('refuses a master below the kernel’s own failover device', () => {
    const kernels = device(8, { name: 'ens4', parentDev: 'virtio0', parentBus: 'virtio' });
    registry.reconcile([kernels, { ...MASTER, master: 8 }]);
    const error = refusalOf(() => register({ master: 2 }));
    expect(error).toMatchObject({ code: 'DEVICE_OWNED', fix: 'use the model net-failover with master ens4' });
    expect(refusalOf(() => register({ master: 8 }))).toMatchObject({
      code: 'MASTER_UNFIT',
      field: 'model',
      fix: 'use the model net-failover with master ens4',
    });
  });

  it('takes the kernel’s failover device alone for net-failover', () => {
    const kernels = device(8, { name: 'ens4', parentDev: 'virtio0', parentBus: 'virtio' });
    const model = 'net-failover';
    registry.reconcile([kernels, MASTER]);
    for (const master of [2, 8])
      expect(refusalOf(() => register({ model, master }))).toMatchObject({
        code: 'MASTER_UNFIT',
        field: 'master',
        fix: expect.stringContaining('failover=on'),
      });
    registry.changed({ ...MASTER, master: 8 });
    expect(refusalOf(() => register({ model, master: 2 }))).toMatchObject({
      code: 'MASTER_UNFIT',
      fix: expect.stringContaining('set master to ens4'),
    });
    expect(state(register({ model, master: 8 }), 'standby')).toBe('joined');
  });

  it('takes a master that is a port of a bridge', () => {
    registry.reconcile([device(8, { kind: 'bridge' }), { ...MASTER, master: 8 }]);
    expect(state(register({ master: 2 }), 'standby')).toBe('joined');
  });

  it('has room for so many, and gives slots back', () => {
    make({ maxInstances: 1 });
    register();
    const next = { name: 'b', master: device(7, { address: MAC2 }) };
    expect(refusalOf(() => register(next)).code).toBe('INSTANCE_LIMIT');
    registry.unregister('web0');
    expect(register(next).index).toBe(0);
  });

  it('leaves nothing behind when the master cannot be prepared', () => {
    ops.broken.add('master');
    expect(refusalOf(() => register())).toMatchObject({ code: 'JOIN_FAILED', field: 'master' });
    expect([registry.instances.size, registry.refs.size]).toEqual([0, 0]);
    ops.broken.clear();
    expect(state(register(), 'standby')).toBe('joined');
  });
});

describe('unregister (row 17)', () => {
  it('takes primary, standby and master apart in this order', () => {
    registry.offer(VF);
    register();
    ops.take();
    expect(registry.unregister('web0')).toEqual([]);
    expect(ops.take()).toEqual([
      'leaving eth3 primary unregister',
      '-hook eth3',
      '-mtu eth3',
      'left eth3 primary unregister',
      'leaving eth2 standby unregister',
      '-hook eth2',
      '-mtu eth2',
      'left eth2 standby unregister',
      'unmaster eth2',
    ]);
    expect(registry.refs.report()).toBe('');
  });

  it('knows what it has', () => {
    register();
    expect(refusalOf(() => registry.unregister('web1'))).toMatchObject({
      code: 'INSTANCE_NOT_FOUND',
      fix: 'use one of: web0',
    });
  });

  it('reports what could not be restored, and goes on', () => {
    registry.offer(VF);
    register();
    for (const call of ['undo mtu', 'preLeave', 'leave', 'unmaster']) ops.broken.add(call);
    expect(registry.unregister('web0').map((failure) => failure.step)).toEqual(['master']);
    const left = events.filter((event) => event.type === 'leave');
    expect(left.map((event) => event.undoFailures.map((failure) => failure.step))).toEqual([
      ['mtu'],
      ['mtu'],
    ]);
    expect(events.filter((event) => event.type === 'fault')).toHaveLength(4);
    expect([registry.instances.size, registry.refs.size]).toEqual([0, 0]);
  });
});

describe('references (row 18)', () => {
  it('names who holds which device, and where it was taken', () => {
    registry.offer(VF);
    register();
    expect(registry.refs.leaks().map((ref) => `${ref.holder}: ${ref.what}`)).toEqual([
      'instance web0 master: device eth2 (ifindex 2)',
      'instance web0 standby: device eth2 (ifindex 2)',
      'instance web0 primary: device eth3 (ifindex 3)',
    ]);
    expect(registry.refs.report()).toContain('join.ts');
  });
});

describe('join and retry (row 4)', () => {
  it('undoes a failed join, keeps the reason and tries again with backoff', () => {
    const instance = register();
    ops.take();
    ops.broken.add('hook');
    registry.offer(VF);
    expect(ops.take()).toEqual(['pre eth3 primary', '+mtu eth3 primary', '+hook eth3 primary', '-mtu eth3']);
    expect(instance.slave('primary')).toMatchObject({ state: 'refused', retryAtMs: 1050, attempts: 1 });
    expect(instance.slave('primary').error).toMatchObject({ code: 'JOIN_FAILED', field: 'hook' });
    expect(instance.health).toBe('degraded');
    const waits: number[] = [];
    for (let i = 0; i < 11; i += 1) {
      const at = registry.nextRetryAtMs!;
      waits.push(at - now);
      registry.tick(at - 1);
      expect(ops.take()).toEqual([]);
      now = at;
      registry.tick(now);
      expect(ops.take()).toHaveLength(4);
    }
    expect(waits).toEqual([50, 100, 200, 400, 800, 1600, 3200, 6400, 12_800, 15_000, 15_000]);
    ops.broken.clear();
    now = registry.nextRetryAtMs!;
    registry.tick(now);
    expect(state(instance)).toBe('joined');
    expect([registry.nextRetryAtMs, instance.refusals.size]).toEqual([undefined, 0]);
  });

  it('keeps the reason that preRegister gives, and retries that too', () => {
    const foreign = new VfError('DEVICE_FOREIGN_PROGRAM', 'xdp 42', { fix: 'remove it' });
    const instance = register();
    ops.onCall = (call) => {
      if (call.startsWith('pre')) throw foreign;
    };
    registry.offer(VF);
    expect(instance.slave('primary').error).toBe(foreign);
    expect(registry.nextRetryAtMs).toBe(1050);
    expect(events.at(-1)).toMatchObject({ type: 'refused', error: foreign, retryAtMs: 1050 });
  });

  it('turns anything else thrown into a VfError', () => {
    const instance = register();
    ops.broken.add('pre');
    registry.offer(VF);
    expect(instance.slave('primary').error).toMatchObject({ code: 'JOIN_FAILED' });
    expect(instance.slave('primary').error?.message).toContain('pre is broken');
  });

  it('shows the slot as joining meanwhile', () => {
    const instance = register();
    const seen: string[] = [];
    ops.onCall = () => seen.push(state(instance));
    registry.offer(VF);
    expect(new Set(seen)).toEqual(new Set(['joining']));
  });

  it('tries at once, from the first wait again, when something that matters changes', () => {
    const instance = register();
    ops.broken.add('hook');
    registry.offer(VF);
    for (let i = 0; i < 5; i += 1) tickAt(registry.nextRetryAtMs!);
    expect(instance.slave('primary').attempts).toBe(6);
    now += ECHO_MS;
    registry.changed({ ...VF, up: false });
    expect(instance.slave('primary')).toMatchObject({ attempts: 1, retryAtMs: now + 50 });
    ops.broken.clear();
    now += ECHO_MS;
    registry.changed(VF);
    expect(state(instance)).toBe('joined');
  });

  it('does not let carrier drive retries', () => {
    const instance = register();
    ops.broken.add('hook');
    registry.offer(VF);
    now += 10;
    for (let i = 0; i < 9; i += 1) registry.changed({ ...VF, carrier: i % 2 === 0, operstate: `${i}` });
    expect(instance.slave('primary').attempts).toBe(1);
  });

  it('is not driven by the echo of its own undo', () => {
    const instance = register();
    ops.broken.add('hook');
    registry.offer(VF);
    tickAt(1050);
    expect(instance.slave('primary').attempts).toBe(2);
    registry.changed({ ...VF, mtu: 9000 });
    registry.changed(VF);
    for (; now < 1150; now += 1) registry.tick(now);
    expect(instance.slave('primary').attempts).toBe(2);
    tickAt(1150);
    expect(instance.slave('primary')).toMatchObject({ attempts: 3, retryAtMs: 1350 });
  });

  it('takes a change that lasts for no echo', () => {
    make({ random: () => 0.99 });
    const instance = register();
    ops.broken.add('hook');
    registry.offer(VF);
    tickAt(registry.nextRetryAtMs!);
    registry.changed({ ...VF, name: 'vf0' });
    expect(instance.slave('primary').attempts).toBe(2);
    ops.broken.clear();
    expect(registry.nextRetryAtMs).toBe(now + ECHO_MS);
    registry.tick(now + ECHO_MS);
    expect(state(instance)).toBe('joined');
  });

  it('asks for no look at an echo that is over', () => {
    make({ random: () => 0.99 });
    register();
    ops.broken.add('hook');
    registry.offer(VF);
    tickAt(registry.nextRetryAtMs!);
    const due = now + 198;
    registry.changed({ ...VF, up: false });
    expect(registry.nextRetryAtMs).toBe(now + ECHO_MS);
    registry.changed(VF);
    expect(registry.nextRetryAtMs).toBe(due);
    registry.changed({ ...VF, up: false, carrier: false });
    registry.changed({ ...VF, carrier: false });
    tickAt(now + ECHO_MS);
    expect(registry.nextRetryAtMs).toBe(due);
  });

  it('makes a primary wait for the master in the transparent model', () => {
    ops.broken.add('hook');
    registry.offer(VF);
    const instance = register();
    expect(ops.take().filter((call) => call.includes('eth3'))).toEqual([]);
    expect(instance.slave('primary').error).toMatchObject({ code: 'PATH_NOT_READY', field: 'master' });
    expect(instance.slave('standby')).toMatchObject({ state: 'refused', attempts: 1 });
    ops.broken.clear();
    tickAt(registry.nextRetryAtMs!);
    expect(instance.health).toBe('ok');
  });
});

describe('races', () => {
  it('remove during the wait for a retry', () => {
    const instance = register();
    ops.broken.add('hook');
    registry.offer(VF);
    registry.removed(3);
    ops.take();
    expect([state(instance), registry.nextRetryAtMs]).toEqual(['absent', undefined]);
    registry.tick(1e6);
    expect(ops.take()).toEqual([]);
    registry.removed(3);
    registry.removed(4711);
  });

  it('unregister during the wait for a retry', () => {
    register();
    ops.broken.add('hook');
    registry.offer(VF);
    registry.unregister('web0');
    ops.take();
    registry.tick(1e6);
    expect([ops.take(), registry.refs.size]).toEqual([[], 0]);
  });

  it('a replacement that arrives before the old one is gone', () => {
    registry.offer(VF);
    const instance = register();
    registry.offer(device(4));
    expect(instance.refusals.get(4)?.error).toMatchObject({ code: 'SLOT_TAKEN', value: 'eth3' });
    ops.take();
    registry.removed(3);
    expect(ops.take()).toEqual([
      'leaving eth3 primary removed',
      '-hook eth3 gone',
      '-mtu eth3 gone',
      'left eth3 primary removed',
      'pre eth4 primary',
      '+mtu eth4 primary',
      '+hook eth4 primary',
    ]);
    expect(instance.deviceOf(0)?.ifindex).toBe(4);
  });

  it('two candidates for an empty slot', () => {
    registry.reconcile([MASTER, VF, device(4)]);
    const instance = register();
    expect(codes(instance)).toEqual(['MAC_AMBIGUOUS', 'MAC_AMBIGUOUS']);
    expect(instance.slave('primary').error).toMatchObject({ field: 'primary', value: ['eth3', 'eth4'] });
    const news = events.length;
    registry.changed({ ...VF, mtu: 1400 });
    expect(events).toHaveLength(news);
    registry.removed(4);
    expect(state(instance)).toBe('joined');
  });

  it('two candidates, of which a rule names one', () => {
    registry.reconcile([MASTER, VF, device(4)]);
    const instance = register({ rules: { primary: { bus: '0000:01:10.0' } } });
    expect(instance.deviceOf(0)?.ifindex).toBe(3);
    expect(codes(instance)).toEqual([]);
  });

  it('a device with the master’s own parent finds the slot taken by the master', () => {
    registry.reconcile([MASTER, device(4, { parentDev: 'virtio0', parentBus: 'virtio' })]);
    const instance = register();
    expect(instance.deviceOf(1)?.ifindex).toBe(2);
    expect(instance.refusals.get(4)).toMatchObject({ role: 'standby', error: { code: 'SLOT_TAKEN' } });
  });

  it('removal of the master', () => {
    registry.offer(VF);
    const instance = register();
    ops.take();
    registry.removed(2);
    expect(ops.take()).toEqual([
      'leaving eth3 primary master-removed',
      '-hook eth3',
      '-mtu eth3',
      'left eth3 primary master-removed',
      'leaving eth2 standby master-removed',
      '-hook eth2 gone',
      '-mtu eth2 gone',
      'left eth2 standby master-removed',
      'unmaster eth2',
    ]);
    expect(events.at(-1)).toMatchObject({ type: 'unregister', reason: 'master-removed', instance });
    expect([registry.instances.size, registry.refs.size]).toEqual([0, 0]);
    expect(register({ master: { ...MASTER, ifindex: 12 } }).health).toBe('ok');
  });

  it('reconcile after an overrun: what vanished, changed and came', () => {
    registry.reconcile([MASTER, VF]);
    const instance = register();
    events.length = 0;
    registry.reconcile([{ ...MASTER, carrier: false }, device(5)]);
    expect(kinds()).toEqual(['leave', 'link', 'join']);
    expect(instance.deviceOf(0)?.ifindex).toBe(5);
    registry.reconcile([]);
    expect([registry.instances.size, registry.devices.size]).toEqual([0, 0]);
  });

  it('inputs from within the ops wait their turn; register and unregister are refused', () => {
    const instance = register();
    const seen: unknown[] = [];
    ops.onCall = (call) => {
      if (call !== '+mtu eth3 primary') return;
      registry.removed(3);
      seen.push(refusalOf(() => registry.unregister('web0')).code, state(instance));
    };
    registry.offer(VF);
    expect(seen).toEqual(['INTERNAL', 'joining']);
    expect(state(instance)).toBe('absent');
    expect(kinds().slice(-2)).toEqual(['join', 'leave']);
  });

  it('listeners may call anything, and may throw', () => {
    registry.subscribe((event) => {
      if (event.type === 'join' && event.role === 'primary') registry.unregister('web0');
      throw new Error('bad listener');
    });
    registry.offer(VF);
    register();
    expect(kinds().filter((kind) => kind !== 'fault')).toEqual([
      'register',
      'join',
      'join',
      'leave',
      'leave',
      'unregister',
    ]);
    expect(events.find((event) => event.type === 'fault')).toMatchObject({ where: 'listener of "register"' });
    expect(registry.refs.size).toBe(0);
  });

  it('a subscription ends', () => {
    const seen: FailoverEvent[] = [];
    registry.subscribe((event) => seen.push(event))();
    register();
    expect(seen).toEqual([]);
  });
});

describe('two instances', () => {
  const second = (over: Partial<InstanceSpec> = {}) => register({ name: 'web1', master: device(7), ...over });

  it('of one MAC are visible on both sides', () => {
    const [a, b] = [register(), second()];
    expect(a.refusals.get(7)).toMatchObject({ role: 'primary', error: { code: 'MAC_AMBIGUOUS' } });
    expect(b.refusals.get(2)).toMatchObject({ role: 'primary', error: { code: 'MAC_AMBIGUOUS' } });
    registry.offer(VF);
    for (const instance of [a, b]) {
      expect(instance.refusals.get(3)?.error).toMatchObject({
        code: 'MAC_AMBIGUOUS',
        value: ['web0', 'web1'],
      });
    }
    registry.unregister('web1');
    expect(state(a)).toBe('refused'); // eth7, no longer a master, is a second candidate
    expect(a.refusals.get(3)?.error).toMatchObject({ code: 'MAC_AMBIGUOUS', value: ['eth3', 'eth7'] });
    registry.removed(7);
    expect(state(a)).toBe('joined');
  });

  it('do not break a join that stands', () => {
    registry.offer(VF);
    const a = register();
    const b = second();
    expect(state(a)).toBe('joined');
    expect(codes(a)).toEqual(['MAC_AMBIGUOUS']);
    expect(b.refusals.get(3)?.error.code).toBe('MAC_AMBIGUOUS');
  });

  it('part when a master gets another MAC', () => {
    const [a, b] = [register(), second()];
    registry.offer(VF);
    registry.changed(device(7, { address: MAC2 }));
    expect([state(a), state(b)]).toEqual(['joined', 'absent']);
    expect([...codes(a), ...codes(b)]).toEqual([]);
  });

  it('part even if neither lays claim to the other’s master', () => {
    registry.offer(device(4, { parentDev: 'virtio0', parentBus: 'virtio' }));
    const rules = { primary: { bus: '0000:01:10.0' } };
    const b = second();
    const a = register({ model: 'hidden', rules });
    expect(a.refusals.has(7)).toBe(false);
    // eth4 is the standby of web0 by its parent and a primary of web1 by its MAC; web1 had it first.
    expect(b.deviceOf(0)?.ifindex).toBe(4);
    expect(a.slave('standby').error?.code).toBe('MAC_AMBIGUOUS');
    registry.changed(device(7, { address: MAC2 }));
    expect(a.deviceOf(1)?.ifindex).toBe(4);
    registry.unregister('web0');
    // Both devices have the MAC that web1 began with.
    expect(b.slave('primary').error?.code).toBe('MAC_AMBIGUOUS');
  });

  it('notice that the other is gone', () => {
    const rules = { primary: { bus: '0000:01:10.0' } };
    const b = second();
    const a = register({ model: 'hidden', rules });
    registry.offer(device(4, { parentDev: 'virtio0', parentBus: 'virtio' }));
    expect(a.slave('standby').error?.code).toBe('MAC_AMBIGUOUS');
    expect(b.refusals.get(4)?.error.code).toBe('MAC_AMBIGUOUS');
    registry.unregister('web1');
    expect(a.deviceOf(1)?.ifindex).toBe(4);
  });

  it('can swap slaves within one dump', () => {
    const masters = [MASTER, device(7, { address: MAC2 })];
    registry.reconcile([...masters, VF, device(4, { address: MAC2 })]);
    const [a, b] = [register(), second({ master: 7 })];
    registry.reconcile([...masters, { ...VF, address: MAC2 }, device(4)]);
    expect([a, b].map((instance) => instance.deviceOf(0)?.ifindex)).toEqual([4, 3]);
  });

  it('of one MAC are told apart by rules', () => {
    registry.offer(VF);
    registry.offer(device(4));
    const a = register({ rules: { primary: { name: 'eth3' } } });
    const b = second({ rules: { primary: { name: 'eth4' } } });
    expect([a, b].map((instance) => instance.deviceOf(0)?.ifindex)).toEqual([3, 4]);
    expect([...codes(a), ...codes(b)]).toEqual([]);
  });

  it('a rule beats a MAC, also after the device it named was renamed', () => {
    const a = register({ rules: { primary: { name: 'eth3' } } });
    const b = second();
    registry.offer(VF);
    expect(state(a)).toBe('joined');
    expect(b.refusals.has(3)).toBe(false);
    registry.renamed({ ...VF, name: 'vf0' });
    expect(state(a)).toBe('joined');
    expect([b.refusals.has(3), b.roleHeldBy(3)]).toEqual([false, undefined]);
  });

  it('one names what the other holds, or its master', () => {
    registry.offer(VF);
    register();
    const b = second({ rules: { primary: { name: 'eth3' } } });
    expect(b.slave('primary').error).toMatchObject({ code: 'DEVICE_OWNED', value: 'web0' });
    registry.unregister('web1');
    const c = second({ rules: { primary: { name: 'eth2' } } });
    expect(c.slave('primary').error).toMatchObject({ code: 'DEVICE_OWNED', value: 'web0' });
  });

  it('two name the same device', () => {
    const rules = { primary: { name: 'eth3' } };
    const [a, b] = [register({ rules }), second({ rules })];
    registry.offer(VF);
    for (const instance of [a, b]) expect(instance.slave('primary').error?.code).toBe('MAC_AMBIGUOUS');
  });

  it('a slave that changes its MAC changes hands', () => {
    registry.offer(VF);
    const a = register();
    const b = second({ master: device(7, { address: MAC2 }) });
    registry.changed({ ...VF, address: MAC2 });
    expect([state(a), state(b)]).toEqual(['absent', 'joined']);
    registry.changed(VF);
    expect([state(a), state(b)]).toEqual(['joined', 'absent']);
  });
});

describe('changes of a joined slave', () => {
  let instance: FailoverInstance;
  beforeEach(() => {
    registry.reconcile([MASTER, VF]);
    instance = register();
    ops.take();
    events.length = 0;
  });

  it('DOWN is told at once, and is no leave (rows 7, 16)', () => {
    registry.changed({ ...VF, up: false, carrier: false, operstate: 'down' });
    expect(ops.take()).toEqual(['link eth3 down none']);
    expect(events).toMatchObject([{ type: 'link', part: 'primary', ready: false }]);
    expect([state(instance), instance.health, instance.carrier]).toEqual(['joined', 'degraded', true]);
    registry.changed({ ...MASTER, carrier: false });
    expect([instance.health, instance.carrier]).toEqual(['down', false]);
    registry.changed(VF);
    expect(instance.ready('primary')).toBe(true);
  });

  it('traffic is told to move before a leave that comes with the same event', () => {
    registry.changed({ ...VF, up: false, master: 9 });
    expect(ops.take().slice(0, 2)).toEqual(['link eth3 down carrier', 'leaving eth3 primary ineligible']);
    expect(instance.slave('primary').error?.code).toBe('DEVICE_OWNED');
    registry.changed(VF);
    expect(state(instance)).toBe('joined');
  });

  it('nothing is told twice', () => {
    registry.changed(VF);
    registry.offer({ ...VF });
    registry.renamed(VF);
    expect([ops.take(), events]).toEqual([[], []]);
  });

  it('facts are copied: the caller may go on writing to its own', () => {
    const own = { ...VF, carrier: false };
    registry.changed(own);
    own.carrier = true;
    registry.changed(own);
    expect(ops.take()).toEqual(['link eth3 up none', 'link eth3 up carrier']);
  });

  it('a rename keeps the state (row 8)', () => {
    registry.renamed({ ...VF, name: 'ens3p' });
    expect(ops.take()).toEqual(['name eth3 ens3p']);
    expect(events).toMatchObject([{ type: 'name', part: 'primary', oldName: 'eth3' }]);
    expect(instance.slave('primary').device?.name).toBe('ens3p');
    registry.renamed({ ...MASTER, name: 'ens3' });
    expect(events.at(-1)).toMatchObject({ type: 'name', part: 'standby' });
    expect(instance.master.name).toBe('ens3');
  });

  it('a MAC change is drift, of the slave or of the master', () => {
    ops.take();
    registry.changed({ ...VF, address: MAC2 });
    expect(ops.take()).toEqual(['drift eth3 primary address']);
    registry.changed({ ...MASTER, address: MAC2 });
    expect(ops.take()).toEqual([]);
    registry.changed(MASTER);
    expect(ops.take()).toEqual(['drift eth3 primary address']);
    expect(state(instance)).toBe('joined');
  });

  it('a change of its permanent MAC ends it', () => {
    registry.changed({ ...VF, permAddress: MAC2 });
    expect(events.at(-1)).toMatchObject({ type: 'leave', reason: 'mac-changed' });
    expect(state(instance)).toBe('absent');
  });

  it('that cannot follow leaves with the reason, and is tried again', () => {
    const error = new VfError('MAC_MISMATCH', 'it refuses another');
    registry.expel('web0', 'primary', error);
    expect(events.map((e) => e.type)).toEqual(['leave', 'refused']);
    expect(instance.slave('primary')).toMatchObject({ state: 'refused', error });
    tickAt(registry.nextRetryAtMs!);
    expect(state(instance)).toBe('joined');
    registry.expel('web0', 'standby', error);
    registry.expel('nobody', 'primary', error);
    expect(state(instance)).toBe('joined');
  });

  it('that has to leave again and again is tried ever later, whatever changes', () => {
    const waits: number[] = [];
    for (let i = 0; i < 8; i++) {
      registry.expel('web0', 'primary', new VfError('MAC_MISMATCH', 'somebody sets it'));
      waits.push(registry.nextRetryAtMs! - now);
      registry.changed({ ...VF, mtu: 1400 + i });
      now += 200;
      registry.changed(VF);
      expect(state(instance)).toBe('refused');
      tickAt(registry.nextRetryAtMs!);
      expect(state(instance)).toBe('joined');
    }
    expect(waits).toEqual([500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  });

  it('that left and has another MAC says why, until it has it no more', () => {
    registry.changed({ ...VF, address: MAC2 });
    registry.expel('web0', 'primary', new VfError('MAC_MISMATCH', 'somebody sets it'));
    registry.changed({ ...VF, address: MAC2, mtu: 1400 });
    expect(instance.slave('primary').error?.code).toBe('MAC_MISMATCH');
    expect(registry.nextRetryAtMs).toBeUndefined();
    registry.changed(VF);
    expect(state(instance)).toBe('joined');
  });

  it('of the MAC that its master began with joins after the master has changed it', () => {
    registry.removed(3);
    registry.changed({ ...MASTER, address: MAC2 });
    registry.offer(VF);
    expect(state(instance)).toBe('joined');
  });

  it('drift is told, and only drift (row 10)', () => {
    registry.changed({ ...VF, mtu: 1400 });
    expect(ops.take()).toEqual(['drift eth3 primary mtu']);
    registry.changed(VF);
    expect(ops.take()).toEqual([]);
    registry.changed({ ...MASTER, mtu: 9000 });
    expect(ops.take()).toEqual(['drift eth3 primary mtu']);
    registry.changed({ ...VF, mtu: 9000, permAddress: MAC });
    registry.changed({ ...VF, mtu: 9000, permAddress: MAC, address: MAC2 });
    expect(ops.take()).toEqual(['drift eth3 primary address']);
  });

  it('an MTU of the master that the slave cannot carry ends it, until it can', () => {
    registry.changed({ ...VF, maxMtu: 2000 });
    expect(instance.mtuLimits()).toEqual({ min: 0, max: 2000 });
    registry.changed({ ...MASTER, mtu: 9000 });
    expect(instance.slave('primary').error?.code).toBe('MTU_MISMATCH');
    expect(ops.take()).not.toContain('drift eth3 primary mtu');
    registry.changed(MASTER);
    expect(state(instance)).toBe('joined');
  });

  it.each(['link', 'name', 'drift'])('a fault in the op %s harms nothing', (op) => {
    ops.broken.add(op);
    registry.changed({ ...VF, name: 'x', carrier: false, mtu: 1400 });
    expect(events.filter((event) => event.type === 'fault')).toMatchObject([{ error: { code: 'INTERNAL' } }]);
    expect(state(instance)).toBe('joined');
  });
});

describe('refused by name', () => {
  it('is offered again when renamed (row 8)', () => {
    registry.reconcile([MASTER, VF, device(4, { kind: 'vlan', link: 2 })]);
    const instance = register({ rules: { primary: { name: 'vf0' } } });
    expect(state(instance)).toBe('absent');
    registry.renamed({ ...VF, name: 'vf0' });
    expect(state(instance)).toBe('joined');
  });

  it('with another MAC is visible, and joins when the MAC is mended', () => {
    const instance = register({ rules: { primary: { name: 'eth3' } } });
    registry.offer({ ...VF, address: MAC2 });
    expect(instance.slave('primary').error).toMatchObject({
      code: 'MAC_MISMATCH',
      field: 'primary.name',
      value: MAC2,
    });
    expect(registry.nextRetryAtMs).toBeUndefined();
    registry.changed(VF);
    expect(state(instance)).toBe('joined');
  });
});

describe('net-failover', () => {
  it('has a master apart from both slaves', () => {
    const master = device(1, { name: 'ens4', parentDev: 'virtio0', parentBus: 'virtio' });
    registry.reconcile([master, { ...MASTER, master: 1 }, { ...VF, master: 1 }]);
    const instance = register({ model: 'net-failover', master: 1 });
    expect(instance.slaves.map((slave) => slave.device?.ifindex)).toEqual([3, 2]);
    ops.take();
    registry.changed({ ...master, carrier: false, name: 'net0' });
    expect(ops.take()).toEqual(
      ['link ens4 up none', 'name ens4 net0'].map((call) => call.replace('link ens4', 'link net0')),
    );
    expect(events.filter((event) => 'part' in event)).toMatchObject([{ part: 'master' }, { part: 'master' }]);
    registry.removed(2);
    expect([state(instance), state(instance, 'standby')]).toEqual(['joined', 'absent']);
  });
});

/** What happens to a registry, in any order. `fails`: an op or step that throws meanwhile. */
const EVENT = fc.record({
  ms: fc.nat(199),
  fails: fc.oneof(
    { weight: 3, arbitrary: fc.constant(null) },
    fc.constantFrom('pre', 'mtu', 'hook', 'undo mtu', 'leave', 'link'),
  ),
  ifindex: fc.integer({ min: 2, max: 7 }),
  what: fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        type: fc.constant('changed' as const),
        address: fc.constantFrom(MAC, MAC2),
        up: fc.constantFrom(true, true, false),
        name: fc.nat(3),
      }),
    },
    fc.record({ type: fc.constant('removed' as const) }),
    fc.record({ type: fc.constant('tick' as const) }),
    fc.record({
      type: fc.constant('register' as const),
      name: fc.nat(2),
      /** Of the device that its rule names. */
      rule: fc.oneof({ weight: 2, arbitrary: fc.constant(null) }, fc.tuple(fc.nat(3), fc.nat(5))),
      model: fc.constantFrom('hidden' as const, 'transparent' as const),
    }),
    fc.record({ type: fc.constant('unregister' as const), name: fc.nat(2) }),
  ),
});
type Event = typeof EVENT extends fc.Arbitrary<infer T> ? T : never;

function happens({ ifindex, what }: Event): void {
  if (what.type === 'changed') {
    const { address, up, name } = what;
    registry.changed(device(ifindex, { address, up, name: `n${name}${ifindex}` }));
  } else if (what.type === 'removed') registry.removed(ifindex);
  else if (what.type === 'tick') registry.tick(now);
  else if (what.type === 'unregister') registry.unregister(`i${what.name}`);
  else {
    const rules = what.rule ? { primary: { name: `n${what.rule[0]}${2 + what.rule[1]}` } } : {};
    register({ name: `i${what.name}`, master: ifindex, model: what.model, rules });
  }
}

it('holds up under any order of events', () => {
  const property = fc.property(fc.array(EVENT, { maxLength: 300, size: 'max' }), (list) => {
    make();
    for (const event of list) {
      now += event.ms;
      ops.broken.clear();
      if (event.fails !== null) ops.broken.add(event.fails);
      try {
        happens(event);
      } catch (error) {
        expect(error).toBeInstanceOf(VfError);
      }
      checkSound();
    }
    for (const name of [...registry.instances.keys()]) registry.unregister(name);
    expect(registry.refs.report()).toBe('');
  });
  fc.assert(property, walks(40));
});

/** No device in two places, no reference too many, every slave alive. */
function checkSound() {
  const places: number[] = [];
  let slots = 0;
  for (const instance of registry.instances.values()) {
    for (const { state: now, device: slave } of instance.slaves) {
      if (now !== 'joined') continue;
      slots += 1;
      expect(registry.devices.get(slave!.ifindex)).toBe(slave);
      if (slave!.ifindex !== instance.master.ifindex) places.push(slave!.ifindex);
    }
    places.push(instance.master.ifindex);
    for (const refusal of instance.refusals.values())
      expect(registry.devices.has(refusal.device.ifindex)).toBe(true);
  }
  expect(new Set(places).size).toBe(places.length);
  expect(registry.refs.size).toBe(slots + registry.instances.size);
}
