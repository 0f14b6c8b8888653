import { Argument, type Command } from 'commander';
import type { CliContext } from '../context.js';
import { decisionLine } from '../render/events.js';

export function addMaintenance(program: Command, ctx: CliContext): void {
  program
    .command('maintenance')
    .description(
      'take a slave out of service: it carries no traffic while the other one lives; or put it back',
    )
    .argument('<name>', 'the instance')
    .addArgument(new Argument('<slave>', 'the slave').choices(['primary', 'standby']))
    .addArgument(new Argument('<state>', 'on: out of service; off: back in it').choices(['on', 'off']))
    .option('--json', 'print JSON')
    .action(async (name: string, slave: 'primary' | 'standby', state: 'on' | 'off') => {
      const on = state === 'on';
      const result = await ctx.withClient((client) => client.request('maintenance', { name, slave, on }));
      if (ctx.json) return ctx.printJson(result);
      const { decision, status } = result;
      const service = on
        ? `the ${slave} is in maintenance`
        : `the ${slave} is in service; its policy decides`;
      ctx.print(`${status.name}: ${service}${decision === null ? '' : `; ${decisionLine(decision)}`}`);
      for (const note of status.notes) ctx.print(`${status.name}: ${note}`);
    });
}
