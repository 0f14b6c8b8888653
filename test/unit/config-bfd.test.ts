import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { discriminatorOf, parseConfig, redacted } from '../../src/config/index.js';
import { VfError } from '../../src/errors.js';

const SECRET = 'a-very-secret-key-of-mine';
const BFD = { peer: '10.0.0.1', local: '10.0.0.2' };
const ASK = { ...BFD, mode: 's-bfd', peer_mac: '02:00:00:00:00:01', remote_discriminator: '10.0.0.1' };
const REFLECTOR = { discriminators: [1], addresses: ['10.0.0.2'] };
const parse = (more: object) =>
  parseConfig(stringify({ instances: [{ name: 'a', master: 'eth0', ...more }] }), 'x').instances[0]!;
const bfd = (more: object) => parse({ detect: { bfd: { ...BFD, ...more } } }).detect.bfd!;

function refusal(more: object): VfError {
  try {
    parse(more);
  } catch (e) {
    if (e instanceof VfError) return e;
    throw e;
  }
  throw new Error('it was accepted');
}

describe('detect.bfd', () => {
  it('is a session of a single hop, without authentication and echo, by default', () => {
    expect(bfd({})).toMatchObject({ mode: 'single-hop', ttl_min: 255 });
    expect(Object.keys(bfd({}))).not.toContain('auth');
    expect(bfd({ auth: { type: 'simple', key: 'k' } }).auth).toEqual({ type: 'simple', key_id: 1, key: 'k' });
  });

  it('takes a discriminator that no other session of the namespace has', () => {
    const of = (...instances: [netns: string | null, discriminator: number | string][]) =>
      parseConfig(
        stringify({
          instances: instances.map(([netns, discriminator], i) => ({
            ...{ name: `i${i}`, master: `eth${i}`, netns },
            detect: { bfd: { ...BFD, discriminator } },
          })),
        }),
        'x',
      );
    expect(of([null, 5], [null, '0.0.0.6'], ['blue', 5]).instances[0]!.detect.bfd!.discriminator).toBe(5);
    expect(() => of([null, 5], [null, '0.0.0.5'])).toThrow(/taken by instances\[0\]/);
  });

  it.each([
    ['auth.type', { auth: { type: 'md5', key: 'k' } }, /one of simple, keyed-md5/],
    ['auth.key_id', { auth: { type: 'simple', key_id: 256, key: 'k' } }, /from 0 to 255/],
    ['auth', { auth: { type: 'simple' } }, /either key or key_file/],
    ['auth', { auth: { type: 'simple', key: 'k', key_file: '/k' } }, /either key or key_file/],
    ['auth.key_file', { auth: { type: 'simple', key_file: 'k' } }, /absolute path/],
    ['auth.key', { auth: { type: 'keyed-md5', key: 'x'.repeat(17) } }, /1 to 16 bytes/],
    ['auth.key', { auth: { type: 'simple', key: '' } }, /1 to 16 bytes/],
    ['auth.key', { auth: { type: 'simple', key: 'ä'.repeat(9) } }, /1 to 16 bytes/],
    ['echo_tx_interval_us', { echo_tx_interval_us: 999 }, /from 1000 to 60000000/],
    ['echo_rx_interval_us', { echo_rx_interval_us: 60_000_001 }, /from 1000 to 60000000/],
    ['mode', { mode: 'multi-hop' }, /one of single-hop, s-bfd/],
    ['remote_discriminator', { remote_discriminator: 5 }, /mode s-bfd/],
    ['discriminator', { discriminator: 0 }, /number from 1/],
    ['ttl_min', { ttl_min: 254 }, /single hop/],
    ['remote_discriminator', { ...ASK, remote_discriminator: undefined }, /number from 1 to 4294967295/],
    ['remote_discriminator', { ...ASK, remote_discriminator: 0 }, /number from 1/],
    ['remote_discriminator', { ...ASK, remote_discriminator: '0.0.0.0' }, /number from 1/],
    ['auth', { ...ASK, auth: { type: 'simple', key: 'k' } }, /mode single-hop/],
    ['echo_tx_interval_us', { ...ASK, echo_tx_interval_us: 5000 }, /mode single-hop/],
    ['echo_rx_interval_us', { ...ASK, echo_rx_interval_us: 5000 }, /mode single-hop/],
    ['ttl_min', { ...ASK, ttl_min: 0 }, /from 1 to 255/],
    ['peer', { ...ASK, peer: '10.0.0.2' }, /other than our own/],
    ['peer', { ...ASK, peer: '255.255.255.255' }, /unicast/],
  ])('refuses %s of %o', (field, more, fix) => {
    const e = refusal({ detect: { bfd: { ...BFD, ...more } } });
    expect({ code: e.code, field: e.field }).toEqual({
      code: 'CONFIG_INVALID',
      field: `instances[0].detect.bfd.${field}`,
    });
    expect(e.fix).toMatch(fix);
  });

  it.each([
    { key: SECRET, type: 'keyed-md5' },
    { keys: SECRET, type: 'simple' },
    { type: 'simple', key: [SECRET] },
    { type: 'simple', key: { secret: SECRET } },
    { type: 'no', key: SECRET },
    { type: 'simple', key_file: '/k', password: SECRET },
    SECRET,
  ])('never repeats a secret: %#', (auth) => {
    const e = refusal({ detect: { bfd: { ...BFD, auth } } });
    expect(`${e} ${JSON.stringify(e)}`).not.toContain(SECRET);
  });

  it('is shown without the key, and with the name of its file', () => {
    const text = (auth: object) =>
      stringify({ instances: [{ name: 'a', master: 'e', detect: { bfd: { ...BFD, auth } } }] });
    const config = parseConfig(text({ type: 'simple', key: 'swordfish' }), 'x');
    expect(JSON.stringify(redacted(config))).not.toContain('swordfish');
    expect(config.instances[0]!.detect.bfd!.auth!.key).toBe('swordfish');
    const file = parseConfig(text({ type: 'simple', key_file: '/etc/k' }), 'x');
    expect(redacted(file)).toEqual(file);
  });
});

describe('reflector', () => {
  it('is off by default, and answers from the link alone', () => {
    expect(Object.keys(parse({}))).not.toContain('reflector');
    expect(parse({ reflector: REFLECTOR }).reflector).toEqual({
      ...REFLECTOR,
      ttl_min: 255,
      rx_interval_us: 1000,
      state: 'up',
    });
  });
  it.each([
    ['discriminators', { discriminators: [] }],
    ['discriminators', { discriminators: [1, 2, 3, 4, 5] }],
    ['discriminators[0]', { discriminators: [0] }],
    ['discriminators[0]', { discriminators: [4294967296] }],
    ['discriminators[0]', { discriminators: ['x'] }],
    ['addresses', { addresses: [] }],
    ['addresses[0]', { addresses: ['255.255.255.255'] }],
    ['addresses[0]', { addresses: ['224.0.0.1'] }],
    ['addresses[0]', { addresses: ['ff02::1'] }],
    ['addresses[0]', { addresses: ['127.0.0.1'] }],
    ['ttl_min', { ttl_min: 256 }],
    ['rx_interval_us', { rx_interval_us: 10 }],
    ['state', { state: 'down' }],
    ['vlan', { vlan: 4095 }],
  ])('refuses %s of %o', (field, more) => {
    const e = refusal({ reflector: { ...REFLECTOR, ...more } });
    expect({ code: e.code, field: e.field }).toEqual({
      code: 'CONFIG_INVALID',
      field: `instances[0].reflector.${field}`,
    });
  });
  it('has discriminators as numbers or addresses', () => {
    expect(['10.99.0.3', '255.255.255.255', 7].map(discriminatorOf)).toEqual([0x0a630003, 0xffffffff, 7]);
  });
});
