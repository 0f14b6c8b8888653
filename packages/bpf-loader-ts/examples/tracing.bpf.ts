// Written by bpf2ts from tracing.bpf.o. Do not edit: run bpf2ts again.
import * as bpf from 'bpf-loader-ts';

/** struct event: 64 bytes. */
export const Event = bpf.struct('struct event', 64, {
  pid: bpf.field(0, bpf.u32),
  filename: bpf.field(4, bpf.chars(60)),
});
export type Event = bpf.Value<typeof Event>;
export type EventInit = bpf.Input<typeof Event>;
/** struct event where it lies. */
export class EventView extends bpf.StructView {
  get pid(): number { return this.$view.getUint32(this.$at, true); }
  set pid(value: number) { this.$view.setUint32(this.$at, value, true); }
  get filename(): bpf.Value<typeof Event.fields.filename.codec> { return Event.fields.filename.codec.read(this.$view, this.$at + 4); }
  set filename(value: bpf.Input<typeof Event.fields.filename.codec>) { Event.fields.filename.codec.write(this.$view, this.$at + 4, value, 'filename'); }
}

export const tracing = bpf.objectType({
  name: 'tracing',
  sha256: '31b190c53be2bf4e4aaf8f8aa7349843ce5455553d6178edf3add6646dc7f967',
  layout: '31a0ff1fd7bc510eeb16890c8e43234be18551dc34dd52b0d01b78b3cb648dd0',
  license: 'GPL',
  programs: {
    on_exec: 'tp_btf/sched_process_exec',
    on_exit: 'raw_tp',
  },
  maps: {
    /** ringbuf, 65536 entries. */
    events: bpf.untyped,
  },
  variables: {
    /** .rodata + 0. */
    event_type: Event,
    /** .bss + 0. */
    exits: bpf.u32,
  },
});
export type Tracing = bpf.TypedObject<(typeof tracing)['description']>;
