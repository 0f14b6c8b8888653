// Written by bpf2ts from inspect.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const inspect = bpf.objectType({
  name: 'inspect',
  sha256: 'd3e5e00f25cea5dbe3bc258714d376530b990f63fa3addd565794731ff1fd693',
  layout: '473955a87bbdec92457d14808e1663df28862d7dcd2c1b561734a4bc918a442b',
  license: 'GPL',
  programs: {
    at_xdp: 'xdp',
    at_tc: 'tc',
  },
  maps: {},
  variables: {},
});
export type Inspect = bpf.TypedObject<(typeof inspect)['description']>;
