import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecResult } from './shell.js';

interface Job {
  out: Buffer[];
  err: Buffer[];
  resolve: (result: { code: number; stdout: Buffer; stderr: Buffer }) => void;
  reject: (error: Error) => void;
}

/** Bytes of one message: what the guest's agent takes at most is 1 MiB. */
const CHUNK = 256 << 10;
const SIGNALS = { INT: 2, KILL: 9, TERM: 15, CONT: 18, STOP: 19 } as const;

/** The host's end of the line to the agent in a guest (lab/vm/guest/agent.c has the protocol). */
export class AgentLine {
  readonly #socket: Socket;
  readonly #jobs = new Map<number, Job>();
  #rest: Buffer = Buffer.alloc(0);
  /** Numbers that no earlier line to the same guest gave: what that one started may still run, after a migration. */
  #next = 1 + Math.floor(Math.random() * 0x7fff0000);
  #gone: Error | undefined;
  #onHello: (release: string) => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#take(chunk));
    socket.on('error', () => {});
    socket.on('close', () => this.fail(new Error('the line to the agent was closed')));
  }

  /** Connects as soon as QEMU has made the socket. */
  static async connect(path: string, timeoutMs: number): Promise<AgentLine> {
    const until = performance.now() + timeoutMs;
    for (;;) {
      const socket = connect(path);
      const error = await new Promise<Error | undefined>((done) => {
        socket.once('connect', () => done(undefined));
        socket.once('error', done);
      });
      if (!error) return new AgentLine(socket);
      if (performance.now() > until) throw error;
      await sleep(20);
    }
  }

  /** Resolves with the kernel's release when the agent speaks; `ask` for one that has spoken already (a restored guest). */
  hello(ask: boolean): Promise<string> {
    return new Promise((resolve) => {
      this.#onHello = resolve;
      if (ask) this.#send('ping', 0);
    });
  }

  /** Runs a script; what it prints is collected. */
  exec(
    script: string,
    stdin?: Uint8Array | string,
  ): { id: number; done: Promise<{ code: number; stdout: Buffer; stderr: Buffer }> } {
    const id = this.#next++;
    const done = new Promise<{ code: number; stdout: Buffer; stderr: Buffer }>((resolve, reject) => {
      if (this.#gone) reject(this.#gone);
      else this.#jobs.set(id, { out: [], err: [], resolve, reject });
    });
    done.catch(() => {});
    this.#send('exec', id, Buffer.from(script));
    if (stdin !== undefined) {
      const bytes = Buffer.from(stdin as Uint8Array);
      for (let at = 0; at < bytes.length; at += CHUNK) this.#send('in', id, bytes.subarray(at, at + CHUNK));
      this.#send('eof', id);
    }
    return { id, done };
  }

  kill(id: number, signal: keyof typeof SIGNALS): void {
    this.#send('kill', id, Buffer.from(String(SIGNALS[signal])));
  }

  /** Everything that waits fails with this. */
  fail(error: Error): void {
    this.#gone ??= error;
    for (const job of this.#jobs.values()) job.reject(this.#gone);
    this.#jobs.clear();
  }

  close(): void {
    this.#socket.destroy();
  }

  #send(verb: string, id: number, data: Uint8Array = new Uint8Array()): void {
    this.#socket.write(`${verb} ${id} ${data.length}\n`);
    if (data.length > 0) this.#socket.write(data);
  }

  #take(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const line = this.#rest.indexOf(10);
      if (line < 0) return;
      const m = /^(hello|out|err|end) (\d+) (\d+)$/.exec(this.#rest.toString('latin1', 0, line));
      if (!m) {
        // The tail of a message whose head went to an earlier connection (a guest that was saved while it spoke).
        this.#rest = this.#rest.subarray(line + 1);
        continue;
      }
      const end = line + 1 + Number(m[3]);
      if (this.#rest.length < end) return;
      this.#message(m[1]!, Number(m[2]), Buffer.from(this.#rest.subarray(line + 1, end)));
      this.#rest = this.#rest.subarray(end);
    }
  }

  #message(verb: string, id: number, data: Buffer): void {
    if (verb === 'hello') this.#onHello(data.toString());
    const job = this.#jobs.get(id);
    if (!job) return;
    if (verb === 'out') job.out.push(data);
    else if (verb === 'err') job.err.push(data);
    else {
      this.#jobs.delete(id);
      job.resolve({
        code: Number(data.toString()),
        stdout: Buffer.concat(job.out),
        stderr: Buffer.concat(job.err),
      });
    }
  }
}

export const textOf = (r: { code: number; stdout: Buffer; stderr: Buffer }): ExecResult => ({
  code: r.code,
  stdout: r.stdout.toString(),
  stderr: r.stderr.toString(),
});
