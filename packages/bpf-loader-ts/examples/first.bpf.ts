// Written by bpf2ts from first.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const first = bpf.objectType({
  name: 'first',
  sha256: '0412337eaf5bf83fc269156cc0c6a8e7d5dd0aef55f3aeed03953e093a5a18ca',
  layout: '29d55da6dd4511b5b55af64d2faa80e822ddc09b4dcca5df23400ccd405704f4',
  license: 'GPL',
  programs: {
    count: 'tc',
  },
  maps: {},
  variables: {
    /** .bss + 0. */
    packets: bpf.u64,
  },
});
export type First = bpf.TypedObject<(typeof first)['description']>;
