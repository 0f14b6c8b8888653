import type { Command } from 'commander';
import type { CliContext } from '../context.js';

export function addDetach(program: Command, ctx: CliContext): void {
  program
    .command('detach')
    .description('end a failover instance and return its devices to their earlier state')
    .argument('<name>', 'the instance')
    .option('--json', 'print JSON')
    .action(async (name: string) => {
      const result = await ctx.withClient((client) =>
        client.request('detach', { name }, { timeout_ms: 30_000 }),
      );
      if (ctx.json) ctx.printJson(result);
      else ctx.print(`${result.detached}: detached`);
    });
}
