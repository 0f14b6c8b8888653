// Written by bpf2ts from look.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const look = bpf.objectType({
  name: 'look',
  sha256: '1b34b6299f30f3efa3594c8836f35f41507f8fdff458244b85976de2c783d412',
  layout: '2faf9eeb8f9bde03cdda87c4b173ae4ad367401792249929073b16f6b5d076bb',
  license: 'GPL',
  programs: {
    vf_look: 'tc',
  },
  maps: {},
  variables: {},
});
export type Look = bpf.TypedObject<(typeof look)['description']>;
