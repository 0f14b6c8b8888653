import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { VfError } from '../../src/errors.js';
import { Qmp } from '../../src/hypervisor/index.js';
import { Reaper } from '../netns/reaper.js';
import { AgentLine, textOf } from './agent.js';
import { archive, type DiskFiles, debianDisk } from './debian.js';
import { initramfs, projectImage, systemImage, testsImage } from './images.js';
import { type Kernel, type KernelName, kernel } from './kernel.js';
import { type Nic, nicDevice, qemuCommand } from './qemu.js';
import type { ExecResult, Running, Shell } from './shell.js';

export interface GuestOptions {
  kernel?: KernelName;
  nics?: Nic[];
  /** MiB. 256 takes Node and the daemon; 160 is the least that boots. */
  memoryMb?: number;
  cpus?: number;
  /** Gives the guest the built project at /project (the default), or one with its tests ready to run. */
  project?: boolean | 'tests';
  /** A whole Debian with systemd, with these files on its disk, instead of the lab's own small system. */
  debian?: DiskFiles;
  /** More for the kernel's command line. */
  append?: string;
  /** What QEMU is started with: a Wire's `spawnPrefix`. */
  spawnPrefix?: readonly string[];
}

/** A boot or restore that takes longer is given up, ms: one of a hundred boots hangs under emulation, and is tried once more. */
const BOOT_MS = 45_000;
/** A whole Debian loads its kernel's drivers and starts systemd before its agent. */
const DEBIAN_BOOT_MS = 300_000;
const EXEC_MS = 30_000;
const CONSOLE_LINES = 80;

/** What a guest is made of. */
interface GuestFiles {
  kernel: Kernel;
  initrd: string;
  images: string[];
  /** Written to, in a copy. */
  disk?: string;
}

async function filesOf(options: GuestOptions): Promise<GuestFiles> {
  const k = await kernel(options.kernel ?? '6.12');
  if (options.debian)
    return {
      kernel: k,
      initrd: await initramfs(k, 'init-debian'),
      images: [await projectImage()],
      disk: await debianDisk(),
    };
  const images = [await systemImage()];
  if (options.project !== false)
    images.push(await (options.project === 'tests' ? testsImage() : projectImage()));
  return { kernel: k, initrd: await initramfs(k), images };
}

/**
 * A virtual machine with a stock Debian kernel, under QEMU's emulation. It ends with this process, whatever ends that, and leaves no file.
 * Every failure carries the end of the guest's console.
 */
export class Guest implements Shell {
  readonly options: GuestOptions;
  readonly kernel: Kernel;
  readonly folder: string;
  readonly #files: GuestFiles;
  readonly #child: ChildProcess;
  readonly #reaper: Reaper;
  #qmp: Qmp | undefined;
  #line: AgentLine | undefined;
  #stderr = '';
  /** Why it is no more; undefined while it runs. */
  #ended: VfError | undefined;
  /** Settles when QEMU has ended. */
  readonly ended: Promise<void>;

  private constructor(options: GuestOptions, files: GuestFiles, folder: string, child: ChildProcess) {
    this.options = options;
    this.#files = files;
    this.kernel = files.kernel;
    this.folder = folder;
    this.#child = child;
    this.#reaper = new Reaper(folder);
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4096);
    });
    this.ended = new Promise((done) => {
      const over = (how: string): void => {
        this.#ended ??= this.failure(`QEMU ended (${how})`);
        this.#line?.fail(this.#ended);
        done();
      };
      child.once('error', (e) => over(e.message));
      child.once('exit', (code, signal) => over(signal ?? `status ${code}`));
    });
  }

  /** Boots a guest and waits for its shell. A boot that hangs is tried once more. */
  static async boot(options: GuestOptions = {}): Promise<Guest> {
    try {
      return await Guest.#start(options, undefined);
    } catch (e) {
      if (!(e instanceof VfError) || !e.message.includes('did not come up within')) throw e;
      return await Guest.#start(options, undefined);
    }
  }

  /** A guest as it was when `save` wrote the file, with the same options. */
  static restore(file: string, options: GuestOptions): Promise<Guest> {
    return Guest.#start(options, `file:${file}`);
  }

  /** A QEMU with other NICs that waits for a guest's migration, and has the same images, whatever was built since. Its agent answers when that is over. */
  static incoming(source: Guest, nics: Nic[]): Promise<Guest> {
    return Guest.#start({ ...source.options, nics }, 'defer', source.#files);
  }

  static async #start(
    options: GuestOptions,
    incoming: string | undefined,
    made?: GuestFiles,
  ): Promise<Guest> {
    const files = made ?? (await filesOf(options));
    // Last: whoever is interrupted while images are made leaves no folder.
    const folder = mkdtempSync(join(tmpdir(), 'vfailover-vm-'));
    const images = [...files.images];
    if (options.debian) {
      images.push(join(folder, 'files.tar'));
      await archive(options.debian, images.at(-1)!);
    }
    const { command, args, env } = await qemuCommand({
      vmlinux: files.kernel.vmlinux,
      initrd: files.initrd,
      images,
      ...(files.disk !== undefined && { disk: files.disk }),
      nics: options.nics ?? [],
      memoryMb: options.memoryMb ?? (options.debian ? 768 : 256),
      cpus: options.cpus ?? 2,
      append: options.append ?? '',
      folder,
      ...(incoming !== undefined && { incoming }),
    });
    // The kernel ends QEMU with us, however we end.
    const [first, ...rest] = [
      'setpriv',
      '--pdeathsig',
      'KILL',
      ...(options.spawnPrefix ?? []),
      command,
      ...args,
    ];
    const child = spawn(first!, rest, { env, stdio: ['ignore', 'ignore', 'pipe'] });
    const guest = new Guest(options, files, folder, child);
    try {
      await guest.#connect(incoming);
      return guest;
    } catch (e) {
      await guest.stop();
      throw e;
    }
  }

  async #connect(incoming: string | undefined): Promise<void> {
    const until = performance.now() + (this.options.debian ? DEBIAN_BOOT_MS : BOOT_MS);
    this.#qmp = await this.#alive(Qmp.connect(join(this.folder, 'qmp'), 10_000));
    this.#line = await this.#alive(AgentLine.connect(join(this.folder, 'agent'), 5_000));
    if (incoming === 'defer') return;
    if (incoming !== undefined) {
      await this.untilRunning(until);
    }
    await this.untilAnswers(until - performance.now(), incoming !== undefined);
  }

  /** Waits for the end of an incoming migration. */
  async untilRunning(until = performance.now() + BOOT_MS): Promise<void> {
    while ((await this.qmp.command<{ status: string }>('query-status')).status !== 'running') {
      if (performance.now() > until) throw this.failure('the saved state was not restored in time');
      await sleep(10);
    }
  }

  /** Waits until the agent answers; `ask` a guest that has booted before. */
  async untilAnswers(timeoutMs = BOOT_MS, ask = true): Promise<void> {
    const spoke = this.#line!.hello(ask).then(() => true);
    if (!(await this.#alive(Promise.race([spoke, sleep(timeoutMs, false, { ref: false })]))))
      throw this.failure(`the guest did not come up within ${Math.round(timeoutMs / 1000)} s`);
  }

  /** Boots a Debian guest again, from its disk as it is now, and waits for its agent. */
  async reboot(): Promise<void> {
    const spoke = this.untilAnswers(DEBIAN_BOOT_MS, false);
    // Its answer would come from a machine that shuts down.
    this.#line!.exec('systemctl reboot');
    await spoke;
  }

  /** What was asked for, or that QEMU has ended meanwhile. */
  #alive<T>(asked: Promise<T>): Promise<T> {
    asked.catch(() => {});
    return Promise.race([
      asked,
      this.ended.then(() => {
        throw this.#ended;
      }),
    ]);
  }

  get qmp(): Qmp {
    if (this.#ended) throw this.#ended;
    return this.#qmp!;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Everything that the guest wrote to its serial console. */
  get console(): string {
    const file = join(this.folder, 'console.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }

  /** An error that tells what happened, with the end of the console. */
  failure(what: string): VfError {
    const console = this.console.trimEnd().split('\n').slice(-CONSOLE_LINES).join('\n');
    const parts = [`${what} (kernel ${this.kernel.release})`];
    if (this.#stderr.trim() !== '') parts.push(`--- QEMU ---\n${this.#stderr.trim()}`);
    parts.push(console === '' ? 'its console is empty' : `--- console ---\n${console}`);
    return new VfError('VM_FAILED', parts.join('\n'), { field: 'guest', value: this.kernel.name });
  }

  /** Memory of QEMU: resident now, MiB. */
  get residentMb(): number {
    const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1];
    return Number(kb) / 1024;
  }

  async #exec(
    command: string,
    timeoutMs: number,
    stdin?: Uint8Array | string,
  ): Promise<{ code: number; stdout: Buffer; stderr: Buffer }> {
    if (this.#ended) throw this.#ended;
    const { id, done } = this.#line!.exec(command, stdin);
    const late = Symbol();
    const timer = new AbortController();
    const r = await Promise.race([
      done.catch(async (e: Error) => {
        // The line is cut an instant before QEMU is known to have ended, which says more.
        await Promise.race([this.ended, sleep(1_000)]);
        throw this.#ended ?? this.failure(e.message);
      }),
      sleep(timeoutMs, late, { signal: timer.signal }).catch(() => late),
    ]);
    timer.abort();
    if (typeof r !== 'symbol') return r;
    this.#line!.kill(id, 'KILL');
    throw this.failure(`no answer within ${timeoutMs} ms to: ${command.slice(0, 200)}`);
  }

  async exec(command: string, o: { timeoutMs?: number; stdin?: string } = {}): Promise<ExecResult> {
    return textOf(await this.#exec(command, o.timeoutMs ?? EXEC_MS, o.stdin));
  }

  /** Runs a command that has to succeed; returns what it printed. */
  async run(command: string, timeoutMs = EXEC_MS): Promise<string> {
    const { code, stdout, stderr } = await this.exec(command, { timeoutMs });
    if (code !== 0) throw this.failure(`status ${code} of: ${command.slice(0, 200)}\n${stderr || stdout}`);
    return stdout;
  }

  async spawn(command: string): Promise<Running> {
    if (this.#ended) throw this.#ended;
    const line = this.#line!;
    const { id, done } = line.exec(command);
    const text = done.then(textOf);
    text.catch(() => {});
    return { kill: async (signal) => line.kill(id, signal), done: text };
  }

  async readFile(path: string): Promise<Buffer> {
    const r = await this.#exec(`cat '${path}'`, EXEC_MS);
    if (r.code !== 0) throw this.failure(`cannot read ${path} in the guest: ${r.stderr}`);
    return r.stdout;
  }

  async writeFile(path: string, data: Uint8Array | string, mode = 0o644): Promise<void> {
    const r = await this.#exec(`cat >'${path}' && chmod ${mode.toString(8)} '${path}'`, EXEC_MS, data);
    if (r.code !== 0) throw this.failure(`cannot write ${path} in the guest: ${r.stderr}`);
  }

  #nic(id: string): Nic {
    const nic = this.options.nics?.find((n) => n.id === id);
    if (!nic) throw new Error(`the guest has no device ${id}`);
    return nic;
  }

  /** Takes or gives a device's carrier, where its driver can tell (QMP set_link). */
  async setLink(id: string, up: boolean): Promise<void> {
    this.#nic(id);
    await this.qmp.command('set_link', { name: id, up });
  }

  /** Plugs a device in; the guest finds it in its own time. */
  async plug(id: string): Promise<void> {
    await this.qmp.command('device_add', nicDevice(this.#nic(id)));
  }

  /** Unplugs a device and waits until the guest has let go of it. */
  async unplug(id: string): Promise<void> {
    const gone = this.qmp.waitFor('DEVICE_DELETED', (d) => d.device === id, 30_000);
    gone.catch(() => {});
    await this.qmp.command('device_del', { id });
    await this.#alive(gone);
  }

  /** Writes the guest's state to a file and ends it. */
  async save(file: string): Promise<void> {
    await this.qmp.command('migrate', { uri: `file:${file}` });
    await this.untilMigrated(60_000);
    await this.stop();
  }

  /** Waits for the end of an outgoing migration; throws if it failed. Returns QEMU's own account of it. */
  async untilMigrated(timeoutMs: number): Promise<Record<string, unknown>> {
    const until = performance.now() + timeoutMs;
    for (;;) {
      const m = await this.qmp.command<Record<string, unknown>>('query-migrate');
      if (m.status === 'completed') return m;
      if (m.status === 'failed' || m.status === 'cancelled')
        throw this.failure(`the migration ${m.status}: ${m['error-desc'] ?? 'QEMU does not say why'}`);
      if (performance.now() > until)
        throw this.failure(`the migration is still ${m.status} after ${timeoutMs} ms`);
      await sleep(10);
    }
  }

  /** Ends it, at once, and removes its files. */
  async stop(): Promise<void> {
    this.#ended ??= new VfError('VM_FAILED', 'the guest was stopped', {
      field: 'guest',
      value: this.kernel.name,
    });
    this.#child.kill('SIGKILL');
    await this.ended;
    this.#qmp?.close();
    this.#line?.close();
    await this.#reaper.reap();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}
