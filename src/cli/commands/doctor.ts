import type { Command } from 'commander';
import type { CliContext } from '../context.js';

/** What `src/doctor/index.ts` exports. */
interface DoctorModule {
  /** Prints its findings on stdout; resolves to the exit status: 0 when vfailover can run here. */
  runDoctor(options: { json: boolean; fix: boolean }): Promise<number>;
}

export function addDoctor(program: Command, ctx: CliContext): void {
  program
    .command('doctor')
    .description(
      'check kernel, capabilities and devices: what works here, what does not, and what to do about it',
    )
    .option('--fix', 'write files that tell network managers to leave the slaves alone')
    .option('--json', 'print JSON')
    .action(async (options: { fix?: boolean }) => {
      const { runDoctor } = await ctx.load<DoctorModule>('src/doctor/index.js');
      ctx.exitStatus = await runDoctor({ json: ctx.json, fix: options.fix === true });
    });
}
