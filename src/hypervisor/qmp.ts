import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { VfError } from '../errors.js';

/** What QEMU says of its own accord (QMP specification, 2.5). */
export interface QmpEvent {
  event: string;
  data: Record<string, unknown>;
  /** Wall clock of QEMU's host, µs. */
  timestampUs: number;
}

interface Pending {
  command: string;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** Longest line that is taken from QEMU, bytes: `query-qmp-schema` answers with some 200 KiB. */
const LINE_MAX = 16 << 20;

/**
 * A connection to a QEMU Machine Protocol socket: commands by number, so any may be under way at once, and events. When the socket closes,
 * everything that waits fails with QMP_CLOSED; nothing hangs.
 */
export class Qmp {
  readonly path: string;
  readonly #socket: Socket;
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Set<(event: QmpEvent) => void>();
  #next = 1;
  /** Pieces of a line whose end has not come, and their length. */
  #parts: string[] = [];
  #waiting = 0;
  #closed: VfError | undefined;
  #greeted: (() => void) | undefined;
  /** Settles when the connection is gone. */
  readonly closed: Promise<void>;

  private constructor(path: string, socket: Socket) {
    this.path = path;
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => this.#take(chunk));
    socket.on('error', (e) => this.#fail(`failed: ${e.message}`));
    this.closed = new Promise((done) => {
      socket.on('close', () => {
        this.#fail('was closed');
        done();
      });
    });
  }

  /** Connects, waiting up to `timeoutMs` for the socket to appear and QEMU to greet. */
  static async connect(path: string, timeoutMs = 5_000): Promise<Qmp> {
    const until = performance.now() + timeoutMs;
    const left = (): number => Math.max(1, Math.ceil(until - performance.now()));
    for (;;) {
      const socket = connect(path);
      const signal = AbortSignal.timeout(left());
      try {
        await once(socket, 'connect', { signal });
      } catch (e) {
        socket.destroy();
        if (performance.now() < until) {
          await sleep(20);
          continue;
        }
        throw new VfError('QMP_CLOSED', `no QEMU answers on ${path}: ${(e as Error).message}`, {
          field: 'qmp',
          value: path,
          fix: 'start QEMU with `-qmp unix:PATH,server=on,wait=off`, and see that its folder may be read',
          cause: e,
        });
      }
      const qmp = new Qmp(path, socket);
      try {
        await qmp.#handshake(left());
        return qmp;
      } catch (e) {
        qmp.close();
        throw e;
      }
    }
  }

  async #handshake(timeoutMs: number): Promise<void> {
    const greeted = new Promise<boolean>((done) => {
      this.#greeted = () => done(true);
    });
    if (!(await Promise.race([greeted, this.closed.then(() => false), sleep(timeoutMs, false)])))
      throw (
        this.#closed ??
        new VfError('QMP_CLOSED', `${this.path} does not greet within ${Math.round(timeoutMs)} ms`, {
          field: 'qmp',
          value: this.path,
          fix: 'QEMU serves one client at a socket: end the other, or give this one a socket of its own',
        })
      );
    await this.command('qmp_capabilities');
  }

  /**
   * Executes a command. Throws QMP_FAILED with QEMU's class and words when it refuses, and when it does not answer within
   * `timeoutMs`; QMP_CLOSED when the connection is gone.
   */
  command<T = unknown>(command: string, args?: Record<string, unknown>, timeoutMs = 10_000): Promise<T> {
    if (this.#closed) return Promise.reject(this.#closed);
    const id = this.#next++;
    return new Promise<T>((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(
          new VfError('QMP_FAILED', `${command}: no answer within ${timeoutMs} ms`, {
            field: 'command',
            value: command,
          }),
        );
      }, timeoutMs);
      this.#pending.set(id, {
        command,
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value as T);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#socket.write(`${JSON.stringify({ execute: command, ...(args && { arguments: args }), id })}\n`);
    });
  }

  /** Calls `listener` with every event from now on; the function returned ends that. */
  onEvent(listener: (event: QmpEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** The next event of that name for which `match` holds. To be called before what causes it. */
  waitFor(
    event: string,
    match: (data: QmpEvent['data']) => boolean = () => true,
    timeoutMs = 10_000,
  ): Promise<QmpEvent> {
    return new Promise((resolve, reject) => {
      const end = (act: () => void): void => {
        clearTimeout(timer);
        off();
        act();
      };
      const timer = setTimeout(
        () =>
          end(() =>
            reject(
              new VfError('QMP_FAILED', `no ${event} within ${timeoutMs} ms`, {
                field: 'event',
                value: event,
              }),
            ),
          ),
        timeoutMs,
      );
      const off = this.onEvent((e) => {
        if (e.event === event && match(e.data)) end(() => resolve(e));
      });
      this.closed.then(() => end(() => reject(this.#closed!)));
    });
  }

  close(): void {
    this.#socket.destroy();
    this.#fail('was closed');
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #take(chunk: string): void {
    let at = 0;
    // Only what is new is searched: a long line comes in thousands of pieces.
    for (let end = chunk.indexOf('\n'); end >= 0; end = chunk.indexOf('\n', at)) {
      const line = (this.#parts.join('') + chunk.slice(at, end)).trim();
      this.#parts = [];
      this.#waiting = 0;
      at = end + 1;
      if (line !== '') this.#line(line);
    }
    if (at === chunk.length) return;
    this.#parts.push(chunk.slice(at));
    this.#waiting += chunk.length - at;
    if (this.#waiting > LINE_MAX) this.#broken(`sent a line of more than ${LINE_MAX} bytes`);
  }

  #line(line: string): void {
    let message: unknown;
    try {
      message = JSON.parse(line);
    } catch {
      message = undefined;
    }
    if (typeof message !== 'object' || message === null || Array.isArray(message)) {
      this.#broken(`sent what is no JSON object: ${line.slice(0, 80)}`);
      return;
    }
    const m = message as Record<string, unknown>;
    if ('QMP' in m) this.#greeted?.();
    else if (typeof m.event === 'string') this.#event(m);
    else this.#answer(m);
  }

  #answer(m: Record<string, unknown>): void {
    const pending = this.#pending.get(m.id as number);
    if (!pending) return; // of a command that was given up
    this.#pending.delete(m.id as number);
    const error = m.error as { class?: unknown; desc?: unknown } | undefined;
    if (error === undefined) {
      pending.resolve(m.return);
      return;
    }
    const words = `${pending.command}: ${error?.desc ?? 'refused'} (${error?.class ?? 'no class'})`;
    pending.reject(new VfError('QMP_FAILED', words, { field: 'command', value: pending.command }));
  }

  #event(m: Record<string, unknown>): void {
    const t = m.timestamp as { seconds?: number; microseconds?: number } | undefined;
    const event: QmpEvent = {
      event: m.event as string,
      data: (typeof m.data === 'object' && m.data !== null ? m.data : {}) as QmpEvent['data'],
      timestampUs: (t?.seconds ?? 0) * 1e6 + (t?.microseconds ?? 0),
    };
    for (const listener of [...this.#listeners]) listener(event);
  }

  #broken(what: string): void {
    this.#fail(what);
    this.#socket.destroy();
  }

  #fail(what: string): void {
    this.#closed ??= new VfError('QMP_CLOSED', `the QMP connection ${this.path} ${what}`, {
      field: 'qmp',
      value: this.path,
      fix: 'see whether QEMU still runs, and what it wrote',
    });
    for (const p of this.#pending.values()) p.reject(this.#closed);
    this.#pending.clear();
  }
}
