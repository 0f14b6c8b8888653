import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { ApiClient } from '../../src/api/index.js';
import { ROOT } from '../../src/paths.js';

/** An emulated machine takes longer to answer, by the factor that tests stretch their deadlines by. */
const ANSWER_MS = 5_000 * Number(process.env.TEST_SLOWDOWN ?? 1);

/** A `vfailover run` of its own, which ends with us at the latest. */
export class DaemonProcess {
  readonly folder = mkdtempSync(join(tmpdir(), 'vfailover-'));
  readonly socket = join(this.folder, 'api.sock');
  readonly config: object;
  readonly #netns: string | undefined;
  readonly #tree: string;
  #child: ChildProcess | undefined;
  /** What it wrote to standard error: JSON lines. */
  log = '';

  /**
   * `config` as in the file; the socket is ours. `netns`: path of the namespace that it runs in; ours by default. `tree`: the built tree that
   * it runs from.
   */
  constructor(config: object, netns?: string, tree = ROOT) {
    this.#netns = netns;
    this.#tree = tree;
    this.config = { ...config, socket: this.socket };
    writeFileSync(join(this.folder, 'config.yaml'), stringify(this.config));
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Starts it and waits until it is ready; an early end is an error with what it said. */
  async start(): Promise<void> {
    // setpriv: the kernel kills the daemon when we die, however we die.
    const args = [
      '--pdeathsig',
      'KILL',
      ...(this.#netns === undefined ? [] : ['nsenter', `--net=${this.#netns}`]),
      process.execPath,
      join(this.#tree, 'dist/src/cli/main.js'),
      'run',
      '--config',
      join(this.folder, 'config.yaml'),
    ];
    const child = spawn('setpriv', args, { stdio: ['ignore', 'inherit', 'pipe'] });
    this.#child = child;
    this.log = '';
    await new Promise<void>((ready, failed) => {
      child.stderr!.on('data', (text: Buffer) => {
        this.log += text.toString();
        if (this.log.includes('"msg":"ready"')) ready();
      });
      child.once('error', failed);
      child.once('exit', (code, signal) =>
        failed(new Error(`the daemon ended (${signal ?? code}): ${this.log}`)),
      );
    });
  }

  client(): Promise<ApiClient> {
    return ApiClient.connect(this.socket, { timeout_ms: ANSWER_MS });
  }

  /** Sends a signal and waits for the end. */
  async kill(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((done) => child.once('exit', done));
    child.kill(signal);
    await ended;
  }

  async close(): Promise<void> {
    await this.kill('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
