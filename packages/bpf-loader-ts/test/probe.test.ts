import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import {
  haveAtomics,
  haveBatch,
  haveBoundedLoops,
  haveBtf,
  haveFentry,
  haveHelper,
  haveInstructionSet,
  haveKfunc,
  haveKprobe,
  haveLargePrograms,
  haveLink,
  haveLiveFrames,
  haveMapType,
  haveMmapableArray,
  haveNativeXdp,
  haveProgramType,
  haveRingBuffer,
  haveStats,
  haveTcx,
  haveTracepoints,
  haveUprobe,
  type LinkKind,
  MapType,
  type MapTypeName,
  openHandles,
  type Probe,
  type ProgramTypeName,
  ProgType,
} from 'bpf-loader-ts';
import { describe, expect, it } from 'vitest';
import { bpfError, INDEX_URL, kernelAtLeast, namespaceWithVeth, node } from './helpers.js';

/**
 * What kernels are known to have, and since when: a probe that says otherwise is wrong, and never a reason to skip. Without a version: all that
 * these tests run on.
 */
it.each([
  ['BTF', haveBtf],
  ['mmapable arrays', haveMmapableArray],
  ['ring buffers', haveRingBuffer],
  ['TCX', haveTcx, '6.6'],
  ['atomics', haveAtomics],
  ['batches', haveBatch],
  ['bounded loops', haveBoundedLoops],
  ['large programs', haveLargePrograms],
  ['statistics', haveStats],
  ['live frames', haveLiveFrames],
  ['tracepoints', haveTracepoints],
  ['uprobes', haveUprobe],
  ['instruction set v4', () => haveInstructionSet('v4'), '6.6'],
  ['tcx links', () => haveLink('tcx'), '6.6'],
  ...(['xdp', 'cgroup', 'perf_event', 'raw_tracepoint'] as LinkKind[]).map((kind) => [
    `${kind} links`,
    () => haveLink(kind),
  ]),
  ['bpf_cast_to_kern_ctx', () => haveKfunc('bpf_cast_to_kern_ctx', '6.2'), '6.2'],
] as [string, () => Probe, string?][])('%s: as the kernel has it', (_, probe, since = '5.15') => {
  const first = probe();
  expect(first).toMatchObject(
    kernelAtLeast(since)
      ? { answer: 'supported', detail: expect.stringMatching(/ works$/) }
      : { answer: 'unsupported', detail: expect.stringContaining(`requires kernel >= ${since}`) },
  );
  expect(probe()).toBe(first); // asked once
});

it('what no kernel has: unsupported, and the version is named', () => {
  expect(haveKfunc('bpf_of_the_future', '99.1')).toMatchObject({
    answer: 'unsupported',
    detail: expect.stringMatching(
      /^kfunc bpf_of_the_future not supported \(requires kernel >= 99\.1; this is \d/,
    ),
  });
});

it('a user who may not ask gets no answer, not a wrong one', () => {
  const run = node(
    `const b = await import(${JSON.stringify(INDEX_URL)});
     const all = [b.haveMmapableArray(), b.haveRingBuffer(), b.haveTcx(), b.haveMapType('hash'), b.haveMapType('ringbuf'),
       b.haveProgramType('xdp'), b.haveHelper('xdp', 'redirect'), b.haveLink('xdp'), b.haveLink('cgroup'), b.haveNetkit(),
       b.haveBoundedLoops(), b.haveStats(), b.haveLiveFrames(), b.haveFentry()];
     let error; try { b.BpfMap.create({ type: 2, name: 'x', keySize: 4, valueSize: 4, maxEntries: 1, flags: 0 }); } catch (e) { error = e; }
     console.log(JSON.stringify({ answers: all.map((p) => p.answer), details: all.map((p) => p.detail), code: error?.code, errno: error?.errno, message: error?.message, btf: b.haveBtf().answer, batch: b.haveBatch().answer }));`,
    ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--bounding-set=-all'],
  );
  expect(run).toMatchObject({ status: 0, stderr: '' });
  const seen = JSON.parse(run.stdout) as Record<string, unknown>;
  expect(seen).toMatchObject({
    answers: Array.from({ length: 14 }, () => 'inconclusive'),
    code: 'BPF_PERMISSION',
    errno: 'EPERM',
    message: expect.stringMatching(
      /it needs CAP_BPF.*the process lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN$/,
    ),
    btf: 'supported',
    batch: 'supported',
  });
  for (const detail of seen.details as string[]) expect(detail).toMatch(/EPERM|EACCES/);
});

/** What bpftool finds, by the words of its report: `eBPF program_type xdp is available`. */
function bpftool(): Map<string, boolean> {
  const text = execFileSync('bpftool', ['feature', 'probe', 'kernel'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const found = text.matchAll(/^eBPF (program_type|map_type) (\w+) is (NOT )?available/gm);
  return new Map([...found].map(([, kind, name, not]) => [`${kind} ${name}`, not === undefined]));
}

describe('by name', () => {
  const theirs = bpftool();
  const compare = (kind: string, name: string, { answer, detail }: Probe): void => {
    const found = theirs.get(`${kind} ${name}`);
    // bpftool takes every refusal for a no.
    if (answer === 'inconclusive') {
      expect(detail).toMatch(/EPERM/);
      expect(found, name).toBe(false);
    } else if (found !== undefined && (answer === 'supported') !== found) {
      // Where the answers differ, ours has been tried: tracing programs of a kind that needs no trampoline.
      expect({ name, answer }).toEqual({ name: 'tracing', answer: 'supported' });
    }
  };

  it('map types, as bpftool has them', () => {
    const names = Object.keys(MapType).filter((name) => name !== 'unspec') as MapTypeName[];
    expect(names).toHaveLength(33);
    for (const name of names) compare('map_type', name, haveMapType(name));
    for (const name of ['hash', 'ringbuf', 'sk_storage', 'struct_ops'] as const)
      expect(haveMapType(name).answer, name).toBe('supported');
    expect(haveMapType('arena').answer).toBe(kernelAtLeast('6.9') ? 'supported' : 'unsupported');
    expect(() => haveMapType('no_such' as 'hash')).toThrow(
      expect.objectContaining({
        ...bpfError('BPF_ARGUMENT'),
        message: expect.stringMatching(/no_such.*hash, array/),
      }),
    );
    expect(() => haveMapType('toString' as 'hash')).toThrow(
      expect.objectContaining(bpfError('BPF_ARGUMENT')),
    );
  });

  it('program types, as bpftool has them', () => {
    const names = Object.keys(ProgType).filter((name) => name !== 'unspec') as ProgramTypeName[];
    expect(names).toHaveLength(32);
    for (const name of names) compare('program_type', name, haveProgramType(name));
    for (const name of ['xdp', 'sched_cls', 'tracing', 'syscall', 'sk_lookup'] as const)
      expect(haveProgramType(name).answer, name).toBe('supported');
    expect(haveProgramType('netfilter').answer).toBe(kernelAtLeast('6.4') ? 'supported' : 'unsupported');
    expect(() => haveProgramType('no_such' as 'xdp')).toThrow(
      expect.objectContaining(bpfError('BPF_ARGUMENT')),
    );
  });

  it('helpers of a program type, by name or number', () => {
    for (const [type, helper] of [
      ['xdp', 'redirect_map'],
      ['xdp', 'bpf_redirect_map'],
      ['xdp', 51],
      ['sched_cls', 'skb_store_bytes'],
      ['sched_cls', 'ktime_get_ns'],
      ['kprobe', 'probe_read_kernel'],
      ['cgroup_sock_addr', 'bind'],
    ] as const)
      expect(haveHelper(type, helper), `${helper}`).toMatchObject({ answer: 'supported' });
    expect(haveHelper('xdp', 'skb_store_bytes')).toMatchObject({
      answer: 'unsupported',
      detail: expect.stringMatching(
        /^helper skb_store_bytes in xdp programs not supported \(xdp programs may not call it; this is \d/,
      ),
    });
    expect(haveHelper('sched_cls', 99_999)).toMatchObject({ answer: 'unsupported' });
    expect(haveHelper('tracing', 'map_lookup_elem')).toMatchObject({
      answer: 'inconclusive',
      detail: expect.stringMatching(/depends on what they attach to/),
    });
    for (const helper of ['no_such', 'unspec', 0, -1, 1.5, Number.NaN, 2 ** 40])
      expect(() => haveHelper('xdp', helper), `${helper}`).toThrow(
        expect.objectContaining(bpfError('BPF_ARGUMENT')),
      );
  });

  it('what is no name', () => {
    expect(() => haveLink('no_such' as 'tcx')).toThrow(expect.objectContaining(bpfError('BPF_ARGUMENT')));
    expect(() => haveInstructionSet('v9' as 'v4')).toThrow(expect.objectContaining(bpfError('BPF_ARGUMENT')));
  });
});

it('native XDP of a driver: tried on a device of ours', () => {
  const ns = namespaceWithVeth();
  expect(ns.in(() => haveNativeXdp(ns.ifindex('a'), 'veth', '4.19')).answer).toBe('supported');
  expect(ns.in(() => haveNativeXdp(1, 'loopback', 'never'))).toMatchObject({
    answer: 'unsupported',
    detail: expect.stringMatching(/native XDP on loopback not supported \(requires kernel >= never/),
  });
});

it('tracing of a kernel function: tried on it, or refused for another reason than its name', () => {
  for (const have of [haveFentry, haveKprobe]) {
    const general = have().answer;
    expect(have('netif_carrier_off').answer).toBe(general);
    const none = have('no_such_function');
    expect(none.answer).toBe('unsupported');
    if (general === 'supported') expect(none.detail).toMatch(/no_such_function not supported \((?!requires)/);
  }
});

it('nothing stays open or attached after a probe', () => {
  const fds = () => readdirSync('/proc/self/fd').length;
  haveMapType('hash'); // the kernel's BTF and the like are opened once
  const [before, handles] = [fds(), openHandles().length];
  const fresh = (name: string) => haveKfunc(name, '1');
  for (let i = 0; i < 20; i++) {
    fresh(`no_such_${i}`);
    haveHelper('xdp', 20_000 + i);
    haveProgramType('lsm');
    haveLink('tracing');
  }
  expect({ fds: fds(), handles: openHandles().length }).toEqual({ fds: before, handles });
});
