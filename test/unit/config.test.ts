import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { walks } from '../../packages/bpf-loader-ts/test/walks.js';
import {
  configJsonSchema,
  loadConfig,
  parseConfig,
  parseInstance,
  VfErrors,
} from '../../src/config/index.js';
import { fieldName, nearest } from '../../src/config/problems.js';
import { VfError } from '../../src/errors.js';

const folder = mkdtempSync(join(tmpdir(), 'vf-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function problems(text: string): VfError[] {
  try {
    parseConfig(text, 'vf.yaml');
  } catch (error) {
    if (error instanceof VfErrors) return [...error.errors];
    if (error instanceof VfError) return [error];
    throw error;
  }
  return [];
}

function only(text: string): VfError {
  const found = problems(text);
  expect(found.map(String)).toHaveLength(1);
  return found[0]!;
}

const instance = (line: string): string => `instances:\n  - { name: net0, master: eth0, ${line} }\n`;

describe('defaults', () => {
  it('fills in an empty file', () => {
    expect(parseConfig('', 'x')).toEqual({
      socket: '/run/vfailover/vfailover.sock',
      socket_group: null,
      pin_root: '/sys/fs/bpf/vfailover',
      capacity: 64,
      log_level: 'info',
      worker: { count: 1, wait: 'epoll', poll_interval_us: 1000, cpu: null, history: 1024 },
      instances: [],
    });
  });

  it('fills in an instance', () => {
    expect(parseConfig('instances: [{ name: net0, master: 3 }]', 'x').instances).toEqual([
      {
        name: 'net0',
        model: 'transparent',
        netns: null,
        master: 3,
        check_roles: true,
        primary: {},
        policy: {
          prefer: 'primary',
          reselect: 'always',
          hold_down_ms: 500,
          healthy_probes: 0,
          up_delay_ms: 0,
          down_delay_ms: 0,
          latency: { margin_us: 50, margin_percent: 20 },
          tier0: true,
        },
        detect: { combine: 'any', carrier: 'alone' },
        groups: 'either',
        slave_addresses: 'remove',
        slave_vlans: [],
        attach: 'auto',
        announce: { count: 1, delay_ms: 100, rejoin: { count: 1, delay_ms: 200 } },
      },
    ]);
  });

  it.each([
    ['true', { count: 1, delay_ms: 200 }],
    ['false', { count: 0, delay_ms: 200 }],
    ['{}', { count: 1, delay_ms: 200 }],
    ['{ count: 3, delay_ms: 7 }', { count: 3, delay_ms: 7 }],
  ])('takes announce.rejoin: %s', (text, rejoin) => {
    const config = parseConfig(instance(`announce: { count: 5, rejoin: ${text} }`), 'x');
    expect(config.instances[0]?.announce).toEqual({ count: 5, delay_ms: 100, rejoin });
    // What comes out is taken in again: an instance travels through the API.
    expect(parseInstance(config.instances[0]).announce).toEqual(config.instances[0]?.announce);
  });

  it('fills in a detector that is named, and none that is not', () => {
    const [first] = parseConfig(instance('detect: { unanswered: {} }'), 'x').instances;
    expect(first?.detect).toEqual({
      combine: 'any',
      carrier: 'alone',
      unanswered: {
        slaves: ['primary', 'standby'],
        timeout_us: 10_000,
        min_frames: 10,
        udp: [53],
        retry_ms: 5000,
        retry_max_ms: 300_000,
      },
    });
  });

  it('fills in the damping that is asked for', () => {
    expect(parseConfig(instance('policy: { damping: {} }'), 'x').instances[0]?.policy.damping).toEqual({
      half_life_ms: 5000,
      suppress: 2000,
      reuse: 1000,
      max_suppress_ms: 20_000,
    });
  });

  it('keeps what is given, with MAC addresses in lower case', () => {
    const { instances } = parseConfig(
      instance('netns: blue, primary: { mac: 52:54:00:AB:CD:EF, bus: "0000:01:10.0" }'),
      'x',
    );
    expect(instances[0]?.primary).toEqual({ mac: '52:54:00:ab:cd:ef', bus: '0000:01:10.0' });
    expect(instances[0]?.netns).toBe('blue');
  });

  it('lets instances share a policy by an alias', () => {
    const config = parseConfig(
      'instances:\n  - { name: a, master: a, policy: &p { hold_down_ms: 7 } }\n  - { name: b, master: b, policy: *p }\n',
      'x',
    );
    expect(config.instances[1]?.policy.hold_down_ms).toBe(7);
  });
});

describe('wrong keys and values', () => {
  it('names an unknown key by its path and the nearest right one', () => {
    const error = only(instance('polcy: {}'));
    expect(error.toJSON()).toMatchObject({
      code: 'CONFIG_UNKNOWN_KEY',
      field: 'instances[0].polcy',
      fix: 'write instances[0].policy',
      message: '"polcy" is not a key (vf.yaml:2:33)',
    });
  });

  it('lists the keys where none is near', () => {
    expect(only('metrics: {}').fix).toMatch(/^remove it; the keys here are socket, socket_group/);
  });

  it.each([
    [
      'worker: { poll_interval_us: 49 }',
      'worker.poll_interval_us',
      49,
      /50 to 1000000 µs, or leave it out for 1000/,
    ],
    ['worker: { wait: sleep }', 'worker.wait', 'sleep', /epoll, poll, spin/],
    ['worker: { cpu: -1 }', 'worker.cpu', -1, /0 to 8191, or leave it out for null/],
    ['worker: 3', 'worker', 3, /mapping/],
    ['capacity: 4097', 'capacity', 4097, /1 to 4096/],
    ['capacity: 1.5', 'capacity', 1.5, /1 to 4096/],
    ['capacity: .nan', 'capacity', 'NaN', /1 to 4096/],
    ['socket: run/x', 'socket', 'run/x', /absolute path/],
    [`socket: /${'x'.repeat(90)}`, 'socket', `/${'x'.repeat(90)}`, /at most 90 bytes/],
    ['socket_group: []', 'socket_group', 'a list of 0', /name of a group, or a gid/],
    ['log_level: loud', 'log_level', 'loud', /trace, debug/],
    ['instances: {}', 'instances', 'a mapping', /list of instances/],
    ['instances: [null]', 'instances[0]', null, /mapping/],
    ['instances: [{ name: Net0, master: a }]', 'instances[0].name', 'Net0', /1 to 31 characters/],
    ['instances: [{ master: a }]', 'instances[0].name', undefined, /^add it: a name/],
    ['instances: [{ name: a, master: "a b" }]', 'instances[0].master', 'a b', /device name|ifindex/],
    ['instances: [{ name: a, master: 0 }]', 'instances[0].master', 0, /ifindex/],
    [instance('model: hidden'), 'instances[0].model', 'hidden', /use transparent/],
    [instance('model: magic'), 'instances[0].model', 'magic', /one of transparent/],
    [instance('netns: a/b'), 'instances[0].netns', 'a/b', /absolute path/],
    [instance('netns: ..'), 'instances[0].netns', '..', /absolute path/],
    [
      instance('primary: { mac: 01:00:5e:00:00:01 }'),
      'instances[0].primary.mac',
      '01:00:5e:00:00:01',
      /unicast/,
    ],
    [
      instance('primary: { mac: 00:00:00:00:00:00 }'),
      'instances[0].primary.mac',
      '00:00:00:00:00:00',
      /unicast/,
    ],
    [instance('primary: { name: null }'), 'instances[0].primary.name', null, /device name/],
    [
      instance('policy: { hold_down_ms: 3600001 }'),
      'instances[0].policy.hold_down_ms',
      3600001,
      /0 to 3600000 ms/,
    ],
    [
      instance('policy: { reselect: sometimes }'),
      'instances[0].policy.reselect',
      'sometimes',
      /one of always, better, failure, or leave it out for always/,
    ],
    [instance('policy: { healthy_probes: 1001 }'), 'instances[0].policy.healthy_probes', 1001, /0 to 1000/],
    [
      instance('policy: { latency: { margin_us: -1 } }'),
      'instances[0].policy.latency.margin_us',
      -1,
      /0 to 1000000 µs/,
    ],
    [
      instance('policy: { damping: { half_life_ms: 99 } }'),
      'instances[0].policy.damping.half_life_ms',
      99,
      /100 to 3600000 ms/,
    ],
    [
      instance('policy: { damping: { reuse: 2000 } }'),
      'instances[0].policy.damping.reuse',
      2000,
      /1 to 1999, below suppress/,
    ],
    [
      instance('policy: { damping: { max_suppress_ms: 4999 } }'),
      'instances[0].policy.damping.max_suppress_ms',
      4999,
      /5000 to 86400000 ms: so long does a penalty of suppress take/,
    ],
    [instance('policy: { tier0: 1 }'), 'instances[0].policy.tier0', 1, /true or false/],
    [instance('announce: { count: 256 }'), 'instances[0].announce.count', 256, /0 to 255/],
    [instance('announce: { rejoin: 2 }'), 'instances[0].announce.rejoin', 2, /true, false or a mapping/],
    [
      instance('announce: { rejoin: { count: 256 } }'),
      'instances[0].announce.rejoin.count',
      256,
      /0 to 255, or leave it out for 1/,
    ],
    [
      instance('announce: { rejoin: { delay_ms: -1 } }'),
      'instances[0].announce.rejoin.delay_ms',
      -1,
      /0 to 60000 ms, or leave it out for 200/,
    ],
    [instance('detect: { combine: most }'), 'instances[0].detect.combine', 'most', /one of any, all/],
    [instance('detect: { carrier: off }'), 'instances[0].detect.carrier', 'off', /one of alone, combined/],
    [
      instance('detect: { carrier: combined, unanswered: {} }'),
      'instances[0].detect.carrier',
      'combined',
      /set it to alone, for combined takes combine: all and a detector/,
    ],
    [
      instance('detect: { carrier: combined, combine: all }'),
      'instances[0].detect.carrier',
      'combined',
      /combine: all and a detector/,
    ],
    [
      instance('model: net-failover, detect: { carrier: combined, combine: all, unanswered: {} }'),
      'instances[0].detect.carrier',
      'combined',
      /set it to alone, for the kernel’s failover driver leaves a slave without carrier by itself/,
    ],
    [
      instance('detect: { unanswered: { timeout_us: 199 } }'),
      'instances[0].detect.unanswered.timeout_us',
      199,
      /200 to 10000000 µs, or leave it out for 10000/,
    ],
    [
      instance('detect: { unanswered: { timeout_us: 5000, ack_timeout_us: 4999 } }'),
      'instances[0].detect.unanswered.ack_timeout_us',
      4999,
      /timeout_us or more/,
    ],
    [
      instance('detect: { unanswered: { min_frames: 0 } }'),
      'instances[0].detect.unanswered.min_frames',
      0,
      /1 to 1000/,
    ],
    [
      instance('detect: { unanswered: { udp: [53, 0] } }'),
      'instances[0].detect.unanswered.udp[1]',
      0,
      /a port from 1 to 65535/,
    ],
    [
      instance('detect: { unanswered: { udp: dns } }'),
      'instances[0].detect.unanswered.udp',
      'dns',
      /true, false, or a list of at most 8 ports/,
    ],
    [
      instance('detect: { unanswered: { udp: [1, 2, 3, 4, 5, 6, 7, 8, 9] } }'),
      'instances[0].detect.unanswered.udp',
      'a list of 9',
      /at most 8 ports/,
    ],
    [
      instance('detect: { unanswered: { retry_ms: 9000, retry_max_ms: 8999 } }'),
      'instances[0].detect.unanswered.retry_max_ms',
      8999,
      /retry_ms or more/,
    ],
    [instance('attach: xdp'), 'instances[0].attach', 'xdp', /auto, tcx, clsact/],
    [
      'instances: [{ name: a, master: {} }]',
      'instances[0].master',
      'a mapping',
      /one of name, mac, bus and driver/,
    ],
    [
      'instances: [{ name: a, master: { mac: x } }]',
      'instances[0].master.mac',
      'x',
      /a unicast MAC address such as/,
    ],
    [
      'instances: [{ name: a, master: [eth0] }]',
      'instances[0].master',
      'a list of 1',
      /a device name .*, an ifindex .*, or a mapping/,
    ],
    [
      'instances: [{ name: a, master: { name: eth0 } }, { name: b, master: eth0 }]',
      'instances[1].master',
      'eth0',
      /one instance/,
    ],
    [
      'instances: [{ name: a, master: { driver: x, bus: y } }, { name: b, master: { bus: y, driver: x } }]',
      'instances[1].master',
      'a mapping',
      /one instance/,
    ],
    [instance('slave_vlans: [100, 4095]'), 'instances[0].slave_vlans[1]', 4095, /a VLAN id from 1 to 4094/],
    [instance('slave_vlans: 100'), 'instances[0].slave_vlans', 100, /a list of VLAN ids/],
    [instance('slave_vlans: [100, 100]'), 'instances[0].slave_vlans', 'a list of 2', /repeated/],
    [
      instance(`slave_vlans: [${Array.from({ length: 65 }, (_, i) => i + 1).join()}]`),
      'instances[0].slave_vlans',
      'a list of 65',
      /at most 64 VLAN ids/,
    ],
    [instance('check_roles: 1'), 'instances[0].check_roles', 1, /true or false/],
  ])('%s', (text, field, value, fix) => {
    const error = only(text);
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.field).toBe(field);
    expect(error.value).toBe(value);
    expect(error.fix).toMatch(fix);
    expect(error.message).toMatch(/\(vf\.yaml:\d+:\d+\)$/);
  });

  describe.each([
    ['unanswered', ''],
    ['witness', ''],
    ['probes', ', targets: [{ arp: 10.0.0.1 }]'],
    ['bfd', ', peer: 10.0.0.1, local: 10.0.0.2'],
  ])('slaves of %s', (detector, rest) => {
    it.each([
      ['[]', '', 'a list of 0', 'a list of primary, standby or both, each once'],
      ['primary', '', 'primary', 'a list of primary, standby or both, each once'],
      ['""', '', '', 'a list of primary, standby or both, each once'],
      ['[standby, standby]', '', 'a list of 2', 'a list of primary, standby or both, each once'],
      ['[vf]', '[0]', 'vf', 'one of primary, standby'],
    ])('%s', (slaves, at, value, what) => {
      const error = only(instance(`detect: { ${detector}: { slaves: ${slaves}${rest} } }`));
      expect([error.code, error.value, error.fix]).toEqual(['CONFIG_INVALID', value, `set it to ${what}`]);
      expect(error.field).toBe(`instances[0].detect.${detector}.slaves${at}`);
    });
  });

  it('says of the planned models that they are not available yet', () => {
    for (const model of ['hidden', 'uplink']) {
      expect(only(instance(`model: ${model}`)).message).toContain('not available yet');
    }
  });

  it('refuses names and masters used twice, also by another spelling of the namespace', () => {
    const found = problems(
      'instances:\n' +
        '  - { name: a, master: eth0 }\n' +
        '  - { name: a, master: eth1 }\n' +
        '  - { name: b, master: eth0 }\n' +
        '  - { name: c, master: eth0, netns: blue }\n' +
        '  - { name: d, master: eth0, netns: /run/netns/blue }\n',
    );
    expect(found.map(({ field }) => field)).toEqual([
      'instances[1].name',
      'instances[2].master',
      'instances[4].master',
    ]);
  });

  it('refuses more instances than slots', () => {
    const error = only('capacity: 1\ninstances: [{ name: a, master: a }, { name: b, master: b }]');
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', field: 'capacity', value: 1 });
  });

  it('reports everything at once, a line each', () => {
    const text = 'wroker: {}\nworker: { cuont: 1, poll_interval_us: 1 }\ninstances: [{ name: A }]\n';
    const found = problems(text);
    expect(found.map(({ field }) => field).sort()).toEqual([
      'instances[0].master',
      'instances[0].name',
      'worker.cuont',
      'worker.poll_interval_us',
      'wroker',
    ]);
    try {
      parseConfig(text, 'vf.yaml');
    } catch (error) {
      expect(error).toBeInstanceOf(VfErrors);
      expect((error as VfErrors).cause).toBeInstanceOf(AggregateError);
      expect(String(error).split('\n')).toHaveLength(11);
      expect((error as VfErrors).toJSON().errors).toHaveLength(5);
    }
  });

  it('never repeats a huge value', () => {
    const error = only(`log_level: ${'x'.repeat(100_000)}`);
    expect(JSON.stringify(error).length).toBeLessThan(1000);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'treats %s as any unknown key',
    (key) => {
      expect(problems(`${key}: { polluted: true }`)[0]?.code).toBe('CONFIG_UNKNOWN_KEY');
      expect(problems(`worker: { ${key}: 1 }`)[0]?.field).toBe(`worker.${key}`);
      expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    },
  );
});

describe('YAML', () => {
  it.each([
    ['a bracket left open', 'worker: {\n', /vf\.yaml:\d+:\d+/],
    ['a key written twice', 'capacity: 1\ncapacity: 2\n', /vf\.yaml:2:1/],
    ['a tab as indentation', 'worker:\n\tcount: 1\n', /vf\.yaml:2:1/],
    ['two documents', 'capacity: 1\n---\ncapacity: 2\n', /vf\.yaml:2:1/],
    ['an unknown tag', 'capacity: !secret 1\n', /vf\.yaml:1:11/],
    ['an alias without its anchor', 'capacity: *x\n', /vf\.yaml/],
    ['deep brackets', '['.repeat(50_000), /nested more than 32/],
    ['deep lists', `${'- '.repeat(20_000)}a`, /nested more than 32/],
    ['deep braces', '{a: '.repeat(20_000), /nested more than 32/],
  ])('refuses %s', (_, text, where) => {
    const [first] = problems(text);
    expect(first?.code).toBe('CONFIG_UNREADABLE');
    expect(first?.message).toMatch(where);
    expect(first?.fix).toBeTruthy();
  });

  it('refuses an alias bomb quickly', () => {
    let text = 'a: &a [x, x, x, x, x, x, x, x, x]\n';
    for (let i = 0; i < 20; i++) {
      const [from, to] = [String.fromCharCode(97 + i), String.fromCharCode(98 + i)];
      text += `${to}: &${to} [${Array(9).fill(`*${from}`).join(', ')}]\n`;
    }
    const start = performance.now();
    expect(problems(text)[0]?.code).toBe('CONFIG_UNREADABLE');
    expect(performance.now() - start).toBeLessThan(5000);
  });

  it('survives any bytes', () => {
    const pieces = [
      'a',
      ':',
      ' ',
      '\n',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&x ',
      '*x',
      '!t ',
      '"',
      "'",
      '|',
      '>',
      '#',
      '? ',
      '\t',
      '%',
      '\0',
      'é',
      '1',
      'instances',
      'name',
      '---\n',
    ];
    const property = fc.property(
      fc.array(fc.constantFrom(...pieces), { maxLength: 40, size: 'max' }),
      (words) => {
        for (const error of problems(words.join(''))) expect(error.code).toMatch(/^CONFIG_/);
      },
    );
    fc.assert(property, walks(2000));
  });
});

describe('files', () => {
  it('reads a file', () => {
    const path = join(folder, 'ok.yaml');
    writeFileSync(path, 'capacity: 3\n');
    expect(loadConfig(path).capacity).toBe(3);
  });

  it.each([
    ['an absent file', () => join(folder, 'none.yaml'), /no such file/],
    ['a folder', () => folder, /is a directory/],
    [
      'bytes that are no UTF-8',
      () => {
        const path = join(folder, 'latin1.yaml');
        writeFileSync(path, Buffer.from([0x61, 0xff, 0xfe]));
        return path;
      },
      /not UTF-8/,
    ],
  ])('refuses %s', (_, path, message) => {
    expect(() => loadConfig(path())).toThrow(message);
  });
});

describe('parseInstance', () => {
  it('counts fields from the instance', () => {
    expect(() => parseInstance({ name: 'a', master: 'b', policy: { prefer: 'vf' } })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', field: 'policy.prefer', value: 'vf' }),
    );
    expect(() => parseInstance(null)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});

describe('helpers', () => {
  it('writes paths as the user does', () => {
    expect(fieldName(['instances', 0, 'policy'])).toBe('instances[0].policy');
    expect(fieldName(['a', 'b c'])).toBe('a["b c"]');
  });

  it('guesses near words only', () => {
    expect(nearest('polcy', ['policy', 'name'])).toBe('policy');
    expect(nearest('metrics', ['socket', 'worker'])).toBeUndefined();
    expect(nearest('x', [])).toBeUndefined();
  });
});

it('a misspelled key of a master that is a mapping is named, as anywhere else', () => {
  expect(only('instances: [{ name: a, master: { drivr: virtio_net } }]')).toMatchObject({
    code: 'CONFIG_UNKNOWN_KEY',
    field: 'instances[0].master.drivr',
    fix: 'write instances[0].master.driver',
  });
});

it('docs/config.schema.json is what the schema says', () => {
  const path = new URL('../../docs/config.schema.json', import.meta.url);
  const hint = 'regenerate it: vfailover config schema --output docs/config.schema.json';
  expect(readFileSync(path, 'utf8') === configJsonSchema(), hint).toBe(true);
});
