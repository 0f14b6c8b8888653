// Written by bpf2ts from tcx.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const tcx = bpf.objectType({
  name: 'tcx',
  sha256: '601a7d2819dd84dabb4416d94f54676b245153f1209ddbf5f9c847f21e6a61bf',
  layout: '3cf83e0d3880dd8cb12f010d9affa1e26b420a5fe62cd9ed7d6c8a21acf9cb9f',
  license: 'GPL',
  programs: {
    one: 'tc',
    two: 'tc',
    three: 'tc',
  },
  maps: {},
  variables: {
    /** .bss + 0. */
    order: bpf.u32,
  },
});
export type Tcx = bpf.TypedObject<(typeof tcx)['description']>;
