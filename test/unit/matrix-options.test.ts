import { expect, test } from 'vitest';
import { KERNELS } from '../../lab/vm/kernel.js';
import { VfError } from '../../src/errors.js';
import { parseOptions, USAGE } from '../vm/matrix/options.js';

/** The command line of the matrix: test/vm/matrix/main.ts. */

const refused = (...args: string[]): VfError => {
  try {
    parseOptions(args);
  } catch (e) {
    expect(e).toBeInstanceOf(VfError);
    return e as VfError;
  }
  throw new Error(`${args.join(' ')} was taken`);
};

test('without options it takes every kernel and every file', () => {
  expect(parseOptions([])).toMatchObject({
    kernels: Object.keys(KERNELS),
    files: undefined,
    limitMs: 1_800_000,
    json: undefined,
    help: false,
  });
});

test('lists are split, and seconds become milliseconds', () => {
  const args = '--kernels 6.1,7 --files a.test.ts,b.test.ts --guests 3 --limit 60 --json r.json'.split(' ');
  expect(parseOptions(args)).toEqual({
    kernels: ['6.1', '7'],
    files: ['a.test.ts', 'b.test.ts'],
    guests: 3,
    limitMs: 60_000,
    json: 'r.json',
    help: false,
  });
});

test('--help is told apart, and names every option', () => {
  expect(parseOptions(['--help']).help).toBe(true);
  for (const option of ['kernels', 'files', 'guests', 'limit', 'json', 'help'])
    expect(USAGE).toContain(`--${option}`);
});

test.each([
  [['--kernel', '6.1'], undefined],
  [['6.1'], undefined],
  [['--json'], undefined],
  [['--kernels', '6.1,5.4'], '--kernels'],
  [['--kernels', 'toString'], '--kernels'],
  [['--guests', 'two'], '--guests'],
  [['--guests', '0'], '--guests'],
  [['--limit', '1.5'], '--limit'],
])('%j is refused with a fix', (args, field) => {
  const error = refused(...args);
  expect(error.code).toBe('USAGE');
  expect(error.field).toBe(field);
  expect(error.fix).toBeTruthy();
});
