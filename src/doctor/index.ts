import { settleDropIns } from './drop-in-files.js';
import { dropInsFor } from './drop-ins.js';
import type { DoctorReport, Findings, Manager, ProbeFindings } from './findings.js';
import { gatherHost } from './host.js';
import { renderReport } from './render.js';
import { makeReport } from './report.js';

export type { Candidate, Check, DoctorReport, DropInState, Status } from './findings.js';

/**
 * Finds out whether vfailover can run here, in this namespace and with these privileges, and prints it on stdout: a table, or one JSON
 * object. Changes nothing without `fix`, which writes files that tell managers to leave slaves alone: devices are only made in namespaces without a name, and a folder in bpffs is removed again; the kernel may
 * load modules for what is tried, the same that `run` would. Takes tens of milliseconds.
 *
 * @returns the exit status: 0 when no check failed and `fix` wrote all that it had to, else 1. Does not throw for anything that the machine
 *   lacks
 */
export async function runDoctor({ json, fix = false }: { json: boolean; fix?: boolean }): Promise<number> {
  const report = await examine({ fix });
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : renderReport(report));
  const left = fix && report.drop_ins.some(({ state }) => state === 'failed' || state === 'kept');
  return report.can_run && !left ? 0 : 1;
}

/** The report as data. `root`: the tree in which files for managers are looked for, and written with `fix`. */
export async function examine({ fix = false, root = '/' } = {}): Promise<DoctorReport> {
  return makeReport(await gather(fix, root));
}

async function gather(write: boolean, root: string): Promise<Findings> {
  const host = gatherHost();
  const found = await probes(host.managers);
  const candidates =
    typeof found === 'string' || typeof found.candidates === 'string' ? [] : found.candidates;
  return { host, probes: found, dropIns: settleDropIns(dropInsFor(host, candidates), { write, root }) };
}

/** Imported only now: an addon that is not built, or not for this machine, is a finding like any other. */
async function probes(managers: readonly Manager[]): Promise<ProbeFindings | string> {
  try {
    const { gatherProbes } = await import('./probes.js');
    return gatherProbes(managers);
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? 'unknown';
  }
}
