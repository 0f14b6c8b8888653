// Written by bpf2ts from probes.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const probes = bpf.objectType({
  name: 'probes',
  sha256: '798adb005e47ad1c3ebe9bee72816858f9ab38254b3ae1400343abd2bccf1cc6',
  layout: '950f92527c542f35e0f5578d4e79c0427c18f70de7662285739fc551a2ff82de',
  license: 'GPL',
  programs: {
    count: 'tc',
  },
  maps: {},
  variables: {
    /** .bss + 0. */
    frames: bpf.u64,
  },
});
export type Probes = bpf.TypedObject<(typeof probes)['description']>;
