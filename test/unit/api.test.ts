import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import {
  ABSENT_DEVICE,
  ApiClient,
  type ApiEvent,
  type ApiHandlers,
  ApiServer,
  type Decision,
  type InstanceStatus,
  type ServerOptions,
} from '../../src/api/index.js';
import { LineSplitter } from '../../src/api/lines.js';
import { BadRequest, MAX_BACKLOG, MAX_LINE, parseRequest } from '../../src/api/protocol.js';
import { VfErrors } from '../../src/config/index.js';
import { VfError } from '../../src/errors.js';
import { elapse, quietFor, until } from '../helpers/wait.js';

const folder = mkdtempSync(join(tmpdir(), 'vf-api-'));
const servers: ApiServer[] = [];
const clients: { close?(): void; destroy?(): void }[] = [];
let serial = 0;

afterEach(async () => {
  for (const client of clients.splice(0)) client.close?.() ?? client.destroy?.();
  for (const server of servers.splice(0)) await server.close();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const decision: Decision = {
  seq: 1,
  instance: 'net0',
  cause: 'carrier',
  tier: 1,
  signal: 'carrier of ens5 is off',
  evidence: null,
  from: 'primary',
  to: 'standby',
  epoch: 2,
  detected_ns: 1000,
  flipped_ns: 2000,
  first_frame_out_ns: null,
  first_frame_in_ns: null,
  at: '2026-01-01T00:00:00.000Z',
  health: { primary: 'no-carrier', standby: 'up' },
};
const event: ApiEvent = { type: 'decision', instance: 'net0', decision };

const damping = { penalty: 0, suppressed_until: null };

function status(name: string): InstanceStatus {
  const counters = {
    tx: { packets: 0, bytes: 0, drops: 0, rerouted: 0 },
    rx: { packets: 0, bytes: 0, drops: 0, suppressed: 0 },
  };
  const absent = {
    ...ABSENT_DEVICE,
    state: 'absent' as const,
    health: 'absent' as const,
    link_failure_count: 0,
    counters,
    detectors: [],
    damping,
    rtt_us: null,
  };
  return {
    name,
    model: 'transparent',
    netns: null,
    source: 'file',
    state: 'waiting',
    active: 'standby',
    override: 'auto',
    override_until: null,
    maintenance: null,
    epoch: 1,
    master: ABSENT_DEVICE,
    primary: absent,
    standby: absent,
    tier0: { armed: [], carrier_signal_missing: null },
    attach: 'tcx',
    reflector: null,
    switches: 0,
    last_switch: null,
    refusals: [],
    would_switch: '',
    notes: [],
    impairments: [],
  };
}

const handlers: ApiHandlers = {
  status: () => {
    throw new TypeError('a defect');
  },
  events: ({ limit }) => Array<Decision>(limit ?? 1).fill(decision),
  impairments: () => [],
  switch: ({ name }) => {
    throw new VfError('INSTANCE_NOT_FOUND', `no instance ${name}`, {
      field: 'name',
      value: name,
      fix: 'name one',
    });
  },
  maintenance: ({ name }) => ({ decision: null, status: status(name) }),
  attach: ({ name }) => status(name),
  detach: async ({ name }) => ({ detached: name }),
};

async function serve(options: Partial<ServerOptions> = {}): Promise<{ server: ApiServer; path: string }> {
  const path = options.path ?? join(folder, `s${serial++}`, 'api.sock');
  const server = new ApiServer(handlers, { path, group: null, ...options });
  servers.push(server);
  await server.listen();
  return { server, path };
}

async function connect(path: string): Promise<ApiClient> {
  const client = await ApiClient.connect(path);
  clients.push(client);
  return client;
}

/** A client without manners. */
async function raw(path: string): Promise<{ socket: Socket; lines: string[]; closed: Promise<unknown> }> {
  const socket = createConnection(path);
  clients.push(socket);
  const lines: string[] = [];
  socket.on('error', () => {});
  createInterface({ input: socket }).on('line', (line) => lines.push(line));
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  return { socket, lines, closed };
}

const error = (line: string | undefined) =>
  JSON.parse(line ?? '{}') as { id: unknown; error: { code: string; field?: string; fix?: string } };

describe('requests', () => {
  it('answers every method', async () => {
    const { path } = await serve();
    const client = await connect(path);
    expect(await client.request('ping', {})).toMatchObject({
      pid: process.pid,
      version: expect.stringMatching(/^\d/),
    });
    expect(await client.request('events', { limit: 2 })).toEqual([decision, decision]);
    expect(await client.request('attach', { name: 'a', master: 'eth0' })).toMatchObject({ name: 'a' });
    expect(await client.request('detach', { name: 'a' })).toEqual({ detached: 'a' });
  });

  it('answers many at once, in order, over one connection', async () => {
    const { server, path } = await serve();
    const client = await connect(path);
    const results = await Promise.all(
      Array.from({ length: 500 }, (_, index) => client.request('detach', { name: `n${index}` })),
    );
    expect(results.map(({ detached }) => detached)).toEqual(results.map((_, index) => `n${index}`));
    expect(server.stats.requests).toBe(500);
  });

  it('carries an answer of many megabytes', async () => {
    const { path } = await serve();
    const client = await connect(path);
    expect(await client.request('events', { limit: 20_000 })).toHaveLength(20_000);
  });

  it('hands a VfError of a handler to the caller as it is', async () => {
    const { path } = await serve();
    const client = await connect(path);
    const failure = client.request('switch', { name: 'net9', to: 'primary' });
    await expect(failure).rejects.toMatchObject({
      code: 'INSTANCE_NOT_FOUND',
      field: 'name',
      value: 'net9',
      fix: 'name one',
    });
    await expect(failure).rejects.toBeInstanceOf(VfError);
  });

  it('answers INTERNAL for a defect, tells the daemon, and goes on', async () => {
    const onDefect = vi.fn();
    const { path } = await serve({ onDefect });
    const client = await connect(path);
    await expect(client.request('status', {})).rejects.toMatchObject({
      code: 'INTERNAL',
      message: 'a defect',
    });
    expect(onDefect).toHaveBeenCalledWith(expect.any(TypeError));
    await client.request('ping', {});
  });

  it('gives all problems of an instance at once, with the codes of the file', async () => {
    const { path } = await serve();
    const client = await connect(path);
    const failure = client.request('attach', { name: 'A', master: 'x', polcy: 1 } as never);
    await expect(failure).rejects.toBeInstanceOf(VfErrors);
    await failure.catch((fault: VfErrors) => {
      expect(fault.errors.map(({ code, field }) => [code, field])).toEqual([
        ['CONFIG_INVALID', 'name'],
        ['CONFIG_UNKNOWN_KEY', 'polcy'],
      ]);
    });
  });

  it('times out', async () => {
    const path = join(folder, 'mute.sock');
    const mute = createServer(() => {}).listen(path);
    await once(mute, 'listening');
    const client = await connect(path);
    await expect(client.request('ping', {}, { timeout_ms: 30 })).rejects.toMatchObject({
      code: 'API_UNREACHABLE',
    });
    client.close();
    mute.close();
  });
});

describe('what the parser refuses', () => {
  const fault = (line: string): BadRequest => {
    try {
      parseRequest(line);
    } catch (thrown) {
      if (thrown instanceof BadRequest) return thrown;
      throw thrown;
    }
    throw new Error(`accepted: ${line}`);
  };

  it.each([
    ['', null, 'line'],
    ['nonsense', null, 'line'],
    ['[]', null, 'line'],
    ['null', null, 'line'],
    ['{}', null, 'id'],
    ['{"id":{},"method":"ping"}', null, 'id'],
    ['{"id":1e999,"method":"ping"}', null, 'id'],
    ['{"id":1}', 1, 'method'],
    ['{"id":"a","method":7}', 'a', 'method'],
    ['{"id":1,"method":"ping","extra":1}', 1, 'extra'],
    ['{"id":1,"method":"ping","__proto__":{}}', 1, '__proto__'],
    ['{"id":1,"method":"ping","params":null}', 1, 'params'],
    ['{"id":1,"method":"ping","params":[]}', 1, 'params'],
    ['{"id":1,"method":"ping","params":{"__proto__":{"polluted":1}}}', 1, 'params.__proto__'],
    ['{"id":1,"method":"status","params":{"nmae":"a"}}', 1, 'params.nmae'],
    ['{"id":1,"method":"status","params":{"name":"../x"}}', 1, 'params.name'],
    ['{"id":1,"method":"switch","params":{"name":"a","to":"both"}}', 1, 'params.to'],
    ['{"id":1,"method":"switch","params":{"name":"a","to":"auto","for_ms":0}}', 1, 'params.for_ms'],
    ['{"id":1,"method":"events","params":{"limit":1e9}}', 1, 'params.limit'],
    ['{"id":1,"method":"watch","params":{"types":["all"]}}', 1, 'params.types[0]'],
    ['{"id":1,"method":"attach","params":7}', 1, 'params'],
  ])('%s', (line, id, field) => {
    const { id: answeredTo, error } = fault(line);
    expect(answeredTo).toBe(id);
    expect(error).toMatchObject({ code: 'API_BAD_REQUEST', field });
    expect(error.fix).toBeTruthy();
  });

  it('suggests the nearest method, and finds none on the prototype', () => {
    expect(fault('{"id":1,"method":"statsu"}').error).toMatchObject({
      code: 'API_UNKNOWN_METHOD',
      fix: 'write status',
    });
    for (const method of ['__proto__', 'constructor', 'toString']) {
      expect(fault(JSON.stringify({ id: 1, method })).error.code).toBe('API_UNKNOWN_METHOD');
    }
  });

  it('survives deep JSON and repeats nothing huge', () => {
    const deep = `${'['.repeat(400_000)}${']'.repeat(400_000)}`;
    const found = fault(`{"id":1,"method":"status","params":{"name":${deep}}}`);
    expect(found.error).toMatchObject({ code: 'API_BAD_REQUEST', field: 'params.name' });
    const long = fault(JSON.stringify({ id: 1, method: 'x'.repeat(500_000) }));
    expect(JSON.stringify(long.error).length).toBeLessThan(1000);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('hostile clients', () => {
  it('answers garbage line by line and goes on', async () => {
    const { server, path } = await serve();
    const { socket, lines } = await raw(path);
    socket.write(
      Buffer.concat([
        Buffer.from([0xff, 0xfe, 0x00, 0x0a]),
        Buffer.from('\n{"id":\n{"id":7,"method":"ping"}\n'),
      ]),
    );
    await until(
      () => lines,
      (all) => all.length === 3,
    );
    expect(error(lines[0])).toMatchObject({ id: null, error: { code: 'API_BAD_REQUEST' } });
    expect(error(lines[1])).toMatchObject({ id: null, error: { code: 'API_BAD_REQUEST' } });
    expect(error(lines[2])).toMatchObject({ id: 7 });
    expect(server.stats.bad_requests).toBe(2);
  });

  it('puts a request together from single bytes', async () => {
    const { path } = await serve();
    const { socket, lines } = await raw(path);
    socket.setNoDelay();
    for (const byte of '{"id":"é","method":"ping"}\n') {
      socket.write(byte);
      await new Promise(setImmediate);
    }
    await until(
      () => lines,
      (all) => all.length === 1,
    );
    expect(error(lines[0]).id).toBe('é');
  });

  it('answers a request whose sender has finished sending', async () => {
    const { path } = await serve();
    const { socket, lines, closed } = await raw(path);
    socket.end('{"id":1,"method":"ping"}\n{"id":2,"method":"ping"}\n');
    await closed;
    expect(lines).toHaveLength(2);
  });

  it('closes on a line over 1 MiB, and on that connection only', async () => {
    const { path } = await serve();
    const good = await connect(path);
    const { socket, lines, closed } = await raw(path);
    socket.write('x'.repeat(MAX_LINE + 1));
    await closed;
    expect(error(lines[0])).toMatchObject({ id: null, error: { code: 'API_BAD_REQUEST', field: 'line' } });
    await good.request('ping', {});
  });

  it('does not mind clients that vanish half-way', async () => {
    const { server, path } = await serve();
    for (let index = 0; index < 50; index++) {
      const { socket } = await raw(path);
      socket.write('{"id":1,"method":"events","params":{"limit":1000}}\n{"id":');
      socket.destroy();
    }
    await until(
      () => server.stats.connections,
      (n) => n === 0,
    );
    await (await connect(path)).request('ping', {});
  });

  it('stops reading from a client that does not read its answers', async () => {
    const { server, path } = await serve();
    const { socket } = await raw(path);
    socket.pause();
    for (let index = 0; index < 200; index++)
      socket.write('{"id":1,"method":"events","params":{"limit":10000}}\n');
    await quietFor(200);
    expect(server.stats.requests).toBeLessThan(5);
    await (await connect(path)).request('ping', {});
  });
});

describe('subscriptions', () => {
  it('streams events, by instance and type', async () => {
    const { server, path } = await serve();
    const client = await connect(path);
    const all = await client.subscribe();
    const some = await client.subscribe({ name: 'net0', types: ['detached'] });
    expect(server.stats.subscribers).toBe(1);
    server.publish(event);
    server.publish({ type: 'detached', instance: 'net1' });
    server.publish({ type: 'detached', instance: 'net0' });
    const take = async (stream: AsyncIterable<ApiEvent>, count: number): Promise<ApiEvent[]> => {
      const taken: ApiEvent[] = [];
      for await (const next of stream) if (taken.push(next) === count) break;
      return taken;
    };
    expect((await take(all, 3)).map(({ type }) => type)).toEqual(['decision', 'detached', 'detached']);
    expect(await take(some, 1)).toEqual([{ type: 'detached', instance: 'net0' }]);
  });

  it('keeps order through a consumer that lags', async () => {
    const { server, path } = await serve();
    const client = await connect(path);
    const stream = await client.subscribe();
    const sent = 5000;
    void (async () => {
      for (let seq = 1; seq <= sent; seq++) {
        server.publish({ ...event, decision: { ...decision, seq } });
        if (seq % 100 === 0) await elapse(1);
      }
    })();
    let last = 0;
    for await (const next of stream) {
      if (next.type !== 'decision') continue;
      expect(next.decision.seq).toBe(++last);
      if (last % 1000 === 0) await elapse(5);
      if (last === sent) break;
    }
  });

  it('cuts off a subscriber that does not read, and counts it', async () => {
    const { server, path } = await serve();
    const { socket, lines, closed } = await raw(path);
    socket.write('{"id":1,"method":"watch"}\n');
    await until(
      () => lines,
      (all) => all.length === 1,
    );
    socket.pause();
    const good = await connect(path);
    const stream = await good.subscribe();
    const size = JSON.stringify(event).length;
    let read = 0;
    void (async () => {
      for await (const _ of stream) read++;
    })().catch(() => {});
    let published = 0;
    // The kernel's socket buffer comes on top of our own limit.
    while (server.stats.dropped_subscribers === 0 && published * size < 16 * MAX_BACKLOG) {
      for (let burst = 0; burst < 100; burst++, published++) server.publish(event);
      await new Promise(setImmediate);
    }
    expect(server.stats.dropped_subscribers).toBe(1);
    await until(
      () => read,
      (n) => n === published,
    );
    socket.resume();
    await closed;
    good.close();
  });

  it('limits the subscriptions of a connection', async () => {
    const { path } = await serve();
    const client = await connect(path);
    for (let index = 0; index < 16; index++) await client.subscribe();
    await expect(client.subscribe()).rejects.toMatchObject({ code: 'API_BAD_REQUEST' });
  });

  it('ends with API_UNREACHABLE when the daemon goes, and quietly when the client closes', async () => {
    const { server, path } = await serve();
    const drain = async (stream: AsyncIterable<ApiEvent>): Promise<void> => {
      for await (const _ of stream);
    };
    const first = await (await connect(path)).subscribe();
    const client = await connect(path);
    const second = await client.subscribe();
    const quiet = drain(second);
    client.close();
    await quiet;
    const loud = drain(first);
    await Promise.all([expect(loud).rejects.toMatchObject({ code: 'API_UNREACHABLE' }), server.close()]);
  });
});

describe('the socket', () => {
  it('has mode 0600 without a group, whatever the umask, and its folder 0755', async () => {
    const mask = process.umask(0);
    try {
      const { path } = await serve();
      expect(statSync(path).mode & 0o777).toBe(0o600);
      expect(statSync(join(path, '..')).mode & 0o777).toBe(0o755);
      expect(process.umask()).toBe(0);
    } finally {
      process.umask(mask);
    }
  });

  it('has mode 0660 with a group, given by gid or by name', async () => {
    const gid = process.getgid?.() ?? 0;
    const { path } = await serve({ group: gid });
    expect(statSync(path)).toMatchObject({ gid });
    expect(statSync(path).mode & 0o777).toBe(0o660);
    await expect(serve({ group: 'no-such-group' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      field: 'socket_group',
    });
  });

  it('refuses to start beside a daemon that answers, and names its pid', async () => {
    const { path } = await serve();
    await expect(serve({ path })).rejects.toMatchObject({
      code: 'INSTANCE_BUSY',
      message: expect.stringContaining(`pid ${process.pid}`),
    });
    await (await connect(path)).request('ping', {});
  });

  it('lets exactly one of many that start at once win', async () => {
    const path = join(folder, 'race', 'api.sock');
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => serve({ path })));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await (await connect(path)).request('ping', {});
  });

  it('replaces a stale socket, also when many try', async () => {
    const path = join(folder, 'stale.sock');
    const { execFileSync } = await import('node:child_process');
    // Killed, so that it cannot unlink.
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    expect(() => execFileSync(process.execPath, ['-e', script])).toThrow();
    expect(statSync(path).isSocket()).toBe(true);
    const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => serve({ path })));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await (await connect(path)).request('ping', {});
  });

  it('leaves a file alone that is no socket', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'precious');
    await expect(serve({ path })).rejects.toMatchObject({ code: 'CONFIG_INVALID', field: 'socket' });
    expect(statSync(path).size).toBe(8);
  });

  it('is gone after close, which can be called twice; a successor’s stays', async () => {
    const { server, path } = await serve();
    await server.close();
    await server.close();
    expect(existsSync(path)).toBe(false);
    const { server: old } = await serve({ path });
    rmSync(path);
    await serve({ path });
    await old.close();
    await (await connect(path)).request('ping', {});
  });

  it('is made anew when somebody removes it, or its folder; who was connected stays so', async () => {
    const remade = vi.fn();
    const { path } = await serve({ onRemade: remade });
    const before = await connect(path);
    rmSync(join(path, '..'), { recursive: true });
    await until(
      () => remade.mock.calls,
      (calls) => calls.length === 1,
    );
    expect(remade).toHaveBeenCalledWith();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await (await connect(path)).request('ping', {});
    await before.request('ping', {});
    // In the way: told once, and mended when it is gone.
    rmSync(path);
    writeFileSync(path, 'precious');
    await until(
      () => remade.mock.calls,
      (calls) => calls.length === 2,
    );
    expect(remade).toHaveBeenLastCalledWith(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    rmSync(path);
    await until(
      () => remade.mock.calls,
      (calls) => calls.length === 3,
    );
    await (await connect(path)).request('ping', {});
  }, 20_000);

  it('refuses a path too long for a socket', async () => {
    await expect(serve({ path: join(folder, 'x'.repeat(100)) })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  it('absent or refused: API_UNREACHABLE with a fix', async () => {
    await expect(ApiClient.connect(join(folder, 'none'))).rejects.toMatchObject({
      code: 'API_UNREACHABLE',
      fix: expect.stringContaining('vfailover run'),
    });
  });

  it('with something else behind it: API_UNREACHABLE', async () => {
    const path = join(folder, 'http.sock');
    const other = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(path);
    await once(other, 'listening');
    const client = await connect(path);
    await expect(client.request('ping', {})).rejects.toMatchObject({ code: 'API_UNREACHABLE' });
    other.close();
  });
});

describe('LineSplitter', () => {
  it('gives the same lines however the bytes are cut', () => {
    const text = 'one\n\nthree é\nfour';
    const bytes = Buffer.from(`${text}\n`);
    for (let size = 1; size <= bytes.length; size++) {
      const splitter = new LineSplitter(64);
      const lines: (string | null)[] = [];
      for (let at = 0; at < bytes.length; at += size)
        lines.push(...splitter.push(bytes.subarray(at, at + size)));
      expect(lines).toEqual(text.split('\n'));
    }
  });

  it('holds the limit, exactly', () => {
    expect([...new LineSplitter(4).push(Buffer.from('abcd\n'))]).toEqual(['abcd']);
    expect([...new LineSplitter(4).push(Buffer.from('abcde\n'))]).toEqual([null]);
    expect([...new LineSplitter(4).push(Buffer.from('abcde'))]).toEqual([null]);
  });
});
