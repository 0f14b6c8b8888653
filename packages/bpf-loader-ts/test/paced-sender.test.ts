import { readdirSync, readFileSync } from 'node:fs';
import { monotonicNs, PacedSender, UdpSocket } from 'bpf-loader-ts/sys';
import { describe, expect, it, onTestFinished } from 'vitest';
import { elapse, until } from './wait.js';

function own<T extends Disposable>(resource: T): T {
  onTestFinished(() => resource[Symbol.dispose]());
  return resource;
}

describe('frames that leave again and again', () => {
  let ports = 0;
  const pair = (): {
    tx: UdpSocket;
    texts: (atLeast: number) => Promise<string[]>;
    waiting: () => number;
  } => {
    const port = 41_000 + (process.pid % 10_000) + ports++;
    const rx = own(new UdpSocket({ bindAddr: '127.0.0.1', bindPort: port }));
    const tx = own(new UdpSocket({ bindAddr: '127.0.0.1', connectAddr: '127.0.0.1', connectPort: port }));
    const bytes = new Uint8Array(64);
    const read = (into: string[]): void => {
      for (let n = rx.recv(bytes); n >= 0; n = rx.recv(bytes))
        into.push(Buffer.from(bytes.subarray(0, n)).toString());
    };
    return {
      tx,
      waiting: () => {
        const texts: string[] = [];
        read(texts);
        return texts.length;
      },
      async texts(atLeast) {
        const texts: string[] = [];
        return until(
          () => {
            read(texts);
            return texts;
          },
          (all) => all.length >= atLeast,
          10_000,
        );
      },
    };
  };
  const MS = 1e6;
  const often = { leastNs: MS, mostNs: MS };
  const hold = (ms: number): void => {
    const end = monotonicNs() + ms * MS;
    while (monotonicNs() < end);
  };

  it('while the thread that prepared them is busy, no more often than told', async () => {
    const { tx, waiting } = pair();
    const sender = own(new PacedSender());
    const since = monotonicNs();
    sender.set(3, { fd: tx.fd, frames: Buffer.from('x'), leastNs: 2 * MS, mostNs: 4 * MS });
    for (let n = 0; n < 20; n += waiting()) {
      // No turn of the event loop in between.
      hold(10);
      if (monotonicNs() - since > 20e9) expect.fail('nothing leaves');
    }
    const taken = sender.taken(3);
    expect(taken).toBeGreaterThanOrEqual(20);
    expect(taken).toBeLessThanOrEqual(1 + (monotonicNs() - since) / (2 * MS));
  });

  it('each of a list once and in turn, the last one again; what is appended goes on from there', async () => {
    const { tx, texts } = pair();
    const sender = own(new PacedSender());
    sender.set(0, { fd: tx.fd, frames: Buffer.from('a1a2a3'), length: 2, ...often });
    const first = await texts(6);
    expect(first.slice(0, 5)).toEqual(['a1', 'a2', 'a3', 'a3', 'a3']);
    expect(sender.append(0, Buffer.from('b1b2'))).toBeLessThanOrEqual(2);
    const then: string[] = [];
    while (then.length < 4) then.push(...(await texts(1)).filter((t) => t !== 'a3'));
    expect(then.slice(0, 4)).toEqual(['b1', 'b2', 'b2', 'b2']);
    expect([sender.append(0, Buffer.from('b')), sender.append(9, Buffer.from('b1'))]).toEqual([-22, -2]);
  });

  it('a frame that is replaced before it is due never leaves, nor one that is dropped', async () => {
    const { tx, texts } = pair();
    const sender = own(new PacedSender());
    const later = { leastNs: 600 * MS, mostNs: 600 * MS };
    const sentNs = monotonicNs();
    for (const text of ['old', 'new'])
      sender.set(1, { fd: tx.fd, frames: Buffer.from(text), ...later, sentNs });
    sender.set(2, { fd: tx.fd, frames: Buffer.from('dropped'), ...later, sentNs });
    sender.drop(2);
    sender.drop(77);
    expect(await texts(1)).toEqual(['new']);
    expect(monotonicNs() - sentNs).toBeGreaterThanOrEqual(600 * MS);
    // Sooner than it would have been: from the last one that left.
    sender.set(1, { fd: tx.fd, frames: Buffer.from('soon'), ...often });
    expect((await texts(2)).every((t) => t === 'soon')).toBe(true);
  });

  it('many keys, and one whose socket is none', async () => {
    const { tx, texts } = pair();
    const sender = own(new PacedSender());
    for (let key = 0; key < 100; key++)
      sender.set(key, { fd: key === 50 ? -1 : tx.fd, frames: Buffer.from(`key ${key}`), ...often });
    const seen = new Set<string>();
    for (let i = 0; i < 200 && seen.size < 99; i++) for (const t of await texts(1)) seen.add(t);
    expect(seen.size).toBe(99);
    expect(sender.taken(50)).toBe(0);
  });

  it('frames of many keys leave together, each within its span', async () => {
    const { tx } = pair();
    const sender = own(new PacedSender());
    const keys = 64;
    const span = { leastNs: 15 * MS, mostNs: 20 * MS };
    for (let key = 0; key < keys; key++) sender.set(key, { fd: tx.fd, frames: Buffer.from('x'), ...span });
    const task = readdirSync('/proc/self/task').find(
      (t) => readFileSync(`/proc/self/task/${t}/comm`, 'utf8') === 'pace\n',
    );
    const wakeUps = (): number =>
      Number(
        /^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/self/task/${task}/status`, 'utf8'))![1],
      );
    await elapse(50);
    const [since, before, sent] = [monotonicNs(), wakeUps(), sender.taken(0)];
    await elapse(1000);
    const ns = monotonicNs() - since;
    // Each by itself they were 64 to 85 in a span of 20 ms.
    expect(wakeUps() - before).toBeLessThanOrEqual((24 * ns) / span.mostNs);
    expect(sender.taken(0) - sent).toBeLessThanOrEqual(ns / span.leastNs + 1);
  });

  it('what cannot be is refused, and a closed one says so', () => {
    const { tx } = pair();
    const sender = own(new PacedSender());
    const good = { fd: tx.fd, frames: Buffer.from('xx'), ...often };
    for (const bad of [
      { ...good, frames: new Uint8Array(0) },
      { ...good, length: 3 },
      { ...good, leastNs: 999 },
      { ...good, leastNs: Number.NaN },
      { ...good, mostNs: 1 },
      { ...good, mostNs: Number.POSITIVE_INFINITY },
      { ...good, sentNs: -1 },
      { ...good, sentNs: Number.NaN },
    ])
      expect(() => sender.set(0, bad)).toThrow(/EINVAL/);
    expect(() => sender.set(65_536, good)).toThrow(/EINVAL/);
    expect(() => sender.set(-1, good)).toThrow(/key/);
    sender.set(0, good);
    sender.close();
    sender.close();
    expect(() => sender.set(0, good)).toThrow(/closed/);
  });
});
