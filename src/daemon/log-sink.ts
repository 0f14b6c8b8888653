import { closeSync, constants, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { dupFd } from 'bpf-loader-ts/sys';

/** Bytes of lines that are kept while the log cannot be written; more are lost, and counted. */
const QUEUE_BYTES = 256 * 1024;
/** ms between two tries to write what is kept. */
const RETRY_MS = 100;

/**
 * Where log lines go. A write never blocks and never throws: what cannot be written (a full disk, a pipe that nobody reads, a terminal
 * that is stopped or gone) is kept for a while, then lost and counted. pino takes it as a destination.
 */
export class LogSink {
  /** Lines that were lost so far. */
  lost = 0;
  /** Called when a line could be written after `lines` were lost. */
  onRoom: (lines: number) => void = () => {};
  readonly #fd: number;
  /** The descriptor was opened here. */
  readonly #own: boolean;
  /** Only for what cannot be opened anew: systemd's journal is a socket. */
  readonly #socket: Socket | undefined;
  readonly #queue: Buffer[] = [];
  #queued = 0;
  #told = 0;
  /** The last line was written in part only. */
  #torn = false;
  #retry: NodeJS.Timeout | undefined;

  /** `fd`: an open descriptor, such as 2. Its own flags stay as they are wherever it can be opened anew. */
  constructor(fd: number) {
    const again = reopened(fd);
    this.#own = again !== undefined;
    this.#fd = again ?? fd;
    if (again === undefined && !isFile(fd)) this.#socket = socketOf(fd);
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#socket) this.#send(this.#socket, bytes);
    else if (this.#queue.length > 0) this.#keep(bytes);
    else this.#put(bytes);
  }

  /** Tries a last time to write what is kept. */
  close(): void {
    clearTimeout(this.#retry);
    this.#drain();
    clearTimeout(this.#retry);
    this.#socket?.destroySoon();
    if (this.#own) closeSync(this.#fd);
  }

  #send(socket: Socket, bytes: Buffer): void {
    if (socket.destroyed || socket.writableLength + bytes.length > QUEUE_BYTES) {
      this.lost++;
      return;
    }
    socket.write(bytes);
    this.#tell();
  }

  #put(bytes: Buffer): void {
    const line = this.#torn ? Buffer.concat([NEWLINE, bytes]) : bytes;
    try {
      const n = writeSync(this.#fd, line);
      this.#torn = false;
      if (n < line.length) this.#rest(line.subarray(n));
      this.#tell();
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code === 'EAGAIN') this.#keep(bytes);
      else this.lost++;
    }
  }

  /** The end of a line whose beginning was written: a pipe had room for no more, or a disk is full. */
  #rest(bytes: Buffer): void {
    try {
      const n = writeSync(this.#fd, bytes);
      if (n < bytes.length) this.#rest(bytes.subarray(n));
    } catch (e) {
      if ((e as NodeJS.ErrnoException).code === 'EAGAIN') this.#keep(bytes);
      else {
        this.lost++;
        this.#torn = true;
      }
    }
  }

  #keep(bytes: Buffer): void {
    if (this.#queued + bytes.length > QUEUE_BYTES) {
      this.lost++;
      return;
    }
    this.#queue.push(bytes);
    this.#queued += bytes.length;
    this.#retry ??= setTimeout(() => this.#drain(), RETRY_MS).unref();
  }

  #drain(): void {
    this.#retry = undefined;
    const kept = this.#queue.splice(0);
    this.#queued = 0;
    for (const bytes of kept) {
      if (this.#queue.length > 0) this.#keep(bytes);
      else this.#put(bytes);
    }
  }

  #tell(): void {
    const lines = this.lost - this.#told;
    if (lines === 0) return;
    this.#told = this.lost;
    this.onRoom(lines);
  }
}

const NEWLINE = Buffer.from('\n');
const { O_WRONLY, O_APPEND, O_NONBLOCK, O_NOCTTY } = constants;

const isFile = (fd: number): boolean => fstatSync(fd).isFile();

/**
 * The same pipe or terminal, opened for us alone: O_NONBLOCK on the descriptor given would count for every process that has it. Undefined
 * for what needs none (a file) or cannot be opened (a socket, a pipe of another user, one without a reader).
 */
function reopened(fd: number): number | undefined {
  if (isFile(fd) || fstatSync(fd).isSocket()) return undefined;
  try {
    return openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY);
  } catch {
    return undefined;
  }
}

/** Undefined for what is neither a socket nor a pipe: it is written as it is. */
function socketOf(fd: number): Socket | undefined {
  const stat = fstatSync(fd);
  if (!stat.isSocket() && !stat.isFIFO()) return undefined;
  // A duplicate: Node lets a descriptor have one owner, and its own standard error may be that.
  const socket = new Socket({ fd: dupFd(fd), readable: false, writable: true });
  socket.unref();
  // Without a listener an error would end the process. The socket is destroyed by it, and `write` counts.
  socket.on('error', () => {});
  return socket;
}
