import type { Command } from 'commander';
import type { ApiEvent } from '../../api/types.js';
import type { CliContext } from '../context.js';
import { follow } from '../follow.js';
import { type Palette, plain } from '../render/colour.js';
import { renderEvent } from '../render/events.js';
import { summaryLine } from '../render/status.js';

export function addWatch(program: Command, ctx: CliContext): void {
  program
    .command('watch')
    .description('follow instances: their state now, then each change of state and each decision')
    .argument('[name]', 'one instance only')
    .option('--json', 'print one JSON object per line')
    .action(async (name: string | undefined) => {
      const params = name === undefined ? {} : { name };
      await ctx.withClient(async (client) => {
        const stream = await client.subscribe(params);
        const { instances } = await client.request('status', params);
        for (const status of instances) print(ctx, { type: 'status', instance: status.name, status });
        if (instances.length === 0 && !ctx.json) ctx.print('no instances yet');
        await follow(stream, ctx.stop, (event) => print(ctx, event));
      });
    });
}

function print(ctx: CliContext, event: ApiEvent): void {
  if (ctx.json) ctx.printJsonLine(event);
  else ctx.print(describe(event, ctx.colour));
}

function describe(event: ApiEvent, colour: Palette): string {
  switch (event.type) {
    case 'decision':
      return `${colour.bold('decision')}  ${renderEvent(event.decision)}`;
    case 'status':
      return `${colour.dim('status  ')}  ${summaryLine(event.status, colour)}`;
    case 'impairment': {
      const { impairment, over } = event;
      const word = over ? colour.green('is over') : colour.yellow(impairment.severity);
      return `${word}  ${plain(event.instance)}: ${plain(impairment.message)}`;
    }
    case 'detached':
      return `${colour.dim('detached')}  ${plain(event.instance)}`;
  }
}
