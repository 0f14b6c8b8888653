import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetched } from './cache.js';

/** A session as `show bfd peers json` has it; of its keys those that tests read. */
export interface FrrPeer {
  peer: string;
  /** Discriminator of the other end. */
  'remote-id': number;
  status: 'up' | 'down' | 'init' | 'shutdown';
  diagnostic: string;
  'remote-diagnostic': string;
  'detect-multiplier': number;
  'receive-interval': number;
  'transmit-interval': number;
  'echo-receive-interval': number;
  'echo-transmit-interval': number;
  'remote-receive-interval': number;
  'remote-transmit-interval': number;
  'remote-echo-receive-interval': number;
  'remote-detect-multiplier': number;
}

const START_MS = 20_000;
const DIRS = ['usr/lib/x86_64-linux-gnu', 'usr/lib/x86_64-linux-gnu/frr', 'lib/x86_64-linux-gnu'];

/**
 * FRR's bfdd, and the zebra that tells it of interfaces, from Debian's package (unpacked, not installed), in a network namespace. Their
 * sockets and configuration lie in a folder of their own; the groups that they insist on exist in a mount namespace of theirs alone. They
 * end with this process, however it ends.
 */
export class Frr {
  readonly #folder = mkdtempSync(join(tmpdir(), 'vfailover-frr-'));
  readonly #children: ChildProcess[] = [];
  readonly #env: NodeJS.ProcessEnv;
  readonly #package: string;
  readonly #netns: number;
  #socket: Socket | undefined;
  #said = Buffer.alloc(0);
  #wake: () => void = () => {};

  private constructor(folder: string, netns: number) {
    this.#package = folder;
    this.#netns = netns;
    this.#env = { ...process.env, LD_LIBRARY_PATH: DIRS.map((d) => join(folder, d)).join(':') };
    const groups = readFileSync('/etc/group', 'utf8').replace(/^frr.*\n/gm, '');
    writeFileSync(join(this.#folder, 'group'), `${groups}frr:x:64000:\nfrrvty:x:64001:root\n`);
    for (const name of ['zebra', 'bfdd']) writeFileSync(join(this.#folder, `${name}.conf`), '');
  }

  /** Starts both in the namespace of that descriptor. Throws what a daemon said when it does not come up. */
  static async start(netns: number): Promise<Frr> {
    const frr = new Frr(await fetched('frr', 'bookworm', 'frr+deps'), netns);
    try {
      await frr.#daemon('zebra');
      await frr.#daemon('bfdd', '--bfdctl', join(frr.#folder, 'bfdctl'));
      await frr.#connect();
    } catch (e) {
      await frr.close();
      throw e;
    }
    return frr;
  }

  async #daemon(name: string, ...more: string[]): Promise<void> {
    const at = (file: string): string => join(this.#folder, file);
    const child = spawn(
      'nsenter',
      [
        `--net=/proc/${process.pid}/fd/${this.#netns}`,
        'unshare',
        '--mount',
        '/bin/sh',
        '-c',
        'mount --bind "$0" /etc/group && exec setpriv --pdeathsig KILL "$@"',
        at('group'),
        join(this.#package, 'usr/lib/frr', name),
        ...[
          '-f',
          at(`${name}.conf`),
          '-i',
          at(`${name}.pid`),
          '-z',
          at('zserv'),
          '--vty_socket',
          this.#folder,
        ],
        ...['-u', 'root', '-g', 'root', '-P', '0', '--log', 'stdout', '--log-level', 'warn'],
        ...more,
      ],
      { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let said = '';
    for (const s of [child.stdout, child.stderr])
      s.on('data', (d: Buffer) => {
        said = (said + d.toString()).slice(-2000);
      });
    this.#children.push(child);
    for (let ms = 0; !existsSync(at(`${name}.vty`)); ms += 20) {
      if (child.exitCode !== null || child.signalCode !== null || ms > START_MS)
        throw new Error(`${name} of ${this.#package} does not run: ${said || 'it said nothing'}`);
      await sleep(20);
    }
  }

  async #connect(): Promise<void> {
    // Between its bind() and its listen() the socket refuses.
    for (let ms = 0; this.#socket === undefined; ms += 20) {
      const socket = connect(join(this.#folder, 'bfdd.vty'));
      const failure = await new Promise<Error | undefined>((done) => {
        socket.once('connect', () => done(undefined));
        socket.once('error', done);
      });
      if (failure === undefined) this.#socket = socket;
      else if (ms > START_MS) throw failure;
      else await sleep(20);
    }
    this.#socket.on('data', (d) => {
      this.#said = Buffer.concat([this.#said, d]);
      this.#wake();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#wake());
    await this.ask('enable');
  }

  /** Process ids of the daemons. */
  get pids(): number[] {
    return this.#children.flatMap((c) => c.pid ?? []);
  }

  /** One line to its shell. Throws what it answers when it refuses. */
  async ask(line: string): Promise<string> {
    this.#socket!.write(`${line}\0`);
    // Text, three zeros, the status.
    for (;;) {
      const end = this.#said.indexOf('\0\0\0');
      if (end >= 0 && this.#said.length > end + 3) {
        const text = this.#said.subarray(0, end).toString();
        const status = this.#said[end + 3];
        this.#said = this.#said.subarray(end + 4);
        if (status !== 0) throw new Error(`bfdd answers "${line}" with ${status}: ${text}`);
        return text;
      }
      if (this.#socket!.closed) throw new Error(`bfdd ended at "${line}"`);
      await new Promise<void>((done) => {
        this.#wake = done;
      });
    }
  }

  /** Configures a session: `lines` within `peer …`. */
  async peer(peer: string, ...lines: string[]): Promise<void> {
    for (const line of ['configure terminal', 'bfd', `peer ${peer}`, ...lines, 'end']) await this.ask(line);
  }

  async peers(): Promise<FrrPeer[]> {
    return JSON.parse(await this.ask('show bfd peers json')) as FrrPeer[];
  }

  /** What it has of the session with that address. */
  async of(address: string): Promise<FrrPeer> {
    const found = (await this.peers()).find((p) => p.peer === address);
    if (!found) throw new Error(`bfdd has no session with ${address}`);
    return found;
  }

  async close(): Promise<void> {
    this.#socket?.destroy();
    for (const c of this.#children.reverse()) {
      if (c.exitCode !== null || c.signalCode !== null) continue;
      const ended = new Promise((done) => c.once('exit', done));
      c.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
