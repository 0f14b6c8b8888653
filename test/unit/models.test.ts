import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { VfModel } from '../../bpf/vfailover.bpf.js';
import { modelNumber } from '../../src/datapath/identity.js';
import { MODELS, STEERED, STEERED_NAMES } from '../../src/models/table.js';
import { ROOT } from '../../src/paths.js';
import { TAKEOVERS, takeoversOf } from '../../src/slave/table.js';

describe('models', () => {
  test('every number of the layout header belongs to one model', () => {
    expect(STEERED_NAMES.map(modelNumber).sort()).toEqual(Object.values(VfModel).sort());
  });

  test.each(STEERED_NAMES)('%s leaves to the kernel only what is taken over at all', (name) => {
    const known = TAKEOVERS.map((make) => make().name);
    expect(STEERED[name].kernelTakesOver.filter((t) => !known.includes(t))).toEqual([]);
  });

  test.each(STEERED_NAMES)('%s gives slaves every other takeover, in the order of the table', (name) => {
    const left: readonly string[] = STEERED[name].kernelTakesOver;
    const rest = TAKEOVERS.map((make) => make().name).filter((t) => !left.includes(t));
    expect(takeoversOf(STEERED[name]).map((t) => t.name)).toEqual(rest);
  });

  test.each(STEERED_NAMES)('%s has each program once, and steers on its master', (name) => {
    const { hooks } = STEERED[name];
    expect(hooks.map((h) => h.name).sort()).toEqual(['accept', 'deliver', 'guard', 'steer']);
    expect(hooks.find((h) => h.name === 'steer')).toMatchObject({ on: 'master', direction: 'egress' });
  });

  test('no code compares the name of a model: it asks for a trait', () => {
    const names = Object.keys(MODELS).join('|');
    const compares = new RegExp(`[!=]==? *'(${names})'|'(${names})' *[!=]==?|case '(${names})'`);
    const found = ['src', 'workers']
      .flatMap((folder) =>
        readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((f) => join(folder, f)),
      )
      .filter((file) => file.endsWith('.ts'))
      .filter((file) => compares.test(readFileSync(join(ROOT, file), 'utf8')));
    expect(found).toEqual([]);
  });
});
