// Written by bpf2ts from queue.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const queue = bpf.objectType({
  name: 'queue',
  sha256: '0007cb0b7ca3b51f63ff41d6a0065a15e66bd0c968818c5a9ee6101e3c828407',
  layout: '91a34e902b28da4f7af9168b2cc0a2560c1b2eaaf5f5c6ae300fea13dc9afc2a',
  license: 'GPL',
  programs: {
    work: 'tc',
  },
  maps: {
    /** queue, 16 entries. */
    jobs: bpf.queued(bpf.u32),
    /** bloom_filter, 1000 entries. */
    known: bpf.bloom(bpf.u32),
    /** stack, 16 entries. */
    done: bpf.queued(bpf.u32),
  },
  variables: {},
});
export type Queue = bpf.TypedObject<(typeof queue)['description']>;
