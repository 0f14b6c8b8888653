import type { DoctorReport, Findings } from './findings.js';
import { kernelChecks } from './kernel-checks.js';
import { machineChecks } from './machine-checks.js';

/** What the findings mean for somebody who wants to run vfailover here. Pure: the same findings give the same report. */
export function makeReport(findings: Findings): DoctorReport {
  const { host, probes, dropIns } = findings;
  const checks = [...kernelChecks(findings), ...machineChecks(findings)];
  const candidates =
    typeof probes === 'string' || typeof probes.candidates === 'string' ? [] : probes.candidates;
  return {
    can_run: checks.every((check) => check.status !== 'fail'),
    version: host.version,
    kernel: host.release,
    arch: host.arch,
    node: host.node,
    libbpf: typeof probes === 'string' ? null : probes.libbpf,
    cpus: host.cpus,
    checks,
    candidates,
    drop_ins: dropIns,
  };
}
