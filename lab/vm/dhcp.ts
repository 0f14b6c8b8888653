import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { PacketSocket } from 'bpf-loader-ts/sys';
import { parseIp } from '../../src/frames/address.js';
import { arpRequest } from '../../src/frames/arp.js';
import { parseMac } from '../../src/frames/mac.js';
import { tagged } from '../../src/frames/vlan.js';
import { Reaper } from '../netns/reaper.js';
import { debianTools } from './debian.js';
import { librariesOf, tool } from './tools.js';
import { GUEST_ADDRESS, GUEST_MAC, STATION_MAC } from './wire.js';
import type { TapWire } from './wire-taps.js';

const run = promisify(execFile);

/** The station's addresses, and the network that it advertises. */
export const STATION_LINK_LOCAL = 'fe80::1';
export const STATION_ADDRESS6 = 'fd99::1';
const LEASE = '10m';

/** What became of a few pings. */
export interface Pings {
  sent: number;
  answered: number;
}

/**
 * A router on a wire of taps, as a guest's network has one: dnsmasq gives leases and advertises an IPv6 network, and the station pings.
 * The device that asks first with the guest's MAC gets the guest's address, a second one gets another.
 */
export class Router {
  readonly #wire: TapWire;
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #reaper: Reaper;
  readonly #busybox: string;

  private constructor(wire: TapWire, child: ChildProcess, folder: string, busybox: string) {
    this.#wire = wire;
    this.#child = child;
    this.#folder = folder;
    this.#reaper = new Reaper(folder);
    this.#busybox = busybox;
  }

  static async start(wire: TapWire): Promise<Router> {
    const tools = await debianTools();
    const folder = mkdtempSync(join(tmpdir(), 'vfailover-dhcp-'));
    const inside = (...command: string[]): string[] => [...wire.spawnPrefix, ...command];
    for (const address of [`${STATION_LINK_LOCAL}/64`, `${STATION_ADDRESS6}/64`]) {
      const [program, ...args] = inside('ip', 'addr', 'add', address, 'dev', 'wire', 'nodad');
      await run(program!, args);
    }
    const child = spawn(
      'setpriv',
      [
        ...['--pdeathsig', 'KILL', ...inside(join(tools, 'usr/sbin/dnsmasq'))],
        ...['--keep-in-foreground', '--conf-file=/dev/null', '--port=0', '--user=root', '--group=root'],
        ...['--interface=wire', '--bind-interfaces', '--log-dhcp', `--log-facility=${join(folder, 'log')}`],
        ...[`--pid-file=${join(folder, 'pid')}`, `--dhcp-leasefile=${join(folder, 'leases')}`],
        ...[`--dhcp-range=10.99.0.100,10.99.0.199,${LEASE}`, '--dhcp-authoritative'],
        ...[`--dhcp-host=${GUEST_MAC},${GUEST_ADDRESS},${LEASE}`],
        ...['--enable-ra', '--dhcp-range=fd99::,ra-only,64,10m'],
      ],
      { env: { ...process.env, LD_LIBRARY_PATH: librariesOf(tools) }, stdio: 'ignore' },
    );
    const router = new Router(wire, child, folder, await tool('busybox'));
    const failed = new Promise<string>((done) => child.once('exit', (code) => done(`status ${code}`)));
    const early = await Promise.race([failed, sleep(300, undefined)]);
    if (early !== undefined) {
      const log = router.log;
      await router.close();
      throw new Error(`dnsmasq ended with ${early}: ${log}`);
    }
    return router;
  }

  #file(name: string): string {
    try {
      return readFileSync(join(this.#folder, name), 'utf8');
    } catch {
      return '';
    }
  }

  /** What dnsmasq said. */
  get log(): string {
    return this.#file('log');
  }

  /** IPv4 leases at the moment: address and client id of each. */
  get leases(): { mac: string; address: string; client: string }[] {
    return this.#file('leases')
      .split('\n')
      .map((line) => line.split(' '))
      .filter(([, mac]) => mac?.includes(':'))
      .map(([, mac, address, , client]) => ({ mac: mac!, address: address!, client: client! }));
  }

  /** Runs a program in the wire's namespace; its output, whatever its status. */
  async inside(...command: string[]): Promise<string> {
    const [program, ...args] = [...this.#wire.spawnPrefix, ...command];
    return run(program!, args).then(
      ({ stdout }) => stdout,
      (e: { stdout?: string }) => e.stdout ?? '',
    );
  }

  /** Asks for an address of the guest that nobody remembers: neighbour entries are forgotten before each question. */
  async askAnew(address: string, questions = 5): Promise<Pings> {
    let answered = 0;
    const family = address.includes(':') ? '-6' : '-4';
    for (let i = 0; i < questions; i++) {
      await this.inside('ip', family, 'neigh', 'del', address, 'dev', 'wire');
      const { answered: a } = await this.ping(address, { count: 1 });
      answered += a;
    }
    return { sent: questions, answered };
  }

  /** Asks by ARP in a VLAN, with frames of its own: this machine's kernel may have no VLAN devices. */
  async askInVlan(id: number, address: string, questions = 5): Promise<Pings> {
    const target = parseIp(address).bytes;
    const source = Uint8Array.from([...target.subarray(0, 3), 1]);
    const asked = tagged(arpRequest({ mac: parseMac(STATION_MAC), source, target }), id);
    using socket = new PacketSocket({ netns: this.#wire.netns, ifindex: this.#wire.station });
    let answered = 0;
    for (let i = 0; i < questions; i++) {
      socket.send(asked);
      if (await answers(socket, target)) answered++;
    }
    return { sent: questions, answered };
  }

  /** Pings from the station; each waits three seconds for its answer. */
  async ping(address: string, o: { count: number }): Promise<Pings> {
    const text = await this.inside(this.#busybox, 'ping', '-c', String(o.count), '-W', '3', '-A', address);
    return pingsOf(text);
  }

  /** Pings ten times a second while something is done, and for a second after that. */
  async pingWhile(address: string, act: () => Promise<unknown>): Promise<Pings> {
    const [program, ...args] = [...this.#wire.spawnPrefix, ...[this.#busybox, 'ping', '-i', '0.1', address]];
    const child = spawn(program!, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (part: string) => {
      text += part;
    });
    const ended = new Promise((done) => child.once('close', done));
    try {
      await act();
      await sleep(1_000);
    } finally {
      child.kill('SIGINT');
      await ended;
    }
    return pingsOf(text);
  }

  async close(): Promise<void> {
    const ended = new Promise((done) => this.#child.once('exit', done));
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill('SIGKILL');
      await ended;
    }
    await this.#reaper.reap();
  }
}

const ANSWER_MS = 3_000;

/** True if an ARP reply of that sender comes in time, whether the kernel left its tag in the frame or not. */
async function answers(socket: PacketSocket, sender: Uint8Array): Promise<boolean> {
  const bytes = new Uint8Array(2048);
  const until = performance.now() + ANSWER_MS;
  do {
    for (let length = socket.recv(bytes); length > 0; length = socket.recv(bytes)) {
      const at = bytes[12] === 0x81 ? 16 : 12;
      const isReply = bytes[at] === 0x08 && bytes[at + 1] === 0x06 && bytes[at + 9] === 2;
      if (isReply && Buffer.compare(bytes.subarray(at + 16, at + 20), sender) === 0) return true;
    }
    await sleep(5);
  } while (performance.now() < until);
  return false;
}

/** From busybox's last lines. */
function pingsOf(text: string): Pings {
  const m = /(\d+) packets transmitted, (\d+) packets received/.exec(text);
  if (!m) throw new Error(`ping says: ${text}`);
  return { sent: Number(m[1]), answered: Number(m[2]) };
}
