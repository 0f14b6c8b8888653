// Written by bpf2ts from errors.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const errors = bpf.objectType({
  name: 'errors',
  sha256: 'f365b8092ddd9099b2f9757891920eb3504c2c51b428c81c5cb133f86118404c',
  layout: 'e905e5af1dc38ceebfe71613c74b7e18dd3c8dafe826bfbd89c1fa8df95159e7',
  license: 'GPL',
  programs: {
    careless: 'tc',
    careful: 'tc',
  },
  maps: {},
  variables: {
    /** .bss + 0. */
    table: bpf.array(bpf.u32, 16),
  },
});
export type Errors = bpf.TypedObject<(typeof errors)['description']>;
