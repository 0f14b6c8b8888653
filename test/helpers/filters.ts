import { ControlSocket } from 'bpf-loader-ts/sys';
import { onTestFinished } from 'vitest';
import type { World } from '../../lab/netns/world.js';
import { FilterLists } from '../../src/netlink/index.js';
import { inGuest } from './daemon.js';

/** MACs of groups that nobody else here joins: 01:00:5e:40:XX:XX. */
export const groupsOf = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => {
    const n = i + from;
    return `01:00:5e:40:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 0xff).toString(16).padStart(2, '0')}`;
  });

/** What the devices of a world's guest let in, read and changed past the daemon. */
export class Filters {
  readonly #lists: FilterLists;
  readonly #control: ControlSocket;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.#lists = new FilterLists({ netns: world.guest });
    this.#control = new ControlSocket(world.guest);
    onTestFinished(() => {
      this.#lists.close();
      this.#control.close();
    });
  }

  #index(name: string): number {
    return this.#world.guestRtnl.link(name)!.ifindex;
  }

  groups(name: string): ReadonlySet<string> {
    this.#lists.read();
    return this.#lists.of(this.#index(name)).groups;
  }

  unicast(name: string): ReadonlySet<string> {
    this.#lists.read();
    return this.#lists.of(this.#index(name)).unicast;
  }

  /** `ip maddr add`, for many. Throws if one was refused. */
  join(name: string, groups: readonly string[]): void {
    this.#change(name, true, groups);
  }

  leave(name: string, groups: readonly string[]): void {
    this.#change(name, false, groups);
  }

  #change(name: string, add: boolean, groups: readonly string[]): void {
    const errnos = this.#lists.changeGroups(this.#index(name), add, groups);
    const refused = errnos.find((n) => n !== 0);
    if (refused !== undefined) throw new Error(`groups of ${name}: errno ${refused}`);
  }

  /** IFF_* in force, whoever asked for them. */
  flags(name: string): { promisc: boolean; allmulti: boolean } {
    const { promiscuity = 0, allmulti = 0, userFlags = 0 } = this.#world.guestRtnl.link(name)!;
    return { promisc: promiscuity > 0, allmulti: allmulti > 0 || (userFlags & 0x200) !== 0 };
  }

  /** Another's entry in a unicast list. */
  fdb(verb: 'add' | 'del', name: string, mac: string): void {
    inGuest(this.#world, 'bridge', 'fdb', verb, mac, 'dev', name, 'self');
  }
}
