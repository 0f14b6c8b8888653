import type { Device, Path, Role } from '../device.js';
import type { VfError } from '../errors.js';
import type { ModelTraits } from '../models/model.js';
import type { ModelName } from '../models/table.js';
import type { MatchRules } from './match.js';

export type SlaveState = 'absent' | 'joining' | 'joined' | 'refused';

/** A slot as seen from outside. */
export interface SlaveView {
  readonly role: Role;
  readonly state: SlaveState;
  /** The slave; with `refused`, the device that was turned down (the first, if there are several). */
  readonly device?: Device;
  /** Why, with `refused`. */
  readonly error?: VfError;
  /** When a refused device is tried again by itself; absent if only an event can change the answer. */
  readonly retryAtMs?: number;
  /** Failed tries in a row. */
  readonly attempts?: number;
}

/** An instance as its ops, and everybody else outside the registry, see it: facts of this moment. */
export interface InstanceView {
  readonly name: string;
  /** Slot of the instance in the maps. */
  readonly index: number;
  readonly model: ModelName;
  readonly traits: ModelTraits;
  readonly rules: MatchRules;
  /** The latest facts of the master. */
  readonly master: Device;
  /** Both slots, the primary's first. */
  readonly slaves: readonly SlaveView[];
  /** `ok`: both slaves are ready. `degraded`: one. `down`: none. */
  readonly health: 'ok' | 'degraded' | 'down';
  /** The carrier to give a master of ours: true if either slave is ready. */
  readonly carrier: boolean;
  slave(role: Role): SlaveView;
  /** The joined device of a path. */
  deviceOf(path: Path): Device | undefined;
  /** The role in which the device is joined here, if it is. */
  roleHeldBy(ifindex: number): Role | undefined;
  /** True if the slave is joined and able to carry frames. */
  ready(role: Role): boolean;
  /** The MTUs that master and slaves all accept, bytes. */
  mtuLimits(): { min: number; max: number };
}
