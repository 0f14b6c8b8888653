import { describe, expect, it } from 'vitest';
import { type BfdEndpoint, BfdFrame, NOT_BFD } from '../../src/detect/bfd/frame.js';
import * as P from '../../src/detect/bfd/packet.js';
import { BfdSession } from '../../src/detect/bfd/session.js';
import { BfdTable } from '../../src/detect/bfd/table.js';
import { parseIp } from '../../src/frames/address.js';

const mac = (n: number) => Uint8Array.of(2, 0, 0, 0, 0, n);
const ip = (text: string) => parseIp(text).bytes;
const end = (local: string, peer: string, vlan?: number): BfdEndpoint => ({
  localMac: mac(1),
  peerMac: mac(2),
  local: ip(local),
  peer: ip(peer),
  sourcePort: 50_000,
  vlan,
});
const turned = (e: BfdEndpoint): BfdEndpoint => ({ ...e, local: e.peer, peer: e.local });
const session = (discriminator: number) =>
  new BfdSession({ discriminator, desiredMinTxUs: 1e4, requiredMinRxUs: 1e4, detectMult: 3 }, Math.random);

const ENDS = [
  end('10.0.0.1', '10.0.0.2'),
  end('10.0.0.1', '10.0.0.3'),
  end('10.0.0.1', '10.0.0.2', 7),
  end('fd00::1', 'fd00::2'),
];

function rig() {
  const table = new BfdTable();
  const sessions = ENDS.map((_, i) => session(i + 1));
  ENDS.forEach((e, i) => {
    table.add({ session: sessions[i]!, end: e, port: 4 });
  });
  const say = (from: BfdEndpoint, yours: number, state = 1, port = 4, mend = (_: BfdFrame) => {}) => {
    const frame = new BfdFrame(turned(from), 24);
    P.encodeControl(frame.view, frame.payload, Uint32Array.of(state, 0, 0, 3, 24, 55, yours, 1e4, 1e4, 0));
    frame.seal();
    mend(frame);
    return P.DISCARD_NAMES[table.receive(frame.bytes, frame.view, frame.bytes.length, port, 1e9)];
  };
  const untouched = () =>
    sessions.every((s) => s.state === 1 && s.transitions === 0 && s.counts.every((n) => n === 0));
  return { table, sessions, say, untouched };
}

describe('table', () => {
  it.each(ENDS.map((e, i) => [i, e] as const))(
    'finds session %i by its addresses, and by its discriminator',
    (i, e) => {
      const { sessions, say } = rig();
      expect(say(e, 0)).toBe('accepted');
      expect(sessions.map((s) => s.state)).toEqual(ENDS.map((_, k) => (k === i ? 2 : 1)));
      expect(say(e, i + 1, 2)).toBe('accepted');
      expect(sessions[i]!.state).toBe(3);
    },
  );

  it('refuses and counts what belongs to no session, and no session is changed', () => {
    const { table, say, untouched } = rig();
    const expected = new Uint32Array(P.DISCARDS);
    const refused = (name: (typeof P.DISCARD_NAMES)[number], answer: string | undefined) => {
      expect(answer).toBe(name);
      expected[P.DISCARD_NAMES.indexOf(name)]!++;
      expect([...table.counts]).toEqual([...expected]);
    };
    refused('your-discriminator', say(ENDS[0]!, 99));
    refused('address', say(end('10.0.0.1', '10.0.0.9'), 0));
    refused('address', say(end('10.0.0.9', '10.0.0.2'), 0));
    refused('address', say(end('10.0.0.1', '10.0.0.2', 8), 0));
    refused('address', say(ENDS[3]!, 0, 1, 5));
    refused('address', say(ENDS[1]!, 1)); // another session's discriminator
    refused('address', say(ENDS[0]!, 1, 1, 5)); // the other path says nothing about this one
    refused('address', say(ENDS[2]!, 1)); // the wrong VLAN
    refused('state', say(ENDS[0]!, 0, 3));
    const at = (change: (f: BfdFrame) => void) => say(ENDS[3]!, 0, 1, 4, change);
    refused(
      'ttl',
      at((f) => f.view.setUint8(21, 64)),
    );
    refused(
      'frame',
      at((f) => f.view.setUint16(18, 2000)),
    );
    refused(
      'version',
      at((f) => f.view.setUint8(f.payload, 0)),
    );
    refused(
      'detect-mult',
      at((f) => f.view.setUint8(f.payload + 2, 0)),
    );
    expect(untouched()).toBe(true);
  });

  it('leaves alone what is not BFD, and echo packets', () => {
    const { table, untouched } = rig();
    const echo = new BfdFrame(ENDS[0]!, 24, P.BFD_ECHO_PORT);
    echo.seal();
    expect(table.receive(echo.bytes, echo.view, echo.bytes.length, 4, 1)).toBe(NOT_BFD);
    const arp = new Uint8Array(60);
    arp.set([8, 6], 12);
    expect(table.receive(arp, new DataView(arp.buffer), 60, 4, 1)).toBe(NOT_BFD);
    expect([untouched(), table.counts.every((n) => n === 0)]).toEqual([true, true]);
  });

  it('takes each discriminator, and each pair of addresses of a path and VLAN, once', () => {
    const { table } = rig();
    const add = (discriminator: number, e: BfdEndpoint, port = 4) =>
      table.add({ session: session(discriminator), end: e, port });
    expect(() => add(1, end('10.9.0.1', '10.9.0.2'))).toThrow(
      expect.objectContaining({ field: 'detect.bfd.discriminator' }),
    );
    expect(() => add(9, ENDS[0]!)).toThrow(expect.objectContaining({ field: 'detect.bfd.peer' }));
    add(9, ENDS[0]!, 5);
    expect(table.entries).toHaveLength(ENDS.length + 1);
  });

  it('forgets a session that was removed', () => {
    const { table, sessions, say } = rig();
    table.remove(sessions[0]!);
    table.remove(sessions[0]!);
    expect([say(ENDS[0]!, 0), say(ENDS[0]!, 1), say(ENDS[1]!, 0)]).toEqual([
      'address',
      'your-discriminator',
      'accepted',
    ]);
  });
});
