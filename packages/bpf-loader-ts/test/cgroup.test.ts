import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  AttachType,
  attachCgroup,
  type BpfObject,
  ensurePinFolder,
  haveLink,
  Link,
  type PlaceOptions,
  queryCgroup,
} from 'bpf-loader-ts';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  after,
  attachObject,
  bpfError,
  kernelAtLeast,
  namespaceWithVeth,
  node,
  own,
  pinFolder,
  tempFolder,
} from './helpers.js';
import { until } from './wait.js';

/** A cgroup of this test's own; it is empty, and removed after it. */
function ownCgroup(): string {
  const mount = readFileSync('/proc/self/mountinfo', 'utf8').match(
    /^\S+ \S+ \S+ \S+ (\S+) .* - cgroup2 /m,
  )?.[1];
  if (mount === undefined) throw new Error('no cgroup2 file system is mounted: mount -t cgroup2 cgroup2 DIR');
  const path = join(mount, `bpf-loader-ts-${process.pid}-${Math.random().toString(36).slice(2)}`);
  mkdirSync(path);
  after(() => rmdirSync(path));
  return path;
}

let cgroup: string;
let object: BpfObject;
let ns: string;
beforeEach(() => {
  cgroup = ownCgroup();
  ns = namespaceWithVeth().path;
  object = attachObject(['egress_drop', 'egress_pass', 'connect4', 'stamp']);
});

const program = (name: string) => object.program(name);
const hits = (): number =>
  Number(new DataView(object.map('.bss').lookup(new Uint8Array(4))!.buffer).getBigUint64(0, true));

/** Sends a datagram from a process in the cgroup, over the loopback of a namespace of its own. What the kernel said to that. */
function send(): string {
  const script = `const socket = (await import('node:dgram')).createSocket('udp4');
    socket.send('x', 9, '127.0.0.1', (e) => { console.log(e?.code ?? 'sent'); socket.close(); });`;
  const enter = `echo $$ > ${cgroup}/cgroup.procs && ip link set dev lo up && exec "$@"`;
  const run = node(script, ['nsenter', `--net=${ns}`, 'sh', '-c', enter, 'sh']);
  expect(run.stderr).toBe('');
  return run.stdout.trim();
}

describe('a cgroup', () => {
  it('has its traffic seen and dropped, and no other', async () => {
    expect(haveLink('cgroup').answer).toBe('supported');
    expect(send()).toBe('sent');
    const link = own(attachCgroup(program('egress_drop'), cgroup, 'cgroup_inet_egress'));
    const info = link.info();
    expect(info).toMatchObject({
      typeName: 'cgroup',
      attachType: AttachType.cgroup_inet_egress,
      progId: program('egress_drop').info.id,
      ifindex: 0,
    });
    expect(info.typeName === 'cgroup' && info.cgroupId).toBeGreaterThan(0n);
    expect(queryCgroup(cgroup, 'cgroup_inet_egress')).toEqual([info.progId]);
    expect(queryCgroup(cgroup, 'cgroup_inet_ingress')).toEqual([]);
    expect(send()).toBe('EPERM');
    expect(hits()).toBeGreaterThan(0);

    link.update(program('egress_pass'), program('egress_drop'));
    expect(send()).toBe('sent');
    link.update(program('egress_drop'));
    expect(send()).toBe('EPERM');
    expect(() => link.update(program('egress_pass'), program('egress_pass'))).toThrow(
      expect.objectContaining({
        ...bpfError('BPF_ATTACH', 'EPERM'),
        message: expect.stringMatching(/is attached, not/),
      }),
    );

    const folder = pinFolder();
    ensurePinFolder(folder);
    link.pin(join(folder, 'link'));
    link.close();
    const adopted = own(Link.fromPin(join(folder, 'link')));
    expect(adopted.info()).toEqual(info);
    adopted.detach();
    expect(send()).toBe('sent');
    expect(queryCgroup(cgroup, 'cgroup_inet_egress')).toEqual([]);
  });

  it('runs several, by path or descriptor, and is left by what is closed', async () => {
    const { openSync, closeSync } = await import('node:fs');
    const fd = openSync(cgroup, 'r');
    after(() => closeSync(fd));
    const one = own(attachCgroup(program('egress_pass'), fd, 'cgroup_inet_egress'));
    own(attachCgroup(program('egress_drop'), cgroup, 'cgroup_inet_egress'));
    own(attachCgroup(program('connect4'), cgroup, 'cgroup_inet4_connect'));
    expect(queryCgroup(fd, 'cgroup_inet_egress')).toEqual([
      program('egress_pass').info.id,
      program('egress_drop').info.id,
    ]);
    expect(queryCgroup(cgroup, 'cgroup_inet4_connect')).toEqual([program('connect4').info.id]);
    one.close();
    await until(
      () => queryCgroup(cgroup, 'cgroup_inet_egress'),
      (ids) => ids.length === 1,
    );
    expect(queryCgroup(cgroup, 'cgroup_inet_egress')).toEqual([program('egress_drop').info.id]);
  });

  it('in a place among others', () => {
    const attach = (name: string, options: PlaceOptions) =>
      own(attachCgroup(program(name), cgroup, 'cgroup_inet_egress', options));
    const list = () => queryCgroup(cgroup, 'cgroup_inet_egress');
    const drop = attach('egress_drop', {});
    if (!kernelAtLeast('6.17')) {
      for (const options of [{ before: drop }, { where: 'head' }, { expectedRevision: 1 }] as const)
        expect(() => attach('egress_pass', options)).toThrow(
          expect.objectContaining({
            code: 'BPF_UNSUPPORTED',
            message: expect.stringMatching(/a place among the programs of a cgroup not supported .*6\.17/),
          }),
        );
      expect(list()).toEqual([program('egress_drop').info.id]);
      return;
    }
    attach('egress_pass', { before: drop });
    expect(list()).toEqual([program('egress_pass').info.id, program('egress_drop').info.id]);
    drop.close();
    attach('egress_drop', { where: 'head' });
    expect(list()).toEqual([program('egress_drop').info.id, program('egress_pass').info.id]);
    expect(() => attach('egress_drop', { expectedRevision: 12345 })).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'ESTALE')),
    );
  });

  it('errors name what is wrong', () => {
    const attach = (name: string, where: string | number, type: string) => () =>
      own(attachCgroup(program(name), where, type as 'cgroup_inet_egress'));
    expect(attach('egress_pass', cgroup, 'xdp')).toThrow(expect.objectContaining(bpfError('BPF_ARGUMENT')));
    expect(attach('egress_pass', cgroup, 'toString')).toThrow(
      expect.objectContaining(bpfError('BPF_ARGUMENT')),
    );
    expect(attach('egress_pass', `${cgroup}/no`, 'cgroup_inet_egress')).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'ENOENT')),
    );
    expect(attach('egress_pass', tempFolder(), 'cgroup_inet_egress')).toThrow(
      /no folder of a cgroup2 file system/,
    );
    expect(attach('egress_pass', 999_999, 'cgroup_inet_egress')).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'EBADF')),
    );
    expect(attach('egress_pass', -1, 'cgroup_inet_egress')).toThrow(
      expect.objectContaining(bpfError('BPF_ARGUMENT')),
    );
    expect(attach('stamp', cgroup, 'cgroup_inet_egress')).toThrow(/it is of type sched_cls, not cgroup_skb/);
    expect(attach('connect4', cgroup, 'cgroup_inet_egress')).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH', 'EINVAL')),
    );
    expect(() => queryCgroup(tempFolder(), 'cgroup_inet_egress')).toThrow(
      expect.objectContaining(bpfError('BPF_ATTACH')),
    );
  });
});
