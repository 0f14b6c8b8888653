import type { Socket } from 'node:net';
import { VfError } from '../errors.js';
import { LineSplitter } from './lines.js';
import {
  type ApiReply,
  type ApiRequest,
  BadRequest,
  MAX_BACKLOG,
  MAX_LINE,
  parseRequest,
  type RequestId,
  type WatchParams,
} from './protocol.js';
import type { ApiEvent } from './types.js';

/** ms without a byte either way, after which a connection without subscriptions is closed. */
const IDLE_MS = 300_000;
/** Subscriptions that one connection may hold. */
const MAX_WATCHES = 16;

/** Services that a connection needs from its server. */
export interface ConnectionHost {
  /** Answers a checked request. Rejects with VfError for the caller, and with anything else for a defect. */
  handle(request: Exclude<ApiRequest, { method: 'watch' }>): Promise<unknown>;
  badRequest(): void;
  requested(): void;
  dropped(): void;
  defect(error: unknown): void;
  closed(connection: Connection): void;
}

interface Watch {
  id: RequestId;
  params: WatchParams;
}

/**
 * One client. Requests are answered one after the other. The connection reads no faster than it answers and than the client reads. It drops a
 * subscriber that lets events pile up, since a client must not use up the daemon's memory.
 */
export class Connection {
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #splitter = new LineSplitter(MAX_LINE);
  readonly #watches: Watch[] = [];
  #backlog = 0;
  /** Set while a chunk of requests is handled. */
  #busy: Promise<void> | undefined;

  constructor(socket: Socket, host: ConnectionHost) {
    this.#socket = socket;
    this.#host = host;
    socket.setTimeout(IDLE_MS, () => {
      // A connection may stay if a handler is busy, but not if the client does not read a reply.
      if (this.#watches.length === 0 && (this.#busy === undefined || socket.writableLength > 0))
        socket.destroy();
    });
    socket.on('data', (chunk: Buffer) => {
      socket.pause();
      this.#busy = this.#work(chunk).finally(() => {
        this.#busy = undefined;
        if (!socket.destroyed) socket.resume();
      });
    });
    // The client has gone, possibly with data under way. There is nobody to tell.
    socket.on('error', () => socket.destroy());
    socket.on('end', () => void this.#finish());
    socket.on('close', () => host.closed(this));
  }

  get watching(): boolean {
    return this.#watches.length > 0;
  }

  /** Sends an event to each subscription that wants it. `body` is the event as JSON, made once for all connections. */
  publish(event: ApiEvent, body: string): void {
    for (const { id, params } of this.#watches) {
      if (params.name !== undefined && params.name !== event.instance) continue;
      if (params.types !== undefined && !params.types.includes(event.type)) continue;
      const line = `{"id":${JSON.stringify(id)},"event":${body}}\n`;
      const bytes = Buffer.byteLength(line);
      if (this.#backlog + bytes > MAX_BACKLOG) {
        this.#watches.length = 0;
        this.#host.dropped();
        this.#socket.destroy();
        return;
      }
      this.#backlog += bytes;
      this.#socket.write(line, () => {
        this.#backlog -= bytes;
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }

  async #finish(): Promise<void> {
    await this.#busy;
    this.#socket.end();
  }

  async #work(chunk: Buffer): Promise<void> {
    for (const line of this.#splitter.push(chunk)) {
      if (this.#socket.destroyed) return;
      if (line === null) {
        this.#host.badRequest();
        const error = new VfError('API_BAD_REQUEST', `the line is longer than ${MAX_LINE} bytes`, {
          field: 'line',
          fix: 'end each request with a newline',
        });
        await this.#send({ id: null, error: error.toJSON() });
        // The rest of that line follows, so the start of the next request cannot be found.
        this.#socket.destroySoon();
        return;
      }
      if (line.trim() !== '') await this.#answer(line);
    }
  }

  async #answer(line: string): Promise<void> {
    let id: RequestId | null = null;
    try {
      const request = parseRequest(line);
      id = request.id;
      this.#host.requested();
      if (request.method === 'watch') return await this.#watch(request.id, request.params);
      await this.#send({ id, result: await this.#host.handle(request) });
    } catch (error) {
      await this.#send({
        id: error instanceof BadRequest ? error.id : id,
        error: this.#explain(error).toJSON(),
      });
    }
  }

  async #watch(id: RequestId, params: WatchParams): Promise<void> {
    if (this.#watches.length >= MAX_WATCHES) {
      throw new VfError('API_BAD_REQUEST', `a connection can hold ${MAX_WATCHES} subscriptions`, {
        field: 'method',
        value: 'watch',
        fix: 'open another connection',
      });
    }
    const sent = this.#send({ id, result: { watching: true } });
    this.#watches.push({ id, params });
    await sent;
  }

  #explain(error: unknown): VfError {
    if (error instanceof BadRequest) {
      this.#host.badRequest();
      return error.error;
    }
    if (error instanceof VfError) return error;
    this.#host.defect(error);
    const text = error instanceof Error ? error.message : String(error);
    return new VfError('INTERNAL', text, { fix: 'please report it, with the daemon’s log', cause: error });
  }

  /** Resolves when the kernel has the line. So a client that does not read stops its own requests only. */
  #send(reply: ApiReply): Promise<void> {
    if (this.#socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        this.#socket.off('close', done);
        resolve();
      };
      this.#socket.on('close', done);
      this.#socket.write(`${JSON.stringify(reply)}\n`, done);
    });
  }
}
