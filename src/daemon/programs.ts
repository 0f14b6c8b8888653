import { VfDetector } from '../../bpf/vfailover.bpf.js';
import type { DetectConfig } from '../config/index.js';
import type { DetectVariables } from '../datapath/store.js';

/** Constants by which an instance's programs contain what its detectors need, and nothing else. */
export function detectVariables({ unanswered }: DetectConfig): DetectVariables {
  return { vf_detect: unanswered === undefined ? 0 : VfDetector.VF_DETECT_UNANSWERED };
}
