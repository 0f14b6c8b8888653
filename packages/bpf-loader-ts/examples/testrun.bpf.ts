// Written by bpf2ts from testrun.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const testrun = bpf.objectType({
  name: 'testrun',
  sha256: 'e9040ca21e12161f82ce2e69c61f1918d12a4314f3d5dd27787902d184406e08',
  layout: '1b6f27183e8b8fb892be1234831fe46b7ec5e91697ee3abac44039d40a2556f3',
  license: 'GPL',
  programs: {
    mark: 'tc',
  },
  maps: {},
  variables: {},
});
export type Testrun = bpf.TypedObject<(typeof testrun)['description']>;
