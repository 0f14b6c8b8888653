// Written by bpf2ts from cgroup.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const cgroup = bpf.objectType({
  name: 'cgroup',
  sha256: '783fb60cf33905e513f2534194165e16b24ccdeac60310bc4bc63b714e95bb56',
  layout: '858bc4287b99b009b93afd32b0f6455d7e82d8fd9468f2e080a552aa3c7b185f',
  license: 'GPL',
  programs: {
    connect4: 'cgroup/connect4',
  },
  maps: {},
  variables: {
    /** .rodata + 0. */
    port: bpf.u16,
    /** .bss + 0. */
    refused: bpf.u32,
  },
});
export type Cgroup = bpf.TypedObject<(typeof cgroup)['description']>;
