import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import type { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  ABSENT_DEVICE,
  type ApiHandlers,
  ApiServer,
  type DaemonStatus,
  type Decision,
  type ImpairmentRecord,
  type InstanceStatus,
} from '../../src/api/index.js';
import { CliContext, type CliIo } from '../../src/cli/context.js';
import { buildProgram, main } from '../../src/cli/program.js';
import { palette, plain } from '../../src/cli/render/colour.js';
import { renderStatus } from '../../src/cli/render/status.js';
import { bytes, count, duration, microseconds, parseDuration, span } from '../../src/cli/render/units.js';
import { configJsonSchema, type InstanceConfig, parseConfig } from '../../src/config/index.js';
import { VfError } from '../../src/errors.js';
import { until } from '../helpers/wait.js';

const folder = mkdtempSync(join(tmpdir(), 'vf-cli-'));
const socket = join(folder, 'api.sock');

class Sink extends Writable {
  text = '';
  /** Fails as a pipe whose reader has gone. */
  broken = false;
  override _write(chunk: Buffer, _: BufferEncoding, done: (error?: Error) => void): void {
    if (!this.broken) this.text += String(chunk);
    done(this.broken ? Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }) : undefined);
  }
}

interface Run {
  status: number;
  out: string;
  err: string;
}

async function run(line: string | string[], io: Partial<CliIo> = {}): Promise<Run> {
  const [stdout, stderr] = [new Sink(), new Sink()];
  const argv = typeof line === 'string' ? line.split(' ').filter((word) => word !== '') : line;
  const status = await main(argv, { stdout, stderr, env: { VFAILOVER_SOCKET: socket }, ...io });
  return { status, out: stdout.text, err: stderr.text };
}

const decision: Decision = {
  seq: 7,
  instance: 'net0',
  cause: 'carrier',
  tier: 0,
  signal: 'carrier of ens5 is off',
  evidence: null,
  from: 'primary',
  to: 'standby',
  epoch: 12,
  detected_ns: 5_000_000,
  flipped_ns: 5_041_300,
  first_frame_out_ns: 5_250_000,
  first_frame_in_ns: null,
  at: '2026-01-01T00:00:00.000Z',
  health: { primary: 'no-carrier', standby: 'up' },
};

const impairment: ImpairmentRecord = {
  seq: 1,
  at: '2026-01-01T00:00:00.000Z',
  instance: 'net0',
  over: false,
  impairment: {
    key: 'hooks/lost',
    severity: 'degraded',
    message: 'vf_deliver at ens5 ingress was taken off',
    since: '2026-01-01T00:00:00.000Z',
  },
};

const quiet = { penalty: 0, suppressed_until: null };

const instance: InstanceStatus = {
  name: 'net0',
  model: 'transparent',
  netns: null,
  source: 'file',
  state: 'degraded',
  active: 'standby',
  override: 'standby',
  override_until: '2026-01-01T00:02:35.000Z',
  maintenance: null,
  epoch: 12,
  master: device('eth0', 2, 'virtio_net', 'virtio0'),
  primary: {
    ...device('ens5', 4, 'mlx5_core', '0000:01:10.0'),
    carrier: false,
    speed: 25_000,
    state: 'joined',
    health: 'no-carrier',
    link_failure_count: 3,
    detectors: [],
    damping: quiet,
    rtt_us: null,
    counters: {
      tx: { packets: 1_234_567, bytes: 1_500_000_000, drops: 0, rerouted: 12 },
      rx: { packets: 7, bytes: 700, drops: 0, suppressed: 1 },
    },
  },
  standby: {
    ...device('eth0', 2, 'virtio_net', 'virtio0'),
    state: 'joined',
    health: 'up',
    link_failure_count: 0,
    detectors: [],
    damping: quiet,
    rtt_us: null,
    counters: {
      tx: { packets: 3, bytes: 300, drops: 0, rerouted: 0 },
      rx: { packets: 4, bytes: 400, drops: 0, suppressed: 0 },
    },
  },
  tier0: { armed: ['carrier', 'deadline'], carrier_signal_missing: null },
  attach: 'tcx',
  reflector: null,
  switches: 3,
  last_switch: decision,
  refusals: [
    { device: 'ens7', error: new VfError('SLOT_TAKEN', 'primary is ens5', { fix: 'unplug one' }).toJSON() },
  ],
  would_switch: 'nothing to switch to: primary has no carrier',
  notes: [],
  impairments: [],
};

function device(name: string, ifindex: number, driver: string, bus: string) {
  return {
    ifindex,
    name,
    mac: '52:54:00:00:00:01',
    mtu: 1500,
    up: true,
    carrier: true,
    operstate: 'up',
    driver,
    bus,
  };
}

const status: DaemonStatus = {
  version: '0.1.0',
  pid: 42,
  uptime_ms: 90_061_000,
  config: parseConfig('', 'x'),
  instances: [instance],
  worker: {
    wait: 'epoll',
    poll_interval_us: 1000,
    shards: [{ id: 0, state: 'running', ticks: 5, wakeups: 5 }],
  },
  netlink: { overruns: 0, resyncs: 1, messages: 1234 },
};

const attached: InstanceConfig[] = [];
const switched: unknown[] = [];
const handlers: ApiHandlers = {
  status: ({ name }) => {
    if (name !== undefined && name !== 'net0') {
      throw new VfError('INSTANCE_NOT_FOUND', `there is no ${name}`, {
        field: 'name',
        value: name,
        fix: 'name net0',
      });
    }
    return status;
  },
  events: ({ since = 0 }) => (since < 7 ? [decision] : []),
  impairments: () => [impairment],
  switch: (params) => {
    switched.push(params);
    return { decision: params.to === 'standby' ? decision : null, status: instance };
  },
  maintenance: (params) => {
    switched.push(params);
    const { slave, on } = params;
    return {
      decision: slave === 'primary' && on ? { ...decision, cause: 'maintenance' } : null,
      status: { ...instance, maintenance: on ? slave : null, notes: on ? ['a note'] : [] },
    };
  },
  attach: (config) => {
    attached.push(config);
    return { ...instance, name: config.name };
  },
  detach: ({ name }) => ({ detached: name }),
};
const server = new ApiServer(handlers, { path: socket, group: null });

beforeAll(() => server.listen());
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('exit status and errors', () => {
  it.each([
    ['--help', 0],
    ['--version', 0],
    ['status --help', 0],
    ['', 2],
    ['config', 2],
    ['statsu', 2],
    ['status --jsn', 2],
    ['status a b', 2],
    ['switch net0', 2],
    ['switch net0 both', 2],
    ['switch net0 primary --for soon', 2],
    ['events --limit 0', 2],
    ['attach a', 2],
    ['demo --faults fire', 2],
    ['demo --devices brick', 2],
    ['status', 0],
    ['status net9', 1],
    ['status --socket /nonexistent/s', 1],
    ['--socket /nonexistent/s status', 1],
    ['run --config /nonexistent/c', 1],
    ['attach a --master eth0 --primary-mac zz', 1],
  ])('%j ends with %i', async (line, expected) => {
    const { status, out, err } = await run(line);
    expect(status, err).toBe(expected);
    expect(out === '', out).toBe(expected !== 0);
    expect(err === '', err).toBe(expected === 0);
  });

  it('suggests the nearest command and option', async () => {
    expect((await run('statsu')).err).toBe("USAGE: unknown command 'statsu'\n  fix: did you mean status?\n");
    expect((await run('events --limt 3')).err).toContain('did you mean --limit?');
  });

  it('prints errors as JSON on stdout with --json', async () => {
    const failed = await run('status net9 --json');
    expect(JSON.parse(failed.out)).toMatchObject({
      error: { code: 'INSTANCE_NOT_FOUND', field: 'name', fix: 'name net0' },
    });
    expect(failed.err).toBe('');
    expect(JSON.parse((await run('events --json --limt 3')).out)).toMatchObject({ error: { code: 'USAGE' } });
    expect((await run('demo --json out --falts x')).err).toContain('USAGE');
  });

  it('calls a defect INTERNAL', async () => {
    const load = async () => ({ runDoctor: () => Promise.reject(new TypeError('boom')) });
    const { status, err } = await run('doctor', { load });
    expect(status).toBe(1);
    expect(err).toMatch(/^INTERNAL: boom\n {2}fix: .*\nTypeError: boom\n/);
  });

  it('does not mind a reader that has gone', async () => {
    const stdout = new Sink();
    stdout.broken = true;
    expect((await run('status', { stdout })).status).toBe(0);
    const following = new Sink();
    const done = run('watch', { stdout: following });
    await until(
      () => following.text,
      (text) => text.includes('net0'),
    );
    following.broken = true;
    server.publish({ type: 'decision', instance: 'net0', decision });
    expect((await done).status).toBe(0);
  });
});

describe('commands of the daemon', () => {
  it('status: JSON as the daemon gave it', async () => {
    expect(JSON.parse((await run('status --json')).out)).toEqual(status);
  });

  it('status: everything an operator asks for', async () => {
    const { out } = await run('status net0');
    for (const text of [
      'net0: degraded, standby carries traffic',
      'armed for carrier, deadline',
      'standby by hand',
      'carrier (tier 0), primary → standby in 41.3 µs: carrier of ens5 is off',
      'nothing to switch to: primary has no carrier',
      'no carrier',
      '25 Gb/s',
      '0000:01:10.0',
      '1,234,567',
      'refused ens7: SLOT_TAKEN: primary is ens5',
    ]) {
      expect(out).toContain(text);
    }
    expect(out).not.toContain('\x1b');
    expect(out).toMatch(/^ +\* standby /m);
    expect(out.split('\n').filter((line) => line !== line.trimEnd())).toEqual([]);
  });

  it('events: a table with µs from detection', async () => {
    const { out } = await run('events');
    const [head, row] = out.split('\n');
    expect(head).toMatch(/SEQ +TIME +INSTANCE +CAUSE +TIER +SWITCH +FLIPPED +FIRST OUT +FIRST IN +SIGNAL/);
    expect(row).toMatch(
      /7 .*net0 +carrier +0 +primary → standby +41\.3 µs +250 µs +- +carrier of ens5 is off/,
    );
    expect((await run('events --since 7')).out).toBe('no decision yet\n');
    expect(JSON.parse((await run('events --json')).out)).toEqual([decision]);
  });

  it('events: impairments among the decisions, in their order, and alone', async () => {
    const lines = (await run('events')).out.trimEnd().split('\n');
    expect(lines).toHaveLength(3);
    expect(lines[1]).toMatch(/^ +7 /);
    expect(lines[2]).toMatch(/^ +2026-01-01T00:00:00.000Z +net0 +degraded +vf_deliver .* taken off$/);
    expect((await run('events --impairments')).out).not.toContain(' 7 ');
    expect(JSON.parse((await run('events --impairments --json')).out)).toEqual([impairment]);
  });

  it('events --follow tells impairments as well', async () => {
    const stdout = new Sink();
    const stop = new AbortController();
    const done = run('events --follow', { stdout, signal: stop.signal });
    await until(
      () => stdout.text,
      (text) => text.includes('taken off'),
    );
    server.publish({ type: 'impairment', ...impairment });
    server.publish({ type: 'impairment', ...impairment, seq: 2, over: true });
    await until(
      () => stdout.text,
      (text) => text.includes('over: vf_deliver'),
    );
    stop.abort();
    expect((await done).status).toBe(0);
    expect(stdout.text.match(/taken off/g)).toHaveLength(2);
  });

  it('events --follow: past and future, each once', async () => {
    const stdout = new Sink();
    const stop = new AbortController();
    const done = run('events --follow --json', { stdout, signal: stop.signal });
    await until(() => stdout.text);
    server.publish({ type: 'decision', instance: 'net0', decision });
    server.publish({ type: 'decision', instance: 'net0', decision: { ...decision, seq: 8 } });
    await until(
      () => stdout.text,
      (text) => text.includes('"seq":8'),
    );
    stop.abort();
    expect((await done).status).toBe(0);
    const seqs = stdout.text
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as Decision).seq);
    expect(seqs).toEqual([7, 8]);
  });

  it('watch: state, then changes', async () => {
    const stdout = new Sink();
    const stop = new AbortController();
    const done = run('watch', { stdout, signal: stop.signal });
    await until(
      () => stdout.text,
      (text) => text.includes('net0: degraded'),
    );
    server.publish({
      type: 'status',
      instance: 'net0',
      status: { ...instance, state: 'ok', active: 'primary' },
    });
    server.publish({ type: 'detached', instance: 'net0' });
    await until(
      () => stdout.text,
      (text) => text.includes('detached  net0'),
    );
    expect(stdout.text).toContain('net0: ok, primary carries traffic');
    stop.abort();
    expect((await done).status).toBe(0);
  });

  it('switch', async () => {
    expect((await run('switch net0 standby --for 30s')).out).toMatch(
      /^net0: carrier \(tier 0\), primary → standby/,
    );
    expect(switched.at(-1)).toEqual({ name: 'net0', to: 'standby', for_ms: 30_000 });
    expect((await run('switch net0 auto')).out).toBe('net0: stays on standby; its policy decides\n');
  });

  it('maintenance', async () => {
    expect((await run('maintenance net0 primary on')).out).toMatch(
      /^net0: the primary is in maintenance; maintenance \(tier 0\), primary → standby.*\nnet0: a note\n$/,
    );
    expect(switched.at(-1)).toEqual({ name: 'net0', slave: 'primary', on: true });
    expect((await run('maintenance net0 standby off')).out).toBe(
      'net0: the standby is in service; its policy decides\n',
    );
    expect(switched.at(-1)).toEqual({ name: 'net0', slave: 'standby', on: false });
    expect((await run('maintenance net0 primary maybe')).status).toBe(2);
    expect((await run('maintenance net0 both on')).status).toBe(2);
  });

  it('attach by options', async () => {
    expect(
      (
        await run(
          'attach a --master 3 --primary-bus 0000:01:10.0 --prefer none --no-tier0 --hold-down-ms 9 --reselect better --up-delay-ms 7 --healthy-probes 3 --damping',
        )
      ).status,
    ).toBe(0);
    expect(attached.at(-1)).toMatchObject({
      name: 'a',
      master: 3,
      primary: { bus: '0000:01:10.0' },
      policy: {
        prefer: 'none',
        reselect: 'better',
        hold_down_ms: 9,
        healthy_probes: 3,
        up_delay_ms: 7,
        down_delay_ms: 0,
        damping: { half_life_ms: 5000 },
        tier0: false,
      },
    });
  });

  it('attach from a file', async () => {
    const file = join(folder, 'vf.yaml');
    writeFileSync(file, 'instances: [{ name: b, master: eth7, attach: tcx }]\n');
    expect((await run(['attach', 'b', '--config', file])).status).toBe(0);
    expect(attached.at(-1)).toMatchObject({ name: 'b', master: 'eth7', attach: 'tcx' });
    expect((await run(['attach', 'c', '--config', file])).err).toContain('INSTANCE_NOT_FOUND');
    expect((await run(['attach', 'b', '--config', file, '--master', 'x'])).status).toBe(2);
    expect((await run(['attach', 'b', '--json', '--config', file])).status).toBe(0);
  });

  it('detach', async () => {
    expect((await run('detach a')).out).toBe('a: detached\n');
  });
});

describe('commands of other rooms', () => {
  it('run gives the daemon its configuration; the socket option wins over the file', async () => {
    const file = join(folder, 'run.yaml');
    writeFileSync(file, 'socket: /from/file\ncapacity: 5\n');
    const runDaemon = vi.fn(async () => 3);
    const load = vi.fn(async () => ({ runDaemon }));
    expect((await run(['run', '-c', file, '--foreground'], { load, env: {} })).status).toBe(3);
    expect(load).toHaveBeenCalledWith('src/daemon/run.js');
    expect(runDaemon).toHaveBeenLastCalledWith(
      expect.objectContaining({ capacity: 5, socket: '/from/file' }),
      expect.any(Function),
    );
    await run(['run', '-c', file, '--socket', '/from/option'], { load });
    expect(runDaemon).toHaveBeenLastCalledWith(
      expect.objectContaining({ socket: '/from/option' }),
      expect.any(Function),
    );
    // What a reload reads: the file as it is then.
    writeFileSync(file, 'socket: /from/file\ncapacity: 6\n');
    const reread = (runDaemon.mock.lastCall as unknown as [unknown, () => unknown])[1];
    expect(reread()).toMatchObject({ capacity: 6, socket: '/from/option' });
  });

  it('demo, doctor and bench get their options', async () => {
    const stub = {
      runDemo: vi.fn(async () => 0),
      runDoctor: vi.fn(async () => 1),
      runBench: vi.fn(async () => 0),
    };
    const load = async () => stub;
    await run('demo --devices tap --faults carrier,unplug --rate 1000 --json o.json --quiet', { load });
    expect(stub.runDemo).toHaveBeenCalledWith({
      devices: 'tap',
      faults: ['carrier', 'unplug'],
      rate_pps: 1000,
      json: 'o.json',
      quiet: true,
    });
    expect((await run('doctor --json', { load })).status).toBe(1);
    expect(stub.runDoctor).toHaveBeenCalledWith({ json: true, fix: false });
    await run('bench steer --rounds 3 --json x', { load });
    expect(stub.runBench).toHaveBeenLastCalledWith(['steer', '--rounds', '3', '--json', 'x']);
    await run('bench -- --help', { load });
    expect(stub.runBench).toHaveBeenLastCalledWith(['--help']);
  });

  it('config check and schema', async () => {
    const file = join(folder, 'check.yaml');
    writeFileSync(file, 'capacity: 5\n');
    expect((await run(['config', 'check', file])).out).toBe(`${file}: correct, 0 instances\n`);
    expect(JSON.parse((await run(['config', 'check', file, '--json'])).out)).toMatchObject({ capacity: 5 });
    writeFileSync(file, 'capacity: 0\nx: 1\n');
    const wrong = await run(['config', 'check', file, '--json']);
    expect(wrong.status).toBe(1);
    expect((JSON.parse(wrong.out) as { error: { errors: unknown[] } }).error.errors).toHaveLength(2);
    expect((await run('config schema')).out).toBe(configJsonSchema());
    const output = join(folder, 'schema.json');
    await run(['config', 'schema', '--output', output]);
    expect(readFileSync(output, 'utf8')).toBe(configJsonSchema());
  });
});

describe('docs/cli.md', () => {
  const text = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const io = { stdout: new Sink(), stderr: new Sink(), env: {} };
  const all = (command: Command, path: string): [string, Command][] => [
    [path, command],
    ...command.commands.flatMap((child) => all(child, `${path} ${child.name()}`)),
  ];
  const tree = all(buildProgram(new CliContext(io)), 'vfailover');

  it.each(tree)('names %s with its options', (path, command) => {
    if (command.commands.length === 0) expect(text).toMatch(new RegExp(`^## ${path}(?: |$)`, 'm'));
    const [, section = text] = text.split(`\n## ${path}`);
    const here = command.commands.length === 0 ? (section.split('\n## ')[0] ?? '') : text;
    for (const option of command.options) {
      const shown = option.flags.replace(/^-\w, /, '');
      const name = option.long === '--json' && option.flags === '--json' ? '`--json`' : `\`${shown}\``;
      expect(here, `${path} ${name}`).toContain(name);
    }
    expect(command.description()).not.toBe('');
  });
});

describe('rendering', () => {
  it('colours a terminal only, and not with NO_COLOR', () => {
    const tty = Object.assign(new Sink(), { isTTY: true });
    expect(palette(tty, {}).red('x')).toBe('\x1b[31mx\x1b[0m');
    expect(palette(tty, { NO_COLOR: '1' }).red('x')).toBe('x');
    expect(palette(tty, { TERM: 'dumb' }).red('x')).toBe('x');
    expect(palette(new Sink(), {}).red('x')).toBe('x');
  });

  it('aligns alike with and without colours', () => {
    const now = Date.parse('2026-01-01T00:01:00Z');
    const tty = palette(Object.assign(new Sink(), { isTTY: true }), {});
    // biome-ignore lint/suspicious/noControlCharactersInRegex: our own colours
    const stripped = renderStatus(status, tty, now).replace(/\x1b\[\d+m/g, '');
    expect(stripped).toBe(renderStatus(status, palette(new Sink(), {}), now));
    expect(stripped).toContain('1 min ago');
    expect(stripped).toContain('for 1 min 35 s more');
  });

  it('lets no name of a device reach the terminal as an escape sequence', () => {
    expect(plain('eth\x1b[2J0')).toBe('eth?[2J0');
    const evil = {
      ...status,
      instances: [{ ...instance, primary: { ...instance.primary, name: '\x1b[2J' } }],
    };
    expect(renderStatus(evil, palette(new Sink(), {}), 0)).not.toContain('\x1b');
  });

  it('shows what detectors see, where there are any', () => {
    const none = palette(new Sink(), {});
    expect(renderStatus(status, none, 0)).not.toContain('DETECTOR');
    const seen = {
      name: 'unanswered' as const,
      state: 'down' as const,
      since: '2026-01-01T00:00:00.000Z',
      detail: '37 frames unanswered for 1020 µs',
      to_switch: 'tried again in 4000 ms',
    };
    const watched = { ...instance, primary: { ...instance.primary, detectors: [seen] } };
    const text = renderStatus({ ...status, instances: [watched] }, none, 0);
    expect(text).toMatch(/DETECTOR +STATE +SINCE +SEES +CHANGES WITH\n/);
    expect(text).toMatch(
      /primary +unanswered +down +2026-01-01T00:00:00.000Z +37 frames unanswered for 1020 µs +tried again in 4000 ms/,
    );
  });

  it('shows maintenance, suppression and what is amiss', () => {
    const end = new Date(8000).toISOString();
    const text = renderStatus(
      {
        ...status,
        instances: [
          {
            ...instance,
            maintenance: 'standby',
            notes: ['no slave is healthy'],
            primary: { ...instance.primary, damping: { penalty: 2345, suppressed_until: end } },
          },
        ],
      },
      palette(new Sink(), {}),
      0,
    );
    expect(text).toContain('standby is in maintenance');
    expect(text).toContain(`primary flaps: suppressed for 8 s more (until ${end}), penalty 2345`);
    expect(text).toContain('no slave is healthy');
  });

  it('shows a daemon without instances, and an instance without devices', () => {
    const none = palette(new Sink(), {});
    expect(renderStatus({ ...status, instances: [] }, none, 0)).toContain('no instances');
    const absent = {
      ...ABSENT_DEVICE,
      state: 'absent' as const,
      health: 'absent' as const,
      link_failure_count: 0,
      counters: instance.standby.counters,
      detectors: [],
      damping: quiet,
      rtt_us: null,
    };
    const empty = {
      ...instance,
      state: 'waiting' as const,
      master: ABSENT_DEVICE,
      primary: absent,
      standby: absent,
    };
    const text = renderStatus({ ...status, instances: [empty] }, none, 0);
    expect(text).toContain('net0: waiting, its master is absent');
    expect(text).toMatch(/^ +primary +- +absent$/m);
    expect(text).not.toContain('* ');
  });

  it('says nothing of traffic before the slaves were looked at, nor of a master that is down', () => {
    const none = palette(new Sink(), {});
    const one = (change: Partial<InstanceStatus>): string =>
      renderStatus({ ...status, instances: [{ ...instance, ...change }] }, none, 0);
    const starting = one({ state: 'starting' });
    expect(starting).toContain('net0: starting, its slaves were not looked at yet');
    const refused = one({ state: 'failed', master: { ...instance.master, ifindex: null, up: false } });
    expect(refused).toContain('net0: failed, it cannot be attached: the reason is below');
    const down = one({ state: 'failed', master: { ...instance.master, up: false } });
    expect(down).toContain('net0: failed, its master eth0 is down: nothing is sent or received');
    for (const text of [starting, down]) {
      expect(text).not.toContain('carries traffic');
      expect(text).not.toContain('* ');
    }
  });

  it('writes units', () => {
    expect(microseconds(41_300)).toBe('41.3 µs');
    expect(microseconds(1_250_000)).toBe('1250 µs');
    expect(span(1, null)).toBe('-');
    expect(duration(340)).toBe('340 ms');
    expect(duration(125_000)).toBe('2 min 5 s');
    expect(duration(3_600_000)).toBe('1 h');
    expect(count(1234567)).toBe('1,234,567');
    expect(bytes(512)).toBe('512 B');
    expect(bytes(1.5 * 2 ** 30)).toBe('1.50 GiB');
    expect(parseDuration('5min')).toBe(300_000);
    expect(parseDuration('1.5s')).toBe(1500);
    expect(parseDuration('-1s')).toBeUndefined();
  });
});
