import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type Config, DEFAULT_CONFIG_PATH, loadConfig } from '../../config/index.js';
import type { CliContext } from '../context.js';

/** What `src/daemon/run.ts` exports. */
interface DaemonModule {
  /** Runs until SIGTERM or SIGINT; resolves to the exit status. SIGHUP takes over what `reread` gives. */
  runDaemon(config: Config, reread: () => Config): Promise<number>;
}

export function addRun(program: Command, ctx: CliContext): void {
  program
    .command('run')
    .description('run the daemon in the foreground until SIGTERM or SIGINT; traffic goes on when it ends')
    .option('-c, --config <file>', 'configuration file', DEFAULT_CONFIG_PATH)
    .option('--foreground', 'stay in the foreground: what it always does, for service files that say so')
    .action(async (options: { config: string }) => {
      const socket = ctx.socketGiven;
      const read = (): Config => {
        const config = loadConfig(options.config);
        return socket === undefined ? config : { ...config, socket: resolve(socket) };
      };
      const config = read();
      const { runDaemon } = await ctx.load<DaemonModule>('src/daemon/run.js');
      ctx.exitStatus = await runDaemon(config, read);
    });
}
