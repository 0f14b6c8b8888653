// Written by bpf2ts from redirect.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const redirect = bpf.objectType({
  name: 'redirect',
  sha256: '3073c6de06b735ed8c4e1f18405a55220ef5aa82d58890088b484cd01862917a',
  layout: 'aa99f98aead37da49c409470da8cfdb8032ee991580354838eb453970503c6f2',
  license: 'GPL',
  programs: {
    forward: 'xdp',
    arrive: 'xdp',
  },
  maps: {
    /** devmap, 4 entries. */
    ports: bpf.devMap,
  },
  variables: {
    /** .bss + 0. */
    arrived: bpf.u64,
  },
});
export type Redirect = bpf.TypedObject<(typeof redirect)['description']>;
