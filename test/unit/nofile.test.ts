import { closeSync, openSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parseInstance } from '../../src/config/index.js';
import {
  descriptorsOf,
  openFiles,
  openFilesLimit,
  refuseWithoutDescriptors,
} from '../../src/daemon/nofile.js';

const config = parseInstance({ name: 'net0', master: 'eth0' });

test('the limit is read as the kernel writes it', () => {
  const text = (soft: string) =>
    `Limit   Soft Limit  Hard Limit  Units\nMax open files            ${soft}   4096   files\n`;
  expect(openFilesLimit(text('1024'))).toBe(1024);
  expect(openFilesLimit(text('unlimited'))).toBe(Number.POSITIVE_INFINITY);
  expect(openFilesLimit()).toBeGreaterThan(0);
});

test('open files are counted', () => {
  const before = openFiles();
  const fds = [1, 2, 3].map(() => openSync('/dev/null', 'r'));
  expect(openFiles()).toBe(before + 3);
  for (const fd of fds) closeSync(fd);
});

test('what workers of other instances are yet to open counts', () => {
  const others = Array.from({ length: 1000 }, () => config);
  const limit = 50 + 1001 * descriptorsOf(config) + 96;
  refuseWithoutDescriptors(config, others, 50, limit);
  expect(() => refuseWithoutDescriptors(config, others, 50, limit - 1)).toThrow(
    expect.objectContaining({ code: 'INSTANCE_LIMIT', field: 'nofile', value: limit - 1 }),
  );
});
