// Written by bpf2ts from xdp.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const xdp = bpf.objectType({
  name: 'xdp',
  sha256: '3d1e95f57a9b3d6addf362094cbcea25327662109ee6e6f4e24439393523e38f',
  layout: '29a5b01b73dafea5aa68e0971741f50d6e340110d8708a1092a15b122076da37',
  license: 'GPL',
  programs: {
    count: 'xdp',
    drop: 'xdp',
  },
  maps: {},
  variables: {
    /** .bss + 0. */
    passed: bpf.u64,
    /** .bss + 8. */
    dropped: bpf.u64,
  },
});
export type Xdp = bpf.TypedObject<(typeof xdp)['description']>;
