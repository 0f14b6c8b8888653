import { VfDetector, VfGroups } from '../../bpf/vfailover.bpf.js';
import type { InstanceConfig } from '../config/index.js';
import type { ProgramVariables } from '../datapath/program-loader.js';
import { detectorVariables } from '../detect/host.js';
import { configured } from '../detect/section.js';

/** Constants by which an instance's programs contain what its configuration needs, and nothing else. */
export function programVariables({ detect, groups, reflector }: InstanceConfig): ProgramVariables {
  const parts = configured(detect).map(({ row }) => (row.program ? VfDetector[row.program] : 0));
  return {
    vf_groups: groups === 'active' ? VfGroups.VF_GROUPS_ACTIVE : VfGroups.VF_GROUPS_EITHER,
    vf_detect: parts.reduce<number>((all, bit) => all | bit, reflector ? VfDetector.VF_DETECT_REFLECTOR : 0),
    ...detectorVariables(detect),
  };
}
