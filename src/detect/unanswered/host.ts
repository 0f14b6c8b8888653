import { VfUdpAsks } from '../../../bpf/vfailover.bpf.js';
import type { ProgramVariables } from '../../datapath/program-loader.js';
import { UDP_PORTS_MAX, type UnansweredConfig } from './section.js';

/** Returns which UDP the programs take for something that expects an answer. */
export function variables({ udp }: UnansweredConfig): Partial<ProgramVariables> {
  const ports = typeof udp === 'boolean' ? [] : udp;
  const listed = ports.length > 0 ? VfUdpAsks.VF_UDP_LISTED : VfUdpAsks.VF_UDP_NONE;
  return {
    vf_udp: udp === true ? VfUdpAsks.VF_UDP_ALL : listed,
    vf_udp_ports: Array.from({ length: UDP_PORTS_MAX }, (_, i) => ports[i] ?? 0),
  };
}
