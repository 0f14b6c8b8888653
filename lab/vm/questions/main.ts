import { parseArgs } from 'node:util';
import { VfError } from '../../../src/errors.js';
import { KERNELS } from '../kernel.js';
import { PRIMARIES } from '../testbed.js';
import { Interview, type InterviewOptions, MODELS, STATES, tableOf } from './interview.js';
import { QUESTIONS, TIMES } from './questions.js';

/** Asks a guest's NIC what it lets in: questions.ts. Ends with 1 if a question stayed without an answer while we were there. */

const USAGE = `node dist/lab/vm/questions/main.js [--nic LIST] [--kernel LIST] [--model LIST] [--question LIST] [--state LIST]
  --nic       ${PRIMARIES.join(',')}     --kernel ${Object.keys(KERNELS).join(',')}     --model ${MODELS.join(',')}
  --question  ${QUESTIONS.map((q) => q.name).join(',')}
  --state     ${STATES.join(',')}
              alone: the network brings nothing by the slave that is not active
  --before    a scene is there before the daemon joins; without it a scene is made afterwards and has to be followed
  --wire      sockets (default), or taps, as root
  --times N   questions of a kind (default ${TIMES})
  --instance  more of the instance's configuration, as JSON
  --status    the instance's status at the end, as JSON
Lists are separated by commas; the default is the first NIC and model, Linux 6.12, and all questions and states.
`;

const { values } = parseArgs({
  options: {
    nic: { type: 'string', default: 'vmxnet3' },
    kernel: { type: 'string', default: '6.12' },
    model: { type: 'string', default: MODELS[0] },
    question: { type: 'string', default: QUESTIONS.map((q) => q.name).join(',') },
    state: { type: 'string', default: STATES.join(',') },
    before: { type: 'boolean', default: false },
    wire: { type: 'string', default: 'sockets' },
    times: { type: 'string', default: String(TIMES) },
    instance: { type: 'string', default: '{}' },
    status: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

/** Words of a list; each must be one of `known`. */
function list<T extends string>(field: string, text: string, known: readonly T[]): T[] {
  const words = text.split(',') as T[];
  const unknown = words.find((word) => !known.includes(word));
  if (unknown !== undefined)
    throw new VfError('USAGE', `--${field} ${unknown}: there is none`, {
      field: `--${field}`,
      value: unknown,
      fix: `choose of ${known.join(', ')}`,
    });
  return words;
}

async function main(): Promise<void> {
  const common = {
    questions: list(
      'question',
      values.question,
      QUESTIONS.map((q) => q.name),
    ),
    states: list('state', values.state, STATES),
    before: values.before,
    wire: list('wire', values.wire, ['sockets', 'taps'] as const)[0]!,
    times: Number(values.times),
    instance: JSON.parse(values.instance) as object,
  } satisfies InterviewOptions;
  for (const kernel of list('kernel', values.kernel, Object.keys(KERNELS) as (keyof typeof KERNELS)[]))
    for (const primary of list('nic', values.nic, PRIMARIES))
      for (const model of list('model', values.model, MODELS)) {
        console.log(`\nLinux ${kernel}, ${primary}, ${model}`);
        await using interview = await Interview.boot({ ...common, kernel, primary, model });
        const rows = await interview.all();
        console.log(tableOf(rows));
        if (values.status) console.log(JSON.stringify(await interview.daemon.status(), null, 2));
        if (rows.some((row) => row.state !== 'without' && row.answered < row.times)) process.exitCode = 1;
      }
}

if (values.help) console.log(USAGE);
else await main();
