import type { DoctorReport, Findings, Manager, ProbeFindings } from './doctor/findings.js';
import { gatherHost } from './doctor/host.js';
import { renderReport } from './doctor/render.js';
import { makeReport } from './doctor/report.js';

export type { Candidate, Check, DoctorReport, Status } from './doctor/findings.js';

/**
 * Finds out whether vfailover can run here, in this namespace and with these privileges, and prints it on stdout: a table, or one JSON
 * object. Changes nothing: devices are only made in namespaces without a name, and a folder in bpffs is removed again; the kernel may
 * load modules for what is tried, the same that `run` would. Takes tens of milliseconds.
 *
 * @returns the exit status: 0 when no check failed, else 1. Does not throw for anything that the machine lacks
 */
export async function runDoctor({ json }: { json: boolean }): Promise<number> {
  const report = await examine();
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : renderReport(report));
  return report.can_run ? 0 : 1;
}

/** The report as data. */
export async function examine(): Promise<DoctorReport> {
  return makeReport(await gather());
}

async function gather(): Promise<Findings> {
  const host = gatherHost();
  return { host, probes: await probes(host.managers) };
}

/** Imported only now: an addon that is not built, or not for this machine, is a finding like any other. */
async function probes(managers: readonly Manager[]): Promise<ProbeFindings | string> {
  try {
    const { gatherProbes } = await import('./doctor/probes.js');
    return gatherProbes(managers);
  } catch (error) {
    return (error instanceof Error ? error.message : String(error)).split('\n')[0] ?? 'unknown';
  }
}
