// Written by bpf2ts from tailcalls.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const tailcalls = bpf.objectType({
  name: 'tailcalls',
  sha256: '9af88c11014677bfbd675ed7d157864249d6e0a7c24be3d89bd3cd90a50f6bcc',
  layout: '40e2a010bd47a2a0ffda292e8bd71356c72b694ad2bccd9b40a8df7b99f2463f',
  license: 'GPL',
  programs: {
    entry: 'tc',
    accept: 'tc',
    reject: 'tc',
  },
  maps: {
    /** array_of_maps, 1 entries. */
    policies: bpf.mapOfMaps,
    /** prog_array, 2 entries. */
    stages: bpf.programArray,
  },
  variables: {},
});
export type Tailcalls = bpf.TypedObject<(typeof tailcalls)['description']>;
