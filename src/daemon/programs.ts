import { VfDetector, VfGroups, VfUdpAsks } from '../../bpf/vfailover.bpf.js';
import { type InstanceConfig, UDP_PORTS_MAX } from '../config/index.js';
import type { ProgramVariables } from '../datapath/program-loader.js';

/** Constants by which an instance's programs contain what its configuration needs, and nothing else. */
export function programVariables({ detect, groups, reflector }: InstanceConfig): ProgramVariables {
  const { unanswered, witness, probes, bfd } = detect;
  const udp = unanswered?.udp ?? false;
  const ports = typeof udp === 'boolean' ? [] : udp;
  return {
    vf_groups: groups === 'active' ? VfGroups.VF_GROUPS_ACTIVE : VfGroups.VF_GROUPS_EITHER,
    vf_detect:
      (unanswered === undefined ? 0 : VfDetector.VF_DETECT_UNANSWERED) |
      (witness === undefined ? 0 : VfDetector.VF_DETECT_WITNESS) |
      (probes === undefined ? 0 : VfDetector.VF_DETECT_PROBES) |
      (bfd === undefined ? 0 : VfDetector.VF_DETECT_BFD) |
      (reflector === undefined ? 0 : VfDetector.VF_DETECT_REFLECTOR),
    vf_udp:
      udp === true
        ? VfUdpAsks.VF_UDP_ALL
        : ports.length > 0
          ? VfUdpAsks.VF_UDP_LISTED
          : VfUdpAsks.VF_UDP_NONE,
    vf_udp_ports: Array.from({ length: UDP_PORTS_MAX }, (_, i) => ports[i] ?? 0),
  };
}
