import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { Qmp } from '../../src/hypervisor/index.js';
import { elapse } from '../helpers/wait.js';

/** The other end of the protocol, scripted by each test: what QEMU never says must not harm us either. */
let path: string;
let server: Server;
let peer: Promise<Socket>;

beforeEach(async () => {
  path = join(mkdtempSync(join(tmpdir(), 'vfailover-qmp-')), 'qmp');
  server = createServer();
  peer = new Promise((done) => server.once('connection', done));
  await new Promise<void>((done) => server.listen(path, done));
});
afterEach(() => {
  server.close();
  rmSync(dirname(path), { recursive: true });
});

const GREETING = '{"QMP": {"version": {}, "capabilities": []}}\r\n';
const line = (o: object): string => `${JSON.stringify(o)}\r\n`;

/** Greets, and answers what `answer` knows, by id. */
async function open(answer: (command: string, id: number, socket: Socket) => void = () => {}): Promise<Qmp> {
  void peer.then((socket) => {
    socket.write(GREETING);
    let rest = '';
    socket.on('data', (chunk) => {
      rest += chunk.toString();
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n')) {
        const { execute, id } = JSON.parse(rest.slice(0, end)) as { execute: string; id: number };
        rest = rest.slice(end + 1);
        if (execute === 'qmp_capabilities') socket.write(line({ return: {}, id }));
        else answer(execute, id, socket);
      }
    });
  });
  const qmp = await Qmp.connect(path);
  onTestFinished(() => qmp.close());
  return qmp;
}

describe('commands', () => {
  it('match their answers by number, in whatever order these come', async () => {
    const ids: number[] = [];
    const qmp = await open((_, id, socket) => {
      ids.push(id);
      if (ids.length === 2) for (const i of [...ids].reverse()) socket.write(line({ return: { i }, id: i }));
    });
    const [a, b] = await Promise.all([qmp.command('first'), qmp.command('second')]);
    expect(a).toEqual({ i: ids[0] });
    expect(b).toEqual({ i: ids[1] });
  });

  it("fail with QEMU's class and words", async () => {
    const qmp = await open((_, id, socket) =>
      socket.write(line({ error: { class: 'DeviceNotFound', desc: "Device 'x' not found" }, id })),
    );
    await expect(qmp.command('device_del', { id: 'x' })).rejects.toMatchObject({
      code: 'QMP_FAILED',
      field: 'command',
      value: 'device_del',
      message: expect.stringMatching(/Device 'x' not found \(DeviceNotFound\)/),
    });
  });

  it('fail when no answer comes, and an answer that comes after all harms nobody', async () => {
    const qmp = await open((command, id, socket) => {
      void elapse(command === 'slow' ? 60 : 0).then(() => socket.write(line({ return: command, id })));
    });
    await expect(qmp.command('slow', undefined, 20)).rejects.toMatchObject({ code: 'QMP_FAILED' });
    await elapse(80);
    expect(await qmp.command('quick')).toBe('quick');
  });

  it('that wait when the socket closes fail, and so do later ones', async () => {
    const qmp = await open((_, __, socket) => socket.destroy());
    await expect(qmp.command('cont')).rejects.toMatchObject({ code: 'QMP_CLOSED', value: path });
    await expect(qmp.command('cont')).rejects.toMatchObject({ code: 'QMP_CLOSED' });
    await qmp.closed;
  });
});

describe('events', () => {
  it('reach listeners and who waits for one, by what is in it', async () => {
    const qmp = await open();
    const seen: string[] = [];
    const off = qmp.onEvent((e) => seen.push(e.event));
    const wanted = qmp.waitFor('DEVICE_DELETED', (d) => d.device === 'vf');
    const socket = await peer;
    for (const device of ['other', 'vf'])
      socket.write(
        line({ event: 'DEVICE_DELETED', data: { device }, timestamp: { seconds: 1, microseconds: 2 } }),
      );
    expect(await wanted).toEqual({
      event: 'DEVICE_DELETED',
      data: { device: 'vf' },
      timestampUs: 1_000_002,
    });
    expect(seen).toHaveLength(2);
    off();
  });

  it('are given up in time, and when the socket closes', async () => {
    const qmp = await open();
    await expect(qmp.waitFor('RESUME', undefined, 20)).rejects.toMatchObject({
      code: 'QMP_FAILED',
      value: 'RESUME',
    });
    const waiting = qmp.waitFor('RESUME');
    (await peer).destroy();
    await expect(waiting).rejects.toMatchObject({ code: 'QMP_CLOSED' });
  });
});

describe('nonsense', () => {
  it.each(['no json\n', '[1]\n', 'null\n', '"QMP"\n', '{"QMP"\n'])('%j ends the connection', async (text) => {
    const qmp = await open();
    const waiting = qmp.command('cont');
    (await peer).write(text);
    await expect(waiting).rejects.toMatchObject({
      code: 'QMP_CLOSED',
      message: expect.stringContaining('no JSON object'),
    });
  });

  it.each([
    { return: 1, id: 99 },
    { return: 1 },
    { id: {} },
    { event: 7 },
    { event: 'X', data: [1], timestamp: 'now' },
    { event: 'X', data: null },
  ])('%j is passed over', async (message) => {
    const qmp = await open((_, id, socket) => {
      socket.write(line(message));
      socket.write(line({ return: 'ok', id }));
    });
    expect(await qmp.command('query-status')).toBe('ok');
  });

  it('an error without words is told as such', async () => {
    const qmp = await open((_, id, socket) => socket.write(line({ error: null, id })));
    await expect(qmp.command('x')).rejects.toMatchObject({ code: 'QMP_FAILED' });
  });

  it('a line without an end is not kept for ever', async () => {
    const qmp = await open();
    const socket = await peer;
    socket.on('error', () => {});
    const waiting = qmp.command('cont');
    socket.write(Buffer.alloc((16 << 20) + 1, 0x61));
    await expect(waiting).rejects.toMatchObject({ message: expect.stringContaining('a line of more than') });
  });
});

describe('connect', () => {
  it('says that nobody listens, within its time', async () => {
    await expect(Qmp.connect('/nonexistent/qmp', 50)).rejects.toMatchObject({
      code: 'QMP_CLOSED',
      field: 'qmp',
      value: '/nonexistent/qmp',
      fix: expect.stringContaining('-qmp unix:'),
    });
  });

  it('says that the other end does not greet: QEMU serves one client', async () => {
    await expect(Qmp.connect(path, 50)).rejects.toMatchObject({
      code: 'QMP_CLOSED',
      message: expect.stringContaining('does not greet'),
    });
  });
});
