import type { Path } from '../device.js';
import { PRIMARY, STANDBY } from '../device.js';
import { STEERED, type SteeredName } from '../models/table.js';
import { lineBase } from './line.js';
import {
  BFD_WORDS,
  bfdBase,
  LINE,
  LINE_WORDS,
  PROBING_WORDS,
  probingBase,
  WATCH_WORDS,
  watchBase,
} from './offsets.js';
import type { PinStore } from './store.js';

/** What a new instance's slot begins with. */
export interface SlotInit {
  store: PinStore;
  name: string;
  model: SteeredName;
  /** Inode of the namespace that the devices live in. */
  netns: number;
  masterIfindex: number;
  mac: string;
  attach: 'tcx' | 'clsact';
  /** The path that carries traffic now; a new instance begins there, so that attaching moves nothing. */
  active: Path;
}

/** Fills a free slot: its line and identity, and nothing of an earlier instance in the other maps. */
export function beginSlot(init: SlotInit, slot: number): void {
  const { store, name, model, netns, masterIfindex, mac, attach, active } = init;
  const base = lineBase(slot);
  const standbyIfindex = STEERED[model].standbyIsMaster ? masterIfindex : 0;
  store.counters.clear(slot);
  store.lines.fill(0, base, base + LINE_WORDS);
  store.watches.fill(0, watchBase(slot, PRIMARY), watchBase(slot, STANDBY) + WATCH_WORDS);
  store.probes.int32().fill(0, probingBase(slot), probingBase(slot) + PROBING_WORDS);
  store.bfd.fill(0, bfdBase(slot), bfdBase(slot) + BFD_WORDS);
  store.reflectors.close(slot);
  store.undo.clear(slot);
  store.kept.clear(slot);
  for (const at of [LINE.word, LINE.seen_tx, LINE.seen_rx]) store.lines[base + at] = active;
  store.lines[base + LINE.master_ifindex] = masterIfindex;
  store.lines[base + LINE.standby_ifindex] = standbyIfindex;
  store.identities.write(slot, {
    name,
    model,
    netns,
    masterIfindex,
    primaryIfindex: 0,
    standbyIfindex,
    mac,
    undo: 0,
    attach,
    override: 0,
    overrideUntilNs: 0,
    maintenance: 0,
    switches: 0,
    seenWord: active,
  });
}
