import { expect, test } from 'vitest';
import { type Needs, preflight } from '../../src/daemon/preflight.js';

const works = { answer: 'supported', detail: 'works' } as const;
const all: Needs = {
  capabilities: { bpf: true, net_admin: true, net_raw: true },
  btf: works,
  kernel: [works],
};
const lacks = {
  answer: 'unsupported',
  detail: 'X not supported (requires kernel >= 5.12; this is 5.10)',
} as const;
const unclear = { answer: 'inconclusive', detail: 'who knows' } as const;

test('all there, or not known to be missing: nothing is refused', () => {
  expect(() => preflight(all)).not.toThrow();
  expect(() => preflight({ ...all, btf: unclear, kernel: [unclear] })).not.toThrow();
});

test.each([
  ['CAPABILITY_MISSING', { ...all, capabilities: { ...all.capabilities, net_raw: false } }, /CAP_NET_RAW/],
  ['BTF_ABSENT', { ...all, btf: lacks }, /not supported/],
  ['KERNEL_UNSUPPORTED', { ...all, kernel: [works, lacks] }, /requires kernel >= 5.12/],
] as const)('%s', (code, needs, message) => {
  let error: unknown;
  try {
    preflight(needs as unknown as Needs);
  } catch (e) {
    error = e;
  }
  expect(error).toMatchObject({ code, fix: expect.any(String), message: expect.stringMatching(message) });
});
