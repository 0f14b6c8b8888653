/** Which slaves of an instance a detector watches: `slaves` of its configuration. */
import { ROLES, type Role } from '../device.js';
import {
  ARM_BFD_TO_PRIMARY,
  ARM_BFD_TO_STANDBY,
  ARM_SILENT_TO_PRIMARY,
  ARM_SILENT_TO_STANDBY,
} from '../policy/evaluate.js';

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

/** Fallbacks of the programs (ARM_*) for a silent path on which a detector of theirs watches. */
export function silentArms(detect: {
  readonly unanswered?: Section;
  readonly probes?: Section;
  readonly bfd?: Section;
}): number {
  const watchdog = watched(detect.unanswered);
  const probes = watched(detect.probes);
  const bfd = watched(detect.bfd);
  return (
    (watchdog[0] || probes[0] ? ARM_SILENT_TO_STANDBY : 0) |
    (watchdog[1] || probes[1] ? ARM_SILENT_TO_PRIMARY : 0) |
    (bfd[0] ? ARM_BFD_TO_STANDBY : 0) |
    (bfd[1] ? ARM_BFD_TO_PRIMARY : 0)
  );
}
