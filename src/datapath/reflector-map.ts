import { VfReflect } from '../../bpf/vfailover.bpf.js';
import { onWire, REFLECTOR, REFLECTOR_WORDS, reflectorBase } from './offsets.js';

/** An S-BFD reflector as the programs have it. */
export interface ReflectorKey {
  /** 1 to 4 each. */
  discriminators: readonly number[];
  /** 4 or 16 bytes each. */
  addresses: readonly Uint8Array[];
  vlan: number | undefined;
  ttlMin: number;
  rxIntervalUs: number;
  up: boolean;
  /** Of the master. */
  mac: Uint8Array;
}

/** Why packets were refused, by the number of the count. */
const REASONS = {
  ttl: VfReflect.VF_REFLECT_TTL,
  'not for us alone': VfReflect.VF_REFLECT_GROUP,
  source: VfReflect.VF_REFLECT_SOURCE,
  form: VfReflect.VF_REFLECT_FORM,
  discriminator: VfReflect.VF_REFLECT_DISCR,
  'an answer': VfReflect.VF_REFLECT_DEMAND,
} as const;
export type ReflectorReason = keyof typeof REASONS;

export interface ReflectorCounts {
  answered: number;
  refused: Record<ReflectorReason, number>;
}

const UP = 0xc0;

/** Reflectors as mapped memory, over all slots. */
export class ReflectorMap {
  readonly #words: Int32Array;
  readonly #bytes: Uint8Array;

  constructor(words: Int32Array) {
    this.#words = words;
    this.#bytes = new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
  }

  /** From now on the programs answer, as `key` says. Counts go on where there was one before. */
  open(slot: number, key: ReflectorKey): void {
    const words = this.#words;
    const at = reflectorBase(slot);
    // The first discriminator is the switch: off while the rest changes.
    Atomics.store(words, at + REFLECTOR.discr, 0);
    for (let i = 0; i < 4; i++) {
      const address = key.addresses[i];
      words[at + REFLECTOR.family + i] = address === undefined ? 0 : address.length === 4 ? 4 : 6;
      this.#bytes.fill(0, 4 * (at + REFLECTOR.local) + 16 * i, 4 * (at + REFLECTOR.local) + 16 * (i + 1));
      if (address !== undefined) this.#bytes.set(address, 4 * (at + REFLECTOR.local) + 16 * i);
      if (i > 0) words[at + REFLECTOR.discr + i] = onWire(key.discriminators[i] ?? 0);
    }
    words[at + REFLECTOR.vlan] = key.vlan ?? 0;
    words[at + REFLECTOR.ttl] = key.ttlMin;
    words[at + REFLECTOR.min_rx] = onWire(key.rxIntervalUs);
    words[at + REFLECTOR.state] = key.up ? UP : 0;
    this.#bytes.set(key.mac, 4 * (at + REFLECTOR.mac));
    Atomics.store(words, at + REFLECTOR.discr, onWire(key.discriminators[0]!));
  }

  /** Nothing is answered, and nothing has been. */
  close(slot: number): void {
    const at = reflectorBase(slot);
    Atomics.store(this.#words, at + REFLECTOR.discr, 0);
    this.#words.fill(0, at, at + REFLECTOR_WORDS);
  }

  read(slot: number): ReflectorCounts {
    const at = reflectorBase(slot);
    const low = this.#words[at + REFLECTOR.answered]! >>> 0;
    const high = this.#words[at + REFLECTOR.answered + 1]! >>> 0;
    const of = (why: ReflectorReason): number => this.#words[at + REFLECTOR.refused + REASONS[why]]! >>> 0;
    const names = Object.keys(REASONS) as ReflectorReason[];
    return {
      answered: high * 4294967296 + low,
      refused: Object.fromEntries(names.map((n) => [n, of(n)])) as Record<ReflectorReason, number>,
    };
  }
}
