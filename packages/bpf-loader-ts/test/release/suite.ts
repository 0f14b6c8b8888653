import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The repository. */
export const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));

/** Ours, without what this run of vitest tells its own workers. */
const environment = (): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('VITEST')));

/** Runs vitest on the loader's suite of the tree at `root`; it writes JSON to `file`. */
async function vitest<T>(
  node: string,
  root: string,
  args: (file: string) => string[],
  env: NodeJS.ProcessEnv,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'bpf-loader-ts-suite-'));
  const file = join(folder, 'out.json');
  try {
    const command = [join(ROOT, 'node_modules/vitest/vitest.mjs'), ...args(file), '--project', 'loader'];
    const options = { cwd: root, env: { ...environment(), ...env }, maxBuffer: 64 << 20 };
    const said = await new Promise<string>((resolve) =>
      execFile(node, command, options, (_, stdout, stderr) => resolve(`${stdout}\n${stderr}`)),
    );
    if (!existsSync(file)) throw new Error(`${node} ${command.join(' ')} gave no result:\n${said}`);
    return JSON.parse(readFileSync(file, 'utf8')) as T;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Every test of the loader's suite, `file > group > test`, as the running Node collects them. */
export async function testsOfSuite(): Promise<string[]> {
  const list = await vitest<{ file: string; name: string }[]>(
    process.execPath,
    ROOT,
    (file) => ['list', `--json=${file}`],
    {},
  );
  return list.map(({ file, name }) => `${relative(ROOT, file)} > ${name}`).sort();
}

interface JsonReport {
  testResults: {
    name: string;
    message: string;
    assertionResults: {
      ancestorTitles: string[];
      title: string;
      status: string;
      failureMessages: string[];
    }[];
  }[];
}

/** What a run of the suite came to. */
export interface Outcome {
  /** As testsOfSuite() names them. */
  passed: string[];
  /** All others: tests that failed with their reasons, that were skipped, and files that could not be run. */
  others: string[];
}

/** Runs the loader's suite of the tree at `root` under this Node. */
export async function runSuite(node: string, root: string, env: NodeJS.ProcessEnv = {}): Promise<Outcome> {
  const { testResults } = await vitest<JsonReport>(
    node,
    root,
    (file) => ['run', '--reporter=json', `--outputFile=${file}`],
    env,
  );
  const outcome: Outcome = { passed: [], others: [] };
  for (const { name: file, message, assertionResults } of testResults) {
    const path = relative(root, file);
    if (message) outcome.others.push(`${path}: ${message}`);
    for (const { ancestorTitles, title, status, failureMessages } of assertionResults) {
      const name = [path, ...ancestorTitles, title].join(' > ');
      if (status === 'passed') outcome.passed.push(name);
      else outcome.others.push(`${name}: ${status} ${failureMessages.join('\n')}`);
    }
  }
  outcome.passed.sort();
  return outcome;
}
