import { attachXdp, openHandles, reportLeaks } from 'bpf-loader-ts';
import { Epoll, EventFd, NetlinkSocket, openHandles as sysHandles, watchFd } from 'bpf-loader-ts/sys';
import { expect, it } from 'vitest';
import { basic, bpfError, FRAME, namespaceWithVeth } from './helpers.js';

const names = (): string[] => openHandles().map((h) => h.what);

it('lists what is open, of either half of the package, with where it was opened', () => {
  expect(sysHandles).toBe(openHandles);
  expect(names()).toEqual([]);
  const event = new EventFd();
  const watch = watchFd(event.fd, () => {});
  const object = basic();
  const map = object.map('cells');
  const mapping = map.mmap();
  expect(names()).toEqual([
    'EventFd',
    `watch of fd ${event.fd}`,
    'object basic',
    'map cells',
    'mapping of 4096 bytes',
  ]);
  for (const { openedAt } of openHandles()) expect(openedAt).toMatch(/leaks\.test|helpers/);
  mapping.close();
  object.close();
  watch.close();
  expect(names()).toEqual(['EventFd']);
  event.close();
  expect(names()).toEqual([]);
});

it('a constructor that throws leaves nothing open', () => {
  expect(() => new NetlinkSocket({ protocol: 9999 })).toThrow();
  expect(names()).toEqual([]);
});

it('use after close has one code for each half', () => {
  const [event, epoll, object] = [new EventFd(), new Epoll(), basic()];
  const program = object.program('first');
  for (const h of [event, epoll, object]) h.close();
  for (const h of [event, epoll]) expect(() => h.fd).toThrow(expect.objectContaining({ code: 'ERR_CLOSED' }));
  expect(() => program.testRun({ data: FRAME })).toThrow(expect.objectContaining(bpfError('BPF_CLOSED')));
});

it('a leak report is text: how many of what, and where each was opened', () => {
  expect(reportLeaks()).toBe('');
  const ns = namespaceWithVeth();
  const object = basic();
  const link = ns.in(() => attachXdp(object.program('pass'), ns.ifindex('a'), 'native'));
  object.program('first');
  const report = reportLeaks();
  const lines = report.split('\n');
  expect(lines[0]).toBe('4 open: 1 object, 2 program, 1 link');
  expect(lines).toContain('program first');
  expect(lines).toContain(`link to XDP (native) of device ${ns.ifindex('a')}`);
  expect(report.match(/leaks\.test/g)!.length).toBeGreaterThanOrEqual(3);
  link.close();
  object.close();
  expect(reportLeaks()).toBe('');
});
