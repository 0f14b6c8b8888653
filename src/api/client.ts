import { createConnection, type Socket } from 'node:net';
import { asError } from '../config/problems.js';
import { ERROR_CODES, type ErrorCode, VfError } from '../errors.js';
import { LineSplitter } from './lines.js';
import type { ApiMethod, ApiMethods, ApiRequestParams, RequestId, WatchParams } from './protocol.js';
import type { ApiEvent, ErrorJson } from './types.js';

/** Most bytes of a reply. The status of 4096 instances takes about 10 MiB. */
const MAX_REPLY = 64 * 1024 * 1024;
/** Events that may wait for the consumer. Beyond that the client stops reading, and the daemon's limit applies. */
const MAX_QUEUED = 1024;
const DEFAULT_TIMEOUT_MS = 5000;

export interface ClientOptions {
  /** ms to connect, and by default to answer each request. Default: 5000. */
  timeout_ms?: number;
}

export interface RequestOptions {
  timeout_ms?: number;
}

/** A stream of events. Ends when closed here, and throws API_UNREACHABLE when the daemon ends it. */
export interface Subscription extends AsyncIterable<ApiEvent> {
  close(): void;
}

interface Pending {
  resolve(result: unknown): void;
  reject(error: VfError): void;
}

/** Makes a VfError of an error from the socket. It trusts the daemon no more than the daemon trusts a client. */
export function errorFromJson(json: unknown): VfError {
  if (typeof json !== 'object' || json === null)
    return new VfError('INTERNAL', 'the daemon sent an error without content');
  const { code, message, field, value, fix, errors } = json as Partial<ErrorJson>;
  if (Array.isArray(errors) && errors.length > 1)
    return asError(String(field ?? 'request'), errors.map(errorFromJson));
  const known = typeof code === 'string' && Object.hasOwn(ERROR_CODES, code);
  return new VfError(
    known ? (code as ErrorCode) : 'INTERNAL',
    typeof message === 'string' ? message : String(code),
    {
      ...(typeof field === 'string' && { field }),
      ...(value !== undefined && { value }),
      ...(typeof fix === 'string' && { fix }),
    },
  );
}

/** Client of the API: one connection, with any number of requests under way. */
export class ApiClient implements Disposable {
  readonly path: string;
  readonly #socket: Socket;
  readonly #timeout: number;
  readonly #splitter = new LineSplitter(MAX_REPLY);
  readonly #pending = new Map<RequestId, Pending>();
  readonly #streams = new Map<RequestId, EventQueue>();
  #lastId = 0;
  #ended: VfError | undefined;

  private constructor(path: string, socket: Socket, timeout: number) {
    this.path = path;
    this.#socket = socket;
    this.#timeout = timeout;
    socket.on('data', (chunk: Buffer) => this.#read(chunk));
    socket.on('error', (error) => this.#end(unreachable(path, error.message, error)));
    socket.on('close', () => this.#end(unreachable(path, 'the daemon closed the connection')));
  }

  /** @throws VfError API_UNREACHABLE */
  static connect(path: string, options: ClientOptions = {}): Promise<ApiClient> {
    const timeout = options.timeout_ms ?? DEFAULT_TIMEOUT_MS;
    return new Promise((resolve, reject) => {
      const socket = createConnection({ path });
      const timer = setTimeout(() => {
        socket.destroy();
        reject(unreachable(path, `no connection within ${timeout} ms`));
      }, timeout);
      const refuse = (error: Error): void => {
        clearTimeout(timer);
        reject(unreachable(path, error.message, error));
      };
      socket.once('error', refuse);
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.off('error', refuse);
        resolve(new ApiClient(path, socket, timeout));
      });
    });
  }

  /**
   * Calls a method.
   *
   * @throws VfError the daemon's, or API_UNREACHABLE when the connection ends or no answer comes in time
   */
  async request<M extends Exclude<ApiMethod, 'watch'>>(
    method: M,
    params: ApiRequestParams<M>,
    options: RequestOptions = {},
  ): Promise<ApiMethods[M]['result']> {
    return (await this.#call(++this.#lastId, method, params, options)) as ApiMethods[M]['result'];
  }

  /** Starts a stream. It has every event that happens after the promise resolves. */
  async subscribe(params: WatchParams = {}, options: RequestOptions = {}): Promise<Subscription> {
    const id = ++this.#lastId;
    const queue = new EventQueue(this.#socket, () => this.#streams.delete(id));
    this.#streams.set(id, queue);
    try {
      await this.#call(id, 'watch', params, options);
    } catch (error) {
      this.#streams.delete(id);
      throw error;
    }
    return queue;
  }

  /** Ends the connection. Requests under way fail, streams end. */
  close(): void {
    for (const stream of this.#streams.values()) stream.close();
    this.#end(unreachable(this.path, 'this client was closed'));
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #call(id: RequestId, method: ApiMethod, params: unknown, options: RequestOptions): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    const timeout = options.timeout_ms ?? this.#timeout;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#pending.delete(id);
        reject(unreachable(this.path, `no answer to ${method} within ${timeout} ms`));
      }, timeout);
      this.#pending.set(id, {
        resolve: (result) => {
          clearTimeout(timer);
          resolve(result);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      });
      this.#socket.write(`${JSON.stringify({ id, method, params })}\n`);
    });
  }

  #read(chunk: Buffer): void {
    for (const line of this.#splitter.push(chunk)) {
      const reply = line === null ? undefined : parseReply(line);
      if (reply === undefined) {
        this.#end(unreachable(this.path, 'what answers there is not vfailover'));
        return;
      }
      if ('event' in reply) {
        this.#streams.get(reply.id as RequestId)?.push(reply.event as ApiEvent);
        continue;
      }
      const pending = this.#pending.get(reply.id as RequestId);
      this.#pending.delete(reply.id as RequestId);
      if ('error' in reply) pending?.reject(errorFromJson(reply.error));
      else pending?.resolve(reply.result);
    }
  }

  #end(reason: VfError): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#socket.destroy();
    for (const pending of this.#pending.values()) pending.reject(reason);
    this.#pending.clear();
    for (const stream of this.#streams.values()) stream.fail(reason);
    this.#streams.clear();
  }
}

function parseReply(line: string): Record<string, unknown> | undefined {
  try {
    const reply: unknown = JSON.parse(line);
    return typeof reply === 'object' && reply !== null ? (reply as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function unreachable(path: string, reason: string, cause?: unknown): VfError {
  const errno = (cause as NodeJS.ErrnoException | undefined)?.code;
  const fix =
    errno === 'EACCES'
      ? 'run as root, or join the group of the socket (socket_group in the configuration)'
      : errno === 'ENOENT' || errno === 'ECONNREFUSED'
        ? 'start the daemon (vfailover run --config FILE), or name its socket with --socket'
        : 'see that the daemon runs and is not stuck: its log, and `vfailover status`';
  return new VfError('API_UNREACHABLE', `no daemon answers on ${path}: ${reason}`, {
    field: 'socket',
    value: path,
    fix,
    cause,
  });
}

/** Queue of events between socket and consumer. Stops the socket when the consumer lags, so that memory stays bounded. */
class EventQueue implements Subscription {
  readonly #socket: Socket;
  readonly #onClose: () => void;
  readonly #events: ApiEvent[] = [];
  #wake: (() => void) | undefined;
  #closed = false;
  #failure: VfError | undefined;

  constructor(socket: Socket, onClose: () => void) {
    this.#socket = socket;
    this.#onClose = onClose;
  }

  push(event: ApiEvent): void {
    this.#events.push(event);
    if (this.#events.length >= MAX_QUEUED) this.#socket.pause();
    this.#wake?.();
  }

  fail(error: VfError): void {
    this.#failure = error;
    this.#wake?.();
  }

  close(): void {
    this.#closed = true;
    this.#onClose();
    this.#socket.resume();
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ApiEvent> {
    try {
      while (!this.#closed) {
        const batch = this.#events.splice(0);
        if (batch.length > 0) {
          yield* batch;
          if (this.#socket.isPaused()) this.#socket.resume();
          continue;
        }
        if (this.#failure !== undefined) throw this.#failure;
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      this.close();
    }
  }
}
