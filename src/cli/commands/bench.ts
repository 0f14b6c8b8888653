import type { Command } from 'commander';
import type { CliContext } from '../context.js';

/** What `bench/main.ts` exports. */
interface BenchModule {
  /** Takes what follows `bench` on the command line; resolves to the exit status. */
  runBench(argv: string[]): Promise<number>;
}

export function addBench(program: Command, ctx: CliContext, argv: readonly string[]): void {
  program
    .command('bench')
    .description('run benchmarks: microbenchmarks of the datapath and failover scenarios')
    .argument('[args...]', 'handed to the benchmark runner as they are')
    .allowUnknownOption()
    .addHelpText('after', '\nThe benchmarks and their options: vfailover bench -- --help')
    .action(async () => {
      const rest = argv.slice(argv.indexOf('bench') + 1);
      const { runBench } = await ctx.load<BenchModule>('bench/main.js');
      ctx.exitStatus = await runBench(rest[0] === '--' ? rest.slice(1) : rest);
    });
}
