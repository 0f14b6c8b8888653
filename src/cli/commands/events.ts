import type { Command } from 'commander';
import type { ApiClient } from '../../api/client.js';
import type { ApiMethods } from '../../api/protocol.js';
import type { Decision, ImpairmentRecord } from '../../api/types.js';
import type { CliContext } from '../context.js';
import { follow } from '../follow.js';
import { integerOption } from '../options.js';
import { renderEvent, renderEvents, renderImpairment } from '../render/events.js';

interface EventsOptions {
  since?: number;
  limit?: number;
  follow?: boolean;
  impairments?: boolean;
}

type EventsParams = ApiMethods['events']['params'];

export function addEvents(program: Command, ctx: CliContext): void {
  program
    .command('events')
    .description(
      'list the decisions made (cause, tier, how long each part of the switch took) and impairments',
    )
    .argument('[name]', 'one instance only')
    .option('--since <seq>', 'only decisions after this number', integerOption(0, Number.MAX_SAFE_INTEGER))
    .option('--limit <count>', 'only the newest so many', integerOption(1, 100_000))
    .option('--impairments', 'only impairments, as they began and ended')
    .option('-f, --follow', 'go on with what happens')
    .option('--json', 'print JSON: decisions, or impairments; with --follow one object per line')
    .addHelpText('after', '\nFLIPPED, FIRST OUT and FIRST IN count from detection.')
    .action(async (name: string | undefined, options: EventsOptions) => {
      const params = {
        ...(name !== undefined && { name }),
        ...(options.since !== undefined && { since: options.since }),
        ...(options.limit !== undefined && { limit: options.limit }),
      };
      await ctx.withClient(async (client) => {
        const wanted = kindsOf(options, ctx.json);
        if (options.follow === true) return await followEvents(client, ctx, params, wanted);
        const { decisions, impairments } = await read(client, params, wanted);
        if (ctx.json) ctx.printJson(options.impairments === true ? impairments : decisions);
        else if (decisions.length + impairments.length === 0) ctx.print(nothing(options));
        else ctx.print(renderEvents(decisions, impairments));
      });
    });
}

/** Which records are printed. JSON is a list of one kind; decisions after a number are decisions alone. */
interface Kinds {
  decisions: boolean;
  impairments: boolean;
}

const kindsOf = ({ impairments = false, since }: EventsOptions, json: boolean): Kinds => ({
  decisions: !impairments,
  impairments: impairments || (!json && since === undefined),
});

const nothing = ({ impairments, since }: EventsOptions): string =>
  impairments === true ? 'no impairment yet' : since === undefined ? 'nothing yet' : 'no decision yet';

async function read(
  client: ApiClient,
  params: EventsParams,
  { decisions, impairments }: Kinds,
): Promise<{ decisions: Decision[]; impairments: ImpairmentRecord[] }> {
  return {
    decisions: decisions ? await client.request('events', params) : [],
    impairments: impairments ? await client.request('impairments', params) : [],
  };
}

async function followEvents(
  client: ApiClient,
  ctx: CliContext,
  params: EventsParams,
  wanted: Kinds,
): Promise<void> {
  const { name } = params;
  const types = (['decision', 'impairment'] as const).filter((t) =>
    t === 'decision' ? wanted.decisions : wanted.impairments,
  );
  // Subscribed before the past is fetched, so that nothing falls between; what is in both is printed once.
  const stream = await client.subscribe({ types: [...types], ...(name !== undefined && { name }) });
  const past = await read(client, params, wanted);
  if (ctx.json) for (const record of [...past.decisions, ...past.impairments]) ctx.printJsonLine(record);
  else if (past.decisions.length + past.impairments.length > 0)
    ctx.print(renderEvents(past.decisions, past.impairments));
  const lastOf = (list: readonly { seq: number }[]): number =>
    Math.max(params.since ?? 0, ...list.map(({ seq }) => seq));
  const [decided, impaired] = [lastOf(past.decisions), lastOf(past.impairments)];
  await follow(stream, ctx.stop, (event) => {
    if (event.type === 'decision' && event.decision.seq > decided) {
      if (ctx.json) ctx.printJsonLine(event.decision);
      else ctx.print(renderEvent(event.decision));
    } else if (event.type === 'impairment' && event.seq > impaired) {
      const { type: _, ...record } = event;
      if (ctx.json) ctx.printJsonLine(record);
      else ctx.print(renderImpairment(record));
    }
  });
}
