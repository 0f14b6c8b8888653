import { pino } from 'pino';
import { ApiServer } from '../api/index.js';
import type { Config } from '../config/index.js';
import { VfError } from '../errors.js';
import { LogSink } from './log-sink.js';
import { Supervisor } from './supervisor.js';

/**
 * `vfailover run`: until SIGTERM or SIGINT; SIGHUP takes over what `reread` gives, the file as it is now. Instances stay attached when it ends: the programs go on steering, tier 0 goes on falling
 * back, and the next start adopts them. Returns the exit status.
 */
export async function runDaemon(config: Config, reread?: () => Config): Promise<number> {
  const sink = new LogSink(2);
  const log = pino({ level: config.log_level, serializers: { error: serialize } }, sink);
  sink.onRoom = (lines) => log.warn({ lines }, `${lines} log lines were lost: the log could not be written`);
  // Node would print them itself, and wait for a pipe that nobody reads.
  process.removeAllListeners('warning').on('warning', (error) => log.warn({ error }, error.message));
  // From the first moment on: the end of a terminal, or an early reload, must not end the daemon.
  const hangup = new Reloads();
  process.on('SIGHUP', () => hangup.ask());
  const supervisor = new Supervisor(config, log, () => sink.lost);
  const server = new ApiServer(supervisor.handlers, {
    path: config.socket,
    group: config.socket_group,
    onDefect: (error) => log.error({ error }, 'defect: please report it'),
    onRemade: (error) =>
      error === undefined
        ? log.warn({ socket: config.socket }, 'somebody removed the socket: made anew')
        : log.error(
            { socket: config.socket, error },
            `the socket is gone and cannot be made anew: ${error.message}`,
          ),
  });
  try {
    // The socket first: it is what tells a second daemon that there is one, before anything is touched.
    await server.listen();
    await supervisor.start();
  } catch (e) {
    await server.close();
    await supervisor.close();
    sink.close();
    throw e;
  }
  supervisor.on('event', (e) => server.publish(e));
  log.info({ pid: process.pid, socket: config.socket, pin_root: config.pin_root }, 'ready');
  hangup.begin(async () => {
    try {
      const next = reread?.() ?? config;
      await supervisor.reload(next);
      log.level = next.log_level;
      log.info({ instances: next.instances.length }, 'reloaded');
    } catch (error) {
      log.error({ error }, `not reloaded, nothing is changed: ${(error as Error).message}`);
    }
  });
  await new Promise<void>((done) => {
    process.once('SIGTERM', done);
    process.once('SIGINT', done);
  });
  log.info({}, 'ending; instances stay attached');
  await server.close();
  await supervisor.close();
  sink.close();
  return 0;
}

/** Reloads, one after the other; those asked for while one runs are one more. */
class Reloads {
  #asked = false;
  #running = false;
  #work: (() => Promise<void>) | undefined;

  ask(): void {
    this.#asked = true;
    if (!this.#running && this.#work) void this.#run(this.#work);
  }

  begin(work: () => Promise<void>): void {
    this.#work = work;
    if (this.#asked) void this.#run(work);
  }

  async #run(work: () => Promise<void>): Promise<void> {
    this.#running = true;
    while (this.#asked) {
      this.#asked = false;
      await work();
    }
    this.#running = false;
  }
}

const serialize = (e: unknown): unknown =>
  e instanceof VfError ? e.toJSON() : e instanceof Error ? { message: e.message, stack: e.stack } : e;
