// Written by bpf2ts from bystander.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const bystander = bpf.objectType({
  name: 'bystander',
  sha256: 'fb86f424bdaa168ccfdf053c5f6f4bff940ceadacda476d542d1e88f52b9ac42',
  layout: '76c584856e7715a6df711802b245ef21142462059e5f1e05d1e8a81d6fecb8aa',
  license: 'GPL',
  programs: {
    bystander: 'tc',
    bystander_xdp: 'xdp',
  },
  maps: {},
  variables: {
    /** .data + 0. */
    by_verdict: bpf.i32,
    /** .bss + 0. */
    by_seen: bpf.u32,
  },
});
export type Bystander = bpf.TypedObject<(typeof bystander)['description']>;
