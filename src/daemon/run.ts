import { pino } from 'pino';
import type { Config } from '../config/index.js';
import { VfError } from '../errors.js';
import { ApiServer } from './api/index.js';
import { Supervisor } from './supervisor.js';

/**
 * `vfailover run`: until SIGTERM or SIGINT. Instances stay attached when it ends: the programs go on steering, tier 0 goes on falling
 * back, and the next start adopts them. Returns the exit status.
 */
export async function runDaemon(config: Config): Promise<number> {
  const log = pino(
    { level: config.log_level, serializers: { error: serialize } },
    pino.destination({ dest: 2, sync: true }),
  );
  const supervisor = new Supervisor(config, log);
  const server = new ApiServer(supervisor.handlers, {
    path: config.socket,
    group: config.socket_group,
    onDefect: (error) => log.error({ error }, 'defect: please report it'),
  });
  try {
    // The socket first: it is what tells a second daemon that there is one, before anything is touched.
    await server.listen();
    await supervisor.start();
  } catch (e) {
    await server.close();
    await supervisor.close();
    throw e;
  }
  supervisor.on('event', (e) => server.publish(e));
  log.info({ pid: process.pid, socket: config.socket, pin_root: config.pin_root }, 'ready');
  await new Promise<void>((done) => {
    process.once('SIGTERM', done);
    process.once('SIGINT', done);
  });
  log.info({}, 'ending; instances stay attached');
  await server.close();
  await supervisor.close();
  return 0;
}

const serialize = (e: unknown): unknown =>
  e instanceof VfError ? e.toJSON() : e instanceof Error ? { message: e.message, stack: e.stack } : e;
