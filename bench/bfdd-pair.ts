import { closeFd, netnsCreate } from 'bpf-loader-ts/sys';
import { Frr } from '../lab/vm/frr.js';
import { Rtnl } from '../src/netlink/index.js';
import type { BenchContext } from './context.js';
import { until } from './instance.js';

/** Two bfdd, each other's peers over a veth, with `n` sessions of `multiplier` × `ms`: what ours are compared with. */
export class BfddPair {
  readonly #ends = [netnsCreate(), netnsCreate()] as const;
  readonly #frr: Frr[] = [];

  static async start(ctx: BenchContext, n: number, ms: number, multiplier: number): Promise<BfddPair> {
    const pair = new BfddPair();
    try {
      await pair.#start(ctx, n, ms, multiplier);
      return pair;
    } catch (e) {
      await pair.close();
      throw e;
    }
  }

  async #start(ctx: BenchContext, n: number, ms: number, multiplier: number): Promise<void> {
    const [a, b] = this.#ends;
    const [here, there] = [new Rtnl({ netns: a }), new Rtnl({ netns: b })];
    here.createVeth({ name: 'e0', peer: { name: 'e0', netnsFd: b } });
    for (const [i, rtnl] of [here, there].entries()) {
      const { ifindex } = rtnl.link('e0')!;
      rtnl.setLink(ifindex, { up: true });
      for (let k = 0; k < n; k++) rtnl.addAddress(ifindex, `10.${65 + i}.0.${k}/8`);
      rtnl.close();
    }
    for (const netns of this.#ends) this.#frr.push(await Frr.start(netns));
    for (const [i, frr] of this.#frr.entries())
      for (let k = 0; k < n; k++)
        await frr.peer(
          `10.${66 - i}.0.${k} local-address 10.${65 + i}.0.${k} interface e0`,
          ...[`receive-interval ${ms}`, `transmit-interval ${ms}`],
          ...[`detect-multiplier ${multiplier}`, 'no shutdown'],
        );
    const up = async (): Promise<boolean> =>
      (await this.#frr[0]!.peers()).filter((p) => p.status === 'up').length > n / 2;
    await until(ctx, `${n} sessions of bfdd`, up, 50);
  }

  /** The two bfdd. */
  get pids(): number[] {
    return this.#frr.map((f) => f.pids[1]!);
  }

  /** Sessions that ended so far, at either end. */
  async falls(): Promise<number> {
    let falls = 0;
    for (const frr of this.#frr)
      for (const session of JSON.parse(await frr.ask('show bfd peers counters json')) as {
        'session-down': number;
      }[])
        falls += session['session-down'];
    return falls;
  }

  async close(): Promise<void> {
    for (const frr of this.#frr) await frr.close();
    for (const ns of this.#ends) closeFd(ns);
  }
}
