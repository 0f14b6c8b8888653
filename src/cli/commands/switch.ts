import { Argument, type Command } from 'commander';
import type { CliContext } from '../context.js';
import { durationOption } from '../options.js';
import { decisionLine } from '../render/events.js';

const DAY_MS = 86_400_000;

export function addSwitch(program: Command, ctx: CliContext): void {
  program
    .command('switch')
    .description('move the traffic of an instance to a slave by hand, or give the choice back to its policy')
    .argument('<name>', 'the instance')
    .addArgument(
      new Argument('<to>', 'the slave; auto ends an earlier override').choices([
        'primary',
        'standby',
        'auto',
      ]),
    )
    .option(
      '--for <time>',
      'how long the override lasts: 500ms, 30s, 5min, 2h (default: until auto)',
      durationOption(1, DAY_MS),
    )
    .option('--json', 'print JSON')
    .action(async (name: string, to: 'primary' | 'standby' | 'auto', options: { for?: number }) => {
      const result = await ctx.withClient((client) =>
        client.request('switch', { name, to, ...(options.for !== undefined && { for_ms: options.for }) }),
      );
      if (ctx.json) return ctx.printJson(result);
      const { decision, status } = result;
      const done = decision === null ? `stays on ${status.active}` : decisionLine(decision);
      ctx.print(`${status.name}: ${done}${to === 'auto' ? '; its policy decides' : ''}`);
    });
}
