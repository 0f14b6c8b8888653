import { type Command, Option } from 'commander';
import type { CliContext } from '../context.js';
import { integerOption, listOption } from '../options.js';

/** What `lab/netns/demo.ts` exports. */
interface DemoModule {
  /** Prints its table on stdout; resolves to the exit status. */
  runDemo(options: {
    devices: 'veth' | 'tap';
    faults?: string[];
    rate_pps?: number;
    json?: string;
    quiet?: boolean;
  }): Promise<number>;
}

export const FAULTS = [
  'planned',
  'carrier',
  'unplug',
  'flap',
  'black-hole',
  'one-way',
  'lossy',
  'kill-controller',
] as const;

interface DemoOptions {
  devices: 'veth' | 'tap';
  faults?: string[];
  rate?: number;
  json?: string;
  quiet?: boolean;
}

export function addDemo(program: Command, ctx: CliContext): void {
  program
    .command('demo')
    .description(
      'build an instance in network namespaces of its own, inject faults, and measure each failover',
    )
    .addOption(
      new Option('--devices <kind>', 'what stands for VF and virtio')
        .choices(['veth', 'tap'])
        .default('veth'),
    )
    .option(
      '--faults <list>',
      `faults to inject, with commas between: ${FAULTS.join(', ')} (default: all)`,
      listOption(FAULTS),
    )
    .option('--rate <pps>', 'frames per second each way', integerOption(1, 10_000_000))
    .option('--json <file>', 'write the results as JSON')
    .option('--quiet', 'print the result table only')
    .action(async ({ rate, ...options }: DemoOptions) => {
      const { runDemo } = await ctx.load<DemoModule>('lab/netns/demo.js');
      ctx.exitStatus = await runDemo({ ...options, ...(rate !== undefined && { rate_pps: rate }) });
    });
}
