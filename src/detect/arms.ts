/** Which fallbacks of the programs the detectors of an instance allow. */
import { VfArm } from '../../bpf/vfailover.bpf.js';
import type { Path } from '../device.js';
import type { Verdicts } from './combine.js';
import { detectBase } from './record.js';
import type { Configured } from './section.js';
import { ROWS } from './table.js';
import { watched } from './watched.js';

const { VF_ARM_PRIMARY, VF_ARM_PRIMARY_SILENT, VF_ARM_STANDBY, VF_ARM_STANDBY_SILENT } = VfArm;

/** Bits that allow to leave a slave for its lost link, by path. */
export const LOST: readonly [number, number] = [VF_ARM_PRIMARY, VF_ARM_STANDBY];
/** Bit by which the policy lets detectors leave a slave, by path. */
const SILENT: readonly [number, number] = [VF_ARM_PRIMARY_SILENT, VF_ARM_STANDBY_SILENT];
const ANY_SILENT = VF_ARM_PRIMARY_SILENT | VF_ARM_STANDBY_SILENT;

/** Returns all bits by which detectors leave a slave. */
const allOf = (path: Path): number =>
  ROWS.reduce((bits, { arm }) => bits | (arm ? VfArm[arm.bits[path]] : 0), 0);
export const VERDICTS: readonly [number, number] = [allOf(0), allOf(1)];

/** A bit of `vf_arm` that detectors of an instance use. */
interface Rule {
  readonly path: Path;
  readonly bit: number;
  /** First words of the records of the detectors that share the bit. The bit stands for the first that watches the slave. */
  readonly owners: readonly number[];
}

/** Puts the rules of an instance together. */
function rulesOf(slot: number, detectors: readonly Configured[]): Rule[] {
  const rules: { path: Path; bit: number; owners: number[] }[] = [];
  for (const { row, number, config } of detectors)
    for (const path of [0, 1] as const) {
      if (row.arm === undefined || !watched(config)[path]) continue;
      const bit = VfArm[row.arm.bits[path]];
      const rule = rules.find((r) => r.bit === bit);
      const base = detectBase(slot, path, number);
      if (rule === undefined) rules.push({ path, bit, owners: [base] });
      else rule.owners.push(base);
    }
  return rules;
}

/** The fallbacks that an instance's detectors allow. Asked on every turn: nothing here allocates after construction. */
export class Arms {
  readonly #verdicts: Verdicts;
  readonly #rules: readonly Rule[];

  constructor(verdicts: Verdicts, slot: number, detectors: readonly Configured[]) {
    this.#verdicts = verdicts;
    this.#rules = rulesOf(slot, detectors);
  }

  /**
   * Returns those of the fallbacks `arms` (VfArm) that the programs may make. A fallback for a verdict is allowed only if that
   * detector's verdict would decide.
   */
  allowed(arms: number): number {
    const rules = this.#rules;
    let bits = arms & ~ANY_SILENT;
    for (let i = 0; i < rules.length; i++) {
      const { path, bit, owners } = rules[i]!;
      if ((arms & SILENT[path]!) !== 0 && this.#verdicts.decides(path, this.#owner(owners))) bits |= bit;
    }
    return bits;
  }

  #owner(owners: readonly number[]): number {
    for (let i = 0; i < owners.length - 1; i++) if (this.#verdicts.watches(owners[i]!)) return owners[i]!;
    return owners[owners.length - 1]!;
  }
}

/** Says which fallbacks of `armed` are in force, in words. `standby`: traffic could go back to a primary. */
export function armsInWords(armed: number, standby: boolean): string[] {
  const arms = [
    { bits: ['VF_ARM_PRIMARY', 'VF_ARM_STANDBY'] as const, text: (slave: string) => `${slave} unusable` },
    ...new Set(ROWS.flatMap(({ arm }) => arm ?? [])),
  ];
  return arms.flatMap(({ bits: [primary, other], text }) => [
    ...(armed & VfArm[primary] ? [`${text('primary')}: go to the standby`] : []),
    ...(armed & VfArm[other] && standby ? [`${text('standby')}: go to the primary`] : []),
  ]);
}
