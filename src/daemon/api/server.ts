import { rmSync, type Stats, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { VfError } from '../../errors.js';
import { Connection, type ConnectionHost } from './connection.js';
import type { ApiHandlers, ApiRequest } from './protocol.js';
import { publishSocket, temporaryName } from './socket-file.js';
import type { ApiEvent, ApiStats } from './types.js';
import { VERSION } from './version.js';

/** Clients at a time. More wait in the kernel's queue or are refused: a leak of theirs must not become one of ours. */
const MAX_CONNECTIONS = 256;

export interface ServerOptions {
  /** Absolute path of the socket, at most 90 bytes. */
  path: string;
  /** Group that may connect (mode 0660); null: the owner alone (mode 0600). */
  group: string | number | null;
  /** Told of errors that are no VfError: defects of a handler. The caller got INTERNAL. */
  onDefect?: (error: unknown) => void;
}

/** The daemon's side of the API. Must live on the main thread: it sets the umask while it binds. */
export class ApiServer {
  readonly #handlers: ApiHandlers;
  readonly #options: ServerOptions;
  readonly #connections = new Set<Connection>();
  readonly #started = performance.now();
  readonly #counts = { requests: 0, bad_requests: 0, dropped_subscribers: 0 };
  #server: Server | undefined;
  #file: Stats | undefined;

  constructor(handlers: ApiHandlers, options: ServerOptions) {
    this.#handlers = handlers;
    this.#options = options;
  }

  get stats(): ApiStats {
    let subscribers = 0;
    for (const connection of this.#connections) if (connection.watching) subscribers++;
    return { connections: this.#connections.size, subscribers, ...this.#counts };
  }

  /**
   * Takes the socket. A stale one is replaced; its directory is made if absent (mode 0755).
   *
   * @throws VfError INSTANCE_BUSY naming the pid when another daemon answers there; CONFIG_INVALID when the path cannot be used
   */
  async listen(): Promise<void> {
    if (this.#server !== undefined) throw new VfError('INTERNAL', 'the API server listens already');
    const { path, group } = this.#options;
    const bound = temporaryName(path);
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    server.maxConnections = MAX_CONNECTIONS;
    this.#server = server;
    try {
      await bind(server, bound);
      await publishSocket(bound, path, group);
      this.#file = statSync(path);
    } catch (error) {
      this.#server = undefined;
      await new Promise<void>((resolve) => server.close(() => resolve()));
      throw error;
    }
    server.on('error', (error) => this.#options.onDefect?.(error));
  }

  /** Sends an event to every subscriber that wants it. Returns at once; slow readers are cut off, never waited for. */
  publish(event: ApiEvent): void {
    let body: string | undefined;
    for (const connection of this.#connections) {
      if (!connection.watching) continue;
      body ??= JSON.stringify(event);
      connection.publish(event, body);
    }
  }

  /** Closes every connection and removes the socket, if it is still ours. Can be called twice. */
  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const { path } = this.#options;
    const now = statSync(path, { throwIfNoEntry: false });
    if (now !== undefined && now.ino === this.#file?.ino && now.dev === this.#file.dev)
      rmSync(path, { force: true });
    for (const connection of this.#connections) connection.close();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #accept(socket: Socket): void {
    const host: ConnectionHost = {
      handle: (request) => this.#handle(request),
      badRequest: () => void this.#counts.bad_requests++,
      requested: () => void this.#counts.requests++,
      dropped: () => void this.#counts.dropped_subscribers++,
      defect: (error) => this.#options.onDefect?.(error),
      closed: (connection) => void this.#connections.delete(connection),
    };
    this.#connections.add(new Connection(socket, host));
  }

  async #handle(request: Exclude<ApiRequest, { method: 'watch' }>): Promise<unknown> {
    switch (request.method) {
      case 'ping':
        return {
          version: VERSION,
          pid: process.pid,
          uptime_ms: Math.round(performance.now() - this.#started),
        };
      case 'status':
        return await this.#handlers.status(request.params);
      case 'events':
        return await this.#handlers.events(request.params);
      case 'impairments':
        return await this.#handlers.impairments(request.params);
      case 'switch':
        return await this.#handlers.switch(request.params);
      case 'maintenance':
        return await this.#handlers.maintenance(request.params);
      case 'attach':
        return await this.#handlers.attach(request.params);
      case 'detach':
        return await this.#handlers.detach(request.params);
    }
  }
}

/** Binds and listens with mode 0600 from the first moment: `listen` on a path makes the socket before it returns. */
function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const mask = process.umask(0o177);
    try {
      server.listen({ path }, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(mask);
    }
  });
}
