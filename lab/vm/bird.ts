import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fetched } from './cache.js';

const START_MS = 20_000;
const DIRS = ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu'];

export interface BirdOptions {
  /** fd of its network namespace. */
  netns: number;
  /** Lines of its `protocol bfd`. */
  bfd: string;
}

/** One row of `show bfd sessions`. */
export interface BirdSession {
  address: string;
  state: 'AdminDown' | 'Down' | 'Init' | 'Up';
  /** Seconds between its packets, and until it gives the session up. */
  intervalS: number;
  timeoutS: number;
}

/** BIRD with its BFD alone, from Debian's package (unpacked, not installed), in a network namespace. It ends with this process, however it ends. */
export class Bird {
  readonly #folder = mkdtempSync(join(tmpdir(), 'vfailover-bird-'));
  readonly #child: ChildProcess;
  #socket: Socket | undefined;
  #log = '';
  #said = '';
  #wake: () => void = () => {};

  private constructor(folder: string, { netns, bfd }: BirdOptions) {
    const at = (file: string): string => join(this.#folder, file);
    writeFileSync(
      at('bird.conf'),
      `router id 192.0.2.1;\nlog stderr all;\nprotocol device {}\nprotocol bfd {\n${bfd}\n}\n`,
    );
    const bird = [
      join(folder, 'usr/sbin/bird'),
      '-f',
      '-c',
      at('bird.conf'),
      '-s',
      at('ctl'),
      '-P',
      at('pid'),
    ];
    this.#child = spawn(
      'nsenter',
      [`--net=/proc/${process.pid}/fd/${netns}`, 'setpriv', '--pdeathsig', 'KILL', ...bird],
      {
        env: { ...process.env, LD_LIBRARY_PATH: DIRS.map((d) => join(folder, d)).join(':') },
        stdio: ['ignore', 'ignore', 'pipe'],
      },
    );
    this.#child.stderr!.on('data', (d: Buffer) => {
      this.#log = (this.#log + d.toString()).slice(-2000);
    });
  }

  /** Throws what it said when it does not come up. */
  static async start(options: BirdOptions): Promise<Bird> {
    const bird = new Bird(await fetched('bird', 'bookworm', 'bird2+deps'), options);
    try {
      await bird.#connect();
    } catch (e) {
      await bird.close();
      throw e;
    }
    return bird;
  }

  async #connect(): Promise<void> {
    const path = join(this.#folder, 'ctl');
    // Between its bind() and its listen() the socket refuses.
    for (let ms = 0; this.#socket === undefined; ms += 20) {
      if (this.#child.exitCode !== null || ms > START_MS)
        throw new Error(`bird does not run: ${this.#log || 'it said nothing'}`);
      const socket = connect(path);
      const connected = await new Promise<boolean>((done) => {
        socket.once('connect', () => done(true));
        socket.once('error', () => done(false));
      });
      if (connected) this.#socket = socket;
      else await sleep(20);
    }
    this.#socket.on('data', (d) => {
      this.#said += d.toString();
      this.#wake();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#wake());
    await this.#answer();
  }

  /** Up to a line whose number is followed by a space: the last one of an answer. */
  async #answer(): Promise<string> {
    for (;;) {
      const end = /^\d{4} .*\n/m.exec(this.#said);
      if (end !== null) {
        const text = this.#said.slice(0, end.index + end[0].length);
        this.#said = this.#said.slice(text.length);
        if (/^[89]\d{3} /m.test(text)) throw new Error(`bird answers: ${text}`);
        return text;
      }
      if (this.#socket!.closed) throw new Error(`bird ended: ${this.#log}`);
      await new Promise<void>((done) => {
        this.#wake = done;
      });
    }
  }

  async ask(line: string): Promise<string> {
    this.#socket!.write(`${line}\n`);
    return this.#answer();
  }

  /** What it has of the session with that address. */
  async of(address: string): Promise<BirdSession> {
    const text = await this.ask('show bfd sessions');
    // IP address, interface, state, since, interval, timeout
    for (const line of text.split('\n')) {
      const row = line
        .replace(/^[\d-]{5}/, '')
        .trim()
        .split(/\s+/);
      if (row[0] !== address) continue;
      return {
        address,
        state: row[2] as BirdSession['state'],
        intervalS: Number(row.at(-2)),
        timeoutS: Number(row.at(-1)),
      };
    }
    throw new Error(`bird has no session with ${address}: ${text}`);
  }

  async close(): Promise<void> {
    this.#socket?.destroy();
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((done) => this.#child.once('exit', done));
      this.#child.kill('SIGKILL');
      await ended;
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
