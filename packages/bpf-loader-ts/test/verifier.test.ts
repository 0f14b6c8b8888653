import { BpfError, parseSpec } from 'bpf-loader-ts';
import { expect, it } from 'vitest';
import { compile } from './helpers.js';

function refusal(name: string): BpfError {
  const object = parseSpec(compile('verifier'));
  try {
    object.load({ skip: object.programs.map((p) => p.name).filter((n) => n !== name) });
  } catch (e) {
    expect(e).toBeInstanceOf(BpfError);
    return e as BpfError;
  }
  throw new Error(`${name} was loaded`);
}

it.each([
  [
    'no_bounds',
    /invalid access to packet, off=20 size=1.*R\d (offset is outside of the packet|min value is outside of the allowed memory range)/,
  ],
  ['endless', /infinite loop detected|back-edge|too large|too complex/],
  ['unreleased', /Unreleased reference id=\d+|reference leak/],
  ['wrong_helper', /(unknown func|cannot use helper) bpf_skb_pull_data#39/],
  ['too_long', /BPF program is too large. Processed 1000001 insn|too complex/],
])('%s: the program, and the line that says why', { timeout: 60_000 }, (name, why) => {
  const error = refusal(name);
  expect(error).toMatchObject({ code: 'BPF_VERIFIER' });
  expect(error.message).toMatch(new RegExp(`^load of verifier: program ${name}: `));
  expect(error.message).toMatch(why);
  expect(error.message).not.toContain('\n');
  expect(error.message.length).toBeLessThan(400);
  // A million instructions make tens of megabytes: the middle is left out.
  if (name === 'too_long') expect(error.log).toMatch(/^\[… the middle of this log is left out …\]$/m);
  expect(error.log!.length).toBeLessThan(9e6);
  expect(error.log).toMatch(/^processed \d+ insns/m);
  expect(error.log).toMatch(/-- END PROG LOAD LOG --$/m);
  expect(error.log).toMatch(new RegExp(`prog '${name}': -- BEGIN PROG LOAD LOG --`));
});
