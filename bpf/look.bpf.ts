// Written by bpf2ts from look.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const look = bpf.objectType({
  name: 'look',
  sha256: 'd9151f78cc844b831fd7e90ffc384b5086dae9996a590ceae1c772d8844e3a92',
  layout: '446e09adf3532d059a3116728a2cc2b3dbef8ef9ea9ff2baa9936d7221e6da72',
  license: 'GPL',
  programs: {
    vf_look: 'tc',
  },
  maps: {},
  variables: {},
});
export type Look = bpf.TypedObject<(typeof look)['description']>;
