import type { Command } from 'commander';
import type { CliContext } from '../context.js';
import { renderStatus } from '../render/status.js';

export function addStatus(program: Command, ctx: CliContext): void {
  program
    .command('status')
    .description('show the daemon and its instances: what carries traffic, why, and what each slave counted')
    .argument('[name]', 'one instance only')
    .option('--json', 'print JSON')
    .action(async (name: string | undefined) => {
      const status = await ctx.withClient((client) =>
        client.request('status', name === undefined ? {} : { name }),
      );
      if (ctx.json) ctx.printJson(status);
      else ctx.print(renderStatus(status, ctx.colour, Date.now()));
    });
}
