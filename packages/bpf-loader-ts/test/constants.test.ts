import { execFileSync } from 'node:child_process';
import * as loader from 'bpf-loader-ts';
import { expect, it } from 'vitest';

interface Enum {
  kind: string;
  name: string;
  values: { name: string; val: number }[];
}

const kernel = (
  JSON.parse(
    execFileSync('bpftool', ['-j', 'btf', 'dump', 'file', '/sys/kernel/btf/vmlinux'], {
      maxBuffer: 1 << 30,
    }).toString(),
  ) as { types: Enum[] }
).types.filter((t) => t.kind === 'ENUM');

it.each([
  ['bpf_map_type', 'BPF_MAP_TYPE_', loader.MapType, loader.mapTypeName],
  ['bpf_prog_type', 'BPF_PROG_TYPE_', loader.ProgType, loader.progTypeName],
  ['bpf_attach_type', 'BPF_', loader.AttachType, loader.attachTypeName],
  ['bpf_link_type', 'BPF_LINK_TYPE_', loader.LinkType, loader.linkTypeName],
] as const)('%s is the running kernel’s', (name, prefix, numbers, nameOf) => {
  const values = kernel.find((t) => t.name === name)!.values;
  const names = values.filter((v) => v.name.startsWith(prefix) && !v.name.endsWith('_DEPRECATED'));
  const ours = numbers as Record<string, number>;
  let compared = 0;
  for (const v of names) {
    const own = v.name.slice(prefix.length).toLowerCase();
    // An older kernel's list is the beginning of ours, a newer one's goes on.
    if (!(own in ours)) {
      expect(v.val, v.name).toBeGreaterThanOrEqual(Object.keys(ours).length);
      continue;
    }
    expect(ours[own], v.name).toBe(v.val);
    expect(nameOf(v.val)).toBe(own);
    compared++;
  }
  expect(compared).toBeGreaterThan(8);
  expect(nameOf(999)).toBe('type 999');
});
