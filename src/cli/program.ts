import { Command, CommanderError } from 'commander';
import { VERSION } from '../api/version.js';
import { VfError } from '../errors.js';
import { addAttach } from './commands/attach.js';
import { addBench } from './commands/bench.js';
import { addConfig } from './commands/config.js';
import { addDemo } from './commands/demo.js';
import { addDetach } from './commands/detach.js';
import { addDoctor } from './commands/doctor.js';
import { addEvents } from './commands/events.js';
import { addMaintenance } from './commands/maintenance.js';
import { addRun } from './commands/run.js';
import { addStatus } from './commands/status.js';
import { addSwitch } from './commands/switch.js';
import { addWatch } from './commands/watch.js';
import { CliContext, type CliIo } from './context.js';

/** Commands whose `--json` names a file: it does not ask for errors as JSON. */
const JSON_IS_A_FILE = new Set(['demo', 'bench']);

/** The tree of commands and options. `argv` is what main was given; `bench` hands its part on unparsed. */
export function buildProgram(ctx: CliContext, argv: readonly string[] = []): Command {
  const program = new Command('vfailover')
    .description('failover of a VM between an SR-IOV virtual function and virtio, in eBPF')
    .version(VERSION)
    .option(
      '--socket <path>',
      'the daemon’s socket (or VFAILOVER_SOCKET; default /run/vfailover/vfailover.sock)',
    )
    .exitOverride()
    .configureHelp({
      showGlobalOptions: true,
      ...(ctx.io.stdout.columns && { helpWidth: ctx.io.stdout.columns }),
    })
    .configureOutput({
      writeOut: (text) => ctx.print(text),
      writeErr: (text) => void ctx.io.stderr.write(text),
      // Printed by `main` as a VfError instead.
      outputError: () => {},
    })
    .addHelpText('after', '\nExit status: 0 done, 1 failed, 2 wrong usage.')
    .hook('preAction', (_, action) => {
      ctx.json = action.opts().json === true;
      ctx.socketOption = program.opts<{ socket?: string }>().socket;
    });
  addDoctor(program, ctx);
  addRun(program, ctx);
  addStatus(program, ctx);
  addEvents(program, ctx);
  addWatch(program, ctx);
  addSwitch(program, ctx);
  addMaintenance(program, ctx);
  addAttach(program, ctx);
  addDetach(program, ctx);
  addConfig(program, ctx);
  addDemo(program, ctx);
  addBench(program, ctx, argv);
  return program;
}

/** Commander's words for a wrong command line, as our error: the suggestion becomes the fix. */
function usageError(error: CommanderError): VfError {
  const [text = '', ...rest] = error.message.replace(/^error: /, '').split('\n');
  const guess = /\(Did you mean (.+?)\?\)/.exec(rest.join('\n'))?.[1];
  const more = rest.filter((line) => line !== '' && !line.startsWith('(Did you mean'));
  return new VfError('USAGE', [text, ...more].join(' '), {
    fix: guess === undefined ? 'see vfailover --help' : `did you mean ${guess}?`,
  });
}

/**
 * Runs one command line.
 *
 * @param argv without the interpreter and the script: `['status', '--json']`
 * @returns the exit status: 0 done, 1 failed, 2 wrong usage. Never throws
 */
export async function main(argv: readonly string[], io: CliIo): Promise<number> {
  const ctx = new CliContext(io);
  const program = buildProgram(ctx, argv);
  // `vfailover events | head`: the reader has gone, which is its right and no fault of ours. The listener stays, because an
  // error of what is still in the pipe can come after the command has ended.
  const onPipe = (error: NodeJS.ErrnoException): void => {
    if (error.code !== 'EPIPE') ctx.exitStatus = 1;
    ctx.readerGone();
  };
  io.stdout.on('error', onPipe);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return ctx.exitStatus;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      // Help in place of a missing command is on stderr already.
      if (error.code !== 'commander.help') {
        const command = argv.find((word) => !word.startsWith('-')) ?? '';
        ctx.printError(usageError(error), argv.includes('--json') && !JSON_IS_A_FILE.has(command));
      }
      return 2;
    }
    if (error instanceof VfError) {
      ctx.printError(error);
      return error.code === 'USAGE' ? 2 : 1;
    }
    const text = error instanceof Error ? error.message : String(error);
    ctx.printError(
      new VfError('INTERNAL', text, { fix: 'please report it, with the lines above', cause: error }),
    );
    if (error instanceof Error) io.stderr.write(`${error.stack}\n`);
    return 1;
  }
}
