/** Which slaves of an instance a detector watches: `slaves` of its configuration. */
import { VfArm } from '../../bpf/vfailover.bpf.js';
import { ROLES, type Role } from '../device.js';

const { VF_ARM_PRIMARY_BFD, VF_ARM_PRIMARY_SILENT, VF_ARM_STANDBY_BFD, VF_ARM_STANDBY_SILENT } = VfArm;

/** By path. */
export type Watched = readonly [primary: boolean, standby: boolean];

/** What a section of the configuration has to say of it. */
interface Section {
  readonly slaves: readonly Role[];
}

/** @param section undefined: there is no such detector */
export function watched(section: Section | undefined): Watched {
  const [primary, standby] = ROLES.map((role) => section?.slaves.includes(role) === true);
  return [primary!, standby!];
}

/** Fallbacks of the programs (VfArm) for a silent path on which a detector of theirs watches. */
export function silentArms(detect: {
  readonly unanswered?: Section;
  readonly probes?: Section;
  readonly bfd?: Section;
}): number {
  const watchdog = watched(detect.unanswered);
  const probes = watched(detect.probes);
  const bfd = watched(detect.bfd);
  return (
    (watchdog[0] || probes[0] ? VF_ARM_PRIMARY_SILENT : 0) |
    (watchdog[1] || probes[1] ? VF_ARM_STANDBY_SILENT : 0) |
    (bfd[0] ? VF_ARM_PRIMARY_BFD : 0) |
    (bfd[1] ? VF_ARM_STANDBY_BFD : 0)
  );
}
