import { rmSync, type Stats, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { VfError } from '../errors.js';
import { Connection, type ConnectionHost } from './connection.js';
import type { ApiHandlers, ApiRequest } from './protocol.js';
import { publishSocket, temporaryName, unusable } from './socket-file.js';
import type { ApiEvent, ApiStats } from './types.js';
import { VERSION } from './version.js';

/** Interval of the checks that the socket is still there, ms. Something that cleans up may remove it. */
const LOOK_MS = 2_000;

/** Most clients at a time. More wait in the kernel's queue or are refused, so that their leak does not become ours. */
const MAX_CONNECTIONS = 256;

export interface ServerOptions {
  /** Absolute path of the socket, at most 90 bytes. */
  path: string;
  /** Group that may connect (mode 0660). null: the owner alone (mode 0600). */
  group: string | number | null;
  /** Called for errors that are no VfError, which are defects of a handler. The caller got INTERNAL. */
  onDefect?: (error: unknown) => void;
  /** Called when a removed socket was made anew. With `error` it could not be made, for that reason. */
  onRemade?: (error?: Error) => void;
}

/** The daemon's side of the API. It must live on the main thread, since it sets the umask while it binds. */
export class ApiServer {
  readonly #handlers: ApiHandlers;
  readonly #options: ServerOptions;
  readonly #connections = new Set<Connection>();
  readonly #started = performance.now();
  readonly #counts = { requests: 0, bad_requests: 0, dropped_subscribers: 0 };
  #server: Server | undefined;
  #file: Stats | undefined;
  #looking: NodeJS.Timeout | undefined;
  /** Why the socket could not be made anew, kept so that each reason is reported once. */
  #failure: string | undefined;

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
   * Takes the socket. Replaces a stale one, and makes its directory if absent (mode 0755). A socket that somebody removes is made anew within
   * `LOOK_MS`.
   *
   * @throws VfError INSTANCE_BUSY naming the pid when another daemon answers there; CONFIG_INVALID when the path cannot be used
   */
  async listen(): Promise<void> {
    if (this.#server !== undefined) throw new VfError('INTERNAL', 'the API server listens already');
    this.#server = await this.#take();
    this.#lookLater();
  }

  /** Returns a server that listens on the socket. */
  async #take(): Promise<Server> {
    const { path, group } = this.#options;
    const bound = temporaryName(path);
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
    server.maxConnections = MAX_CONNECTIONS;
    try {
      await bind(server, bound).catch((cause: unknown) => {
        throw unusable(path, cause);
      });
      await publishSocket(bound, path, group);
      this.#file = statSync(path);
    } catch (error) {
      await new Promise<void>((resolve) => server.close(() => resolve()));
      throw error;
    }
    server.on('error', (error) => this.#options.onDefect?.(error));
    return server;
  }

  #lookLater(): void {
    this.#looking = setTimeout(() => {
      void this.#look().finally(() => {
        if (this.#server !== undefined) this.#lookLater();
      });
    }, LOOK_MS).unref();
  }

  /** Makes the socket anew if it is gone. Present clients stay connected. */
  async #look(): Promise<void> {
    const before = this.#server;
    if (before === undefined || this.#present()) return;
    try {
      const server = await this.#take();
      // If the server was closed meanwhile, the new one is closed too.
      const old = this.#server === before ? before : server;
      if (old === before) this.#server = server;
      else this.#removeFile();
      old.close();
      this.#failure = undefined;
      this.#options.onRemade?.();
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#failure) this.#options.onRemade?.(error as Error);
      this.#failure = message;
    }
  }

  /** True if the socket that others find by its path is ours. */
  #present(): boolean {
    try {
      const now = statSync(this.#options.path);
      return now.ino === this.#file?.ino && now.dev === this.#file.dev;
    } catch {
      return false;
    }
  }

  #removeFile(): void {
    if (this.#present()) rmSync(this.#options.path, { force: true });
  }

  /** Sends an event to every subscriber that wants it. Returns at once. Slow readers are cut off and never waited for. */
  publish(event: ApiEvent): void {
    let body: string | undefined;
    for (const connection of this.#connections) {
      if (!connection.watching) continue;
      body ??= JSON.stringify(event);
      connection.publish(event, body);
    }
  }

  /** Closes every connection, and removes the socket if it is still ours. May be called twice. */
  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    clearTimeout(this.#looking);
    this.#removeFile();
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

/** Binds and listens with mode 0600 from the first moment, because `listen` on a path makes the socket before it returns. */
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
