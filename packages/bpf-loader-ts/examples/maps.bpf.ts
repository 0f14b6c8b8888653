// Written by bpf2ts from maps.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

/** struct prefix: 8 bytes. */
export const Prefix = bpf.struct('struct prefix', 8, {
  bits: bpf.field(0, bpf.u32),
  address: bpf.field(4, bpf.bytes(4)),
});
export type Prefix = bpf.Value<typeof Prefix>;
export type PrefixInit = bpf.Input<typeof Prefix>;
/** struct prefix where it lies. */
export class PrefixView extends bpf.StructView {
  get bits(): number { return this.$view.getUint32(this.$at, true); }
  set bits(value: number) { this.$view.setUint32(this.$at, value, true); }
  get address(): bpf.Value<typeof Prefix.fields.address.codec> { return Prefix.fields.address.codec.read(this.$view, this.$at + 4); }
  set address(value: bpf.Input<typeof Prefix.fields.address.codec>) { Prefix.fields.address.codec.write(this.$view, this.$at + 4, value, 'address'); }
}

/** struct zone: 8 bytes. */
export const Zone = bpf.struct('struct zone', 8, {
  name: bpf.field(0, bpf.chars(8)),
});
export type Zone = bpf.Value<typeof Zone>;
export type ZoneInit = bpf.Input<typeof Zone>;
/** struct zone where it lies. */
export class ZoneView extends bpf.StructView {
  get name(): bpf.Value<typeof Zone.fields.name.codec> { return Zone.fields.name.codec.read(this.$view, this.$at); }
  set name(value: bpf.Input<typeof Zone.fields.name.codec>) { Zone.fields.name.codec.write(this.$view, this.$at, value, 'name'); }
}

export const maps = bpf.objectType({
  name: 'maps',
  sha256: '222d0dd03c23b68a7ec99949a49c3132c6321dd76539ccf1896864c3f94ab0ec',
  layout: '0dd48d1e678f406228148ad46e58ce9d3a196a581873e27d5d3379c5bd97c803',
  license: 'GPL',
  programs: {
    account: 'tc',
  },
  maps: {
    /** lru_hash, 1000 entries. */
    last_seen: bpf.keyed(bpf.u32, bpf.u64),
    /** percpu_array, 1 entries. */
    bytes: bpf.perCpu(bpf.u32, bpf.u64),
    /** lpm_trie, 1024 entries. */
    routes: bpf.keyed(Prefix, Zone),
    /** hash, 64 entries. */
    packets: bpf.keyed(Zone, bpf.u64),
  },
  variables: {},
});
export type Maps = bpf.TypedObject<(typeof maps)['description']>;
