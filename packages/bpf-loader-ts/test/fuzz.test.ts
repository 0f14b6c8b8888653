import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { compile, VFAILOVER_O } from './helpers.js';

const MAIN = fileURLToPath(new URL('../../../dist/packages/bpf-loader-ts/fuzz/main.js', import.meta.url));

/** The short run; `make fuzz` is the long one. The rounds are the same each time, as many as the machine manages. */
it('twenty seconds of damaged objects and made-up types: errors with codes, and no process dies', () => {
  const objects = [
    VFAILOVER_O,
    VFAILOVER_O.replace('vfailover.', 'look.'),
    compile('basic'),
    compile('types'),
  ];
  const run = spawnSync(process.execPath, [MAIN, '--seconds', '20', ...objects], { encoding: 'utf8' });
  expect(run).toMatchObject({ status: 0, stderr: '' });
  const { rounds, harm, seen } = JSON.parse(run.stdout) as {
    rounds: number;
    harm: number;
    seen: Record<string, number>;
  };
  expect(harm).toBe(0);
  expect(rounds).toBeGreaterThan(500);
  // It reaches what it is meant for: refusals by the parser, by the kernel, and what passes both.
  for (const what of ['btf BPF_OPEN', 'btf fine', 'elf BPF_OPEN', 'elf fine', 'made-up fine'])
    expect(seen[what], what).toBeGreaterThan(20);
}, 60_000);
