import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../src/paths.js';
import { treeState } from './tree.js';

/** Where and on what the figures were measured. */
export interface Environment {
  kernel: string;
  cpus: number;
  cpu_model: string;
  node: string;
  libbpf: string;
  date: string;
  vfailover: string;
  /** The commit, and `+` and a hash if the working tree differs from it. null: not a git tree. */
  git: string | null;
  load_average_before: number[];
  /** Share of all CPUs that others used in the second before, and that a hypervisor withheld, percent. */
  busy_before: number;
  stolen_before: number;
  /** Likewise withheld during the whole run. */
  stolen_during?: number;
  quick: boolean;
  /** What keeps (or does not keep) others off the CPUs, and their clocks from moving. */
  notes: string[];
}

const read = (file: string): string | null => (existsSync(file) ? readFileSync(file, 'utf8').trim() : null);

function run(command: string, ...args: string[]): string | null {
  try {
    return execFileSync(command, args, {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      cwd: ROOT,
    }).trim();
  } catch {
    return null;
  }
}

/** Jiffies of all CPUs since boot. */
export interface CpuTimes {
  total: number;
  idle: number;
  stolen: number;
}

export function cpuTimes(): CpuTimes {
  const [user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0, steal = 0] =
    readFileSync('/proc/stat', 'utf8').split('\n')[0]!.trim().split(/\s+/).slice(1).map(Number);
  return {
    total: user + nice + system + idle + iowait + irq + softirq + steal,
    idle: idle + iowait,
    stolen: steal,
  };
}

const percent = (part: number, whole: number): number =>
  whole > 0 ? Math.round((1000 * part) / whole) / 10 : 0;

/** What the hypervisor withheld since `before`, percent of all CPUs. */
export function stolenSince(before: CpuTimes): number {
  const now = cpuTimes();
  return percent(now.stolen - before.stolen, now.total - before.total);
}

function notes(): string[] {
  const isolated = read('/sys/devices/system/cpu/isolated');
  const governor = read('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor');
  const smt = read('/sys/devices/system/cpu/smt/active');
  const virtual = /^flags.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'));
  return [
    isolated
      ? `CPUs ${isolated} are isolated`
      : 'no CPU is isolated: anything on the machine may run between',
    governor ? `cpufreq governor ${governor}` : 'no cpufreq: the clock is out of our hands',
    virtual
      ? 'a virtual machine: wake-ups cost an exit, and the hypervisor may withhold CPUs'
      : 'no hypervisor',
    smt === '1' ? 'SMT is on' : 'SMT is off or not shown',
    `clock source ${read('/sys/devices/system/clocksource/clocksource0/current_clocksource') ?? 'unknown'}`,
  ];
}

/** Takes a second: it looks how busy the machine is. */
export async function environment(quick: boolean): Promise<Environment> {
  const load = loadavg();
  const before = cpuTimes();
  await sleep(1000);
  const now = cpuTimes();
  const total = now.total - before.total;
  const version = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  return {
    kernel: release(),
    cpus: cpus().length,
    cpu_model: cpus()[0]?.model ?? 'unknown',
    node: process.version,
    libbpf: run('dpkg-query', '-W', 'libbpf-dev')?.split('\t').at(-1) ?? 'unknown',
    date: new Date().toISOString(),
    vfailover: version.version,
    git: treeState(ROOT),
    load_average_before: load,
    busy_before: percent(total - (now.idle - before.idle), total),
    stolen_before: percent(now.stolen - before.stolen, total),
    quick,
    notes: notes(),
  };
}
