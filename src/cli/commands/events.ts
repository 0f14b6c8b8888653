import type { Command } from 'commander';
import type { ApiClient } from '../../daemon/api/client.js';
import type { Decision } from '../../daemon/api/types.js';
import type { CliContext } from '../context.js';
import { follow } from '../follow.js';
import { integerOption } from '../options.js';
import { renderEvent, renderEvents } from '../render/events.js';

interface EventsOptions {
  since?: number;
  limit?: number;
  follow?: boolean;
}

export function addEvents(program: Command, ctx: CliContext): void {
  program
    .command('events')
    .description('list the decisions made: cause, tier, and how long each part of the switch took')
    .argument('[name]', 'one instance only')
    .option('--since <seq>', 'only decisions after this number', integerOption(0, Number.MAX_SAFE_INTEGER))
    .option('--limit <count>', 'only the newest so many', integerOption(1, 100_000))
    .option('-f, --follow', 'go on with decisions as they are made')
    .option('--json', 'print JSON; with --follow one object per line')
    .addHelpText('after', '\nFLIPPED, FIRST OUT and FIRST IN count from detection.')
    .action(async (name: string | undefined, options: EventsOptions) => {
      const params = {
        ...(name !== undefined && { name }),
        ...(options.since !== undefined && { since: options.since }),
        ...(options.limit !== undefined && { limit: options.limit }),
      };
      await ctx.withClient(async (client) => {
        if (options.follow === true) return await followEvents(client, ctx, params);
        const decisions = await client.request('events', params);
        if (ctx.json) ctx.printJson(decisions);
        else if (decisions.length === 0) ctx.print('no decision yet');
        else ctx.print(renderEvents(decisions));
      });
    });
}

async function followEvents(
  client: ApiClient,
  ctx: CliContext,
  params: { name?: string; since?: number; limit?: number },
): Promise<void> {
  const { name } = params;
  // Subscribed before the past is fetched, so that nothing falls between; what is in both is printed once.
  const stream = await client.subscribe({ types: ['decision'], ...(name !== undefined && { name }) });
  const past = await client.request('events', params);
  const print = (decision: Decision): void => {
    if (ctx.json) ctx.printJsonLine(decision);
    else ctx.print(renderEvent(decision));
  };
  if (ctx.json) past.forEach(print);
  else if (past.length > 0) ctx.print(renderEvents(past));
  const last = Math.max(params.since ?? 0, ...past.map(({ seq }) => seq));
  await follow(stream, ctx.stop, (event) => {
    if (event.type === 'decision' && event.decision.seq > last) print(event.decision);
  });
}
