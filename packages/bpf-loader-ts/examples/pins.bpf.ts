// Written by bpf2ts from pins.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

export const pins = bpf.objectType({
  name: 'pins',
  sha256: '00b1607bafdb702b49a43c69a204d362a6ed6d298b33007c8efe7b5a7141d152',
  layout: 'a125e809338f002db74f419d9261940a4aed4b1c0495526942ba44bfc50c0273',
  license: 'GPL',
  programs: {
    count: 'tc',
  },
  maps: {
    /** array, 1 entries. */
    frames: bpf.keyed(bpf.u32, bpf.u64),
  },
  variables: {},
});
export type Pins = bpf.TypedObject<(typeof pins)['description']>;
