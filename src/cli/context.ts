import type { Writable } from 'node:stream';
import { ApiClient } from '../api/client.js';
import { DEFAULT_SOCKET } from '../config/index.js';
import { VfError } from '../errors.js';
import { type Palette, palette } from './render/colour.js';

/** What the command line touches of its process; tests give their own. */
export interface CliIo {
  stdout: Writable & { isTTY?: boolean; columns?: number };
  stderr: Writable & { isTTY?: boolean };
  env: NodeJS.ProcessEnv;
  /** Ends `watch` and `events --follow` as Ctrl-C would, with exit status 0. */
  signal?: AbortSignal;
  /** Loads a module of another room by its path relative to this repository: `src/daemon/run.js`. Tests give stubs. */
  load?: (module: string) => Promise<unknown>;
}

/** What every command gets: its streams, the global options, and the exit status it leaves. */
export class CliContext {
  readonly io: CliIo;
  readonly colour: Palette;
  /** Whether `--json` was given: results and errors go to stdout as JSON. */
  json = false;
  /** `--socket`, where given. */
  socketOption: string | undefined;
  exitStatus = 0;
  /** Aborted when the reader of stdout has gone (EPIPE), or by `io.signal`. */
  readonly #stop = new AbortController();

  constructor(io: CliIo) {
    this.io = io;
    this.colour = palette(io.stdout, io.env);
    io.signal?.addEventListener('abort', () => this.#stop.abort(), { once: true });
    if (io.signal?.aborted === true) this.#stop.abort();
  }

  get stop(): AbortSignal {
    return this.#stop.signal;
  }

  /** The reader has gone: nothing more is worth printing. */
  readerGone(): void {
    this.#stop.abort();
  }

  /** Where the daemon's socket was said to be: option, environment; undefined: nowhere. */
  get socketGiven(): string | undefined {
    return this.socketOption ?? (this.io.env.VFAILOVER_SOCKET || undefined);
  }

  get socket(): string {
    return this.socketGiven ?? DEFAULT_SOCKET;
  }

  print(text: string): void {
    if (this.io.stdout.writable) this.io.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
  }

  /** Prints a result as JSON, indented: for a person's eye as much as for jq. */
  printJson(value: unknown): void {
    this.print(JSON.stringify(value, null, 2));
  }

  /** Prints one JSON object on one line, for streams. */
  printJsonLine(value: unknown): void {
    this.print(JSON.stringify(value));
  }

  printError(error: VfError, json = this.json): void {
    if (json) this.printJson({ error: error.toJSON() });
    else this.io.stderr.write(`${error.toString()}\n`);
  }

  /** Runs `use` with a connection to the daemon and closes it after. */
  async withClient<T>(use: (client: ApiClient) => Promise<T>): Promise<T> {
    const client = await ApiClient.connect(this.socket);
    try {
      return await use(client);
    } finally {
      client.close();
    }
  }

  /**
   * Loads a module that does heavy or privileged work, only when its command runs: `status` must not pay for the BPF loader.
   *
   * @throws VfError INTERNAL when this build has no such module
   */
  async load<T>(module: string): Promise<T> {
    try {
      if (this.io.load !== undefined) return (await this.io.load(module)) as T;
      return (await import(new URL(`../../${module}`, import.meta.url).href)) as T;
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new VfError('INTERNAL', `this installation lacks ${module}: ${reason}`, {
        fix: 'install it anew',
        cause,
      });
    }
  }
}

/** A wrong command line: exit status 2. */
export function usage(message: string, fix: string): VfError {
  return new VfError('USAGE', message, { fix });
}
