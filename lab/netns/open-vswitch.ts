import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { VfError } from '../../src/errors.js';
import type { Rtnl } from '../../src/netlink/index.js';
import { HOST_MAC, type HostSwitch } from './host-switch.js';

/** Both daemons are there within half a second; a loaded machine takes longer. */
const START_S = 20;

export interface OpenVswitchOptions {
  /** Debian's openvswitch-switch and what it depends on, unpacked. */
  folder: string;
  /** fd of the host's namespace; must outlive the switch. */
  netns: number;
  rtnl: Rtnl;
}

/**
 * Open vSwitch with its userspace datapath: one bridge `br0` whose only rule is NORMAL. The daemons run from a folder of unpacked packages;
 * their sockets, database and logs lie in a folder of their own. They end with this process, however it ends.
 */
export class OpenVswitch implements HostSwitch {
  readonly ifindex: number;
  readonly #folder: string;
  readonly #netns: number;
  readonly #run = mkdtempSync(join(tmpdir(), 'vfailover-ovs-'));
  readonly #children: ChildProcess[] = [];
  readonly #env: NodeJS.ProcessEnv;

  /** Blocks until the bridge is there. Throws VfError VM_UNAVAILABLE with the daemon's own words. */
  constructor({ folder, netns, rtnl }: OpenVswitchOptions) {
    this.#folder = folder;
    this.#netns = netns;
    const { LD_LIBRARY_PATH: _, ...env } = process.env;
    this.#env = {
      ...env,
      LD_LIBRARY_PATH: ['usr/lib/x86_64-linux-gnu', 'lib/x86_64-linux-gnu']
        .map((d) => join(folder, d))
        .join(':'),
      OVS_RUNDIR: this.#run,
      OVS_LOGDIR: this.#run,
      OVS_DBDIR: this.#run,
      OVS_PKGDATADIR: join(folder, 'usr/share/openvswitch'),
    };
    try {
      const [db, schema] = [
        join(this.#run, 'conf.db'),
        join(folder, 'usr/share/openvswitch/vswitch.ovsschema'),
      ];
      this.#tool('ovsdb-tool', 'create', db, schema);
      this.#daemon('usr/sbin/ovsdb-server', db, `--remote=punix:${this.#socket}`);
      this.#control('--no-wait', 'init');
      this.#daemon('usr/lib/openvswitch-switch/ovs-vswitchd', `unix:${this.#socket}`, '--disable-system');
      const settings = ['datapath_type=netdev', `other-config:hwaddr="${HOST_MAC}"`];
      this.#control('add-br', 'br0', '--', 'set', 'bridge', 'br0', ...settings);
      this.ifindex = rtnl.link('br0')!.ifindex;
    } catch (cause) {
      this.#end();
      throw cause;
    }
  }

  get #socket(): string {
    return join(this.#run, 'db.sock');
  }

  join(_ifindex: number, name: string): void {
    this.#control('--may-exist', 'add-port', 'br0', name);
  }

  /** What ovs-appctl answers: `fdb/show br0`, `dpctl/dump-flows`. */
  ask(...words: string[]): string {
    return this.#tool('ovs-appctl', '--timeout=5', '-t', join(this.#run, 'ovs-vswitchd.ctl'), ...words);
  }

  #control(...words: string[]): void {
    this.#tool('ovs-vsctl', `--db=unix:${this.#socket}`, `--timeout=${START_S}`, '--retry', ...words);
  }

  #tool(name: string, ...args: string[]): string {
    try {
      return execFileSync(join(this.#folder, 'usr/bin', name), args, {
        env: this.#env,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch (cause) {
      const { stderr = '' } = cause as { stderr?: string };
      const log = join(this.#run, 'ovs-vswitchd.log');
      const said = existsSync(log) ? readFileSync(log, 'utf8').slice(-1000) : '';
      throw new VfError('VM_UNAVAILABLE', `Open vSwitch: ${name} ${args.join(' ')}: ${stderr}${said}`, {
        cause,
      });
    }
  }

  #daemon(path: string, ...args: string[]): void {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const files = [
      '--no-chdir',
      `--unixctl=${join(this.#run, `${name}.ctl`)}`,
      `--log-file=${join(this.#run, `${name}.log`)}`,
    ];
    const netns = `--net=/proc/${process.pid}/fd/${this.#netns}`;
    // It stands for another machine, which would not wait for a CPU of ours.
    const argv = [
      netns,
      'nice',
      '-n',
      '-15',
      'setpriv',
      '--pdeathsig',
      'KILL',
      join(this.#folder, path),
      ...args,
      ...files,
    ];
    this.#children.push(spawn('nsenter', argv, { env: this.#env, stdio: 'ignore' }));
  }

  #end(): void {
    for (const c of this.#children) c.kill('SIGKILL');
    rmSync(this.#run, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    const running = this.#children.filter((c) => c.exitCode === null && c.signalCode === null);
    const ended = running.map((c) => new Promise((done) => c.once('exit', done)));
    this.#end();
    await Promise.all(ended);
    // What they wrote while they ended.
    rmSync(this.#run, { recursive: true, force: true });
  }
}
