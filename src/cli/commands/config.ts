import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { configJsonSchema, DEFAULT_CONFIG_PATH, loadConfig, redacted } from '../../config/index.js';
import { VfError } from '../../errors.js';
import type { CliContext } from '../context.js';

export function addConfig(program: Command, ctx: CliContext): void {
  const config = program
    .command('config')
    .description('check a configuration file, or print the schema of one');

  config
    .command('check')
    .description('read a configuration file and report everything that is wrong with it')
    .argument('[file]', 'the file', DEFAULT_CONFIG_PATH)
    .option('--json', 'print the configuration with its defaults filled in, as JSON (without secrets)')
    .action((file: string) => {
      const checked = loadConfig(file);
      if (ctx.json) return ctx.printJson(redacted(checked));
      const { length } = checked.instances;
      ctx.print(`${file}: correct, ${length} ${length === 1 ? 'instance' : 'instances'}`);
    });

  config
    .command('schema')
    .description('print the JSON Schema of the configuration file, for editors and other tools')
    .option('--output <file>', 'write it to a file instead')
    .action(({ output }: { output?: string }) => {
      if (output === undefined) return ctx.print(configJsonSchema());
      try {
        writeFileSync(output, configJsonSchema());
      } catch (cause) {
        const reason = cause instanceof Error ? cause.message : String(cause);
        throw new VfError('USAGE', reason, {
          field: '--output',
          value: output,
          fix: 'name a file that can be written',
          cause,
        });
      }
    });
}
