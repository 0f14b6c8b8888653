import type { Direction } from 'bpf-loader-ts';
import type { Vfailover, VfModel } from '../../bpf/vfailover.bpf.js';
import type { Part, Path } from '../device.js';

/** What the core must know of a model: how its master and slaves relate. Code asks for a trait, never for a model's name. */
export interface ModelTraits {
  /** The master netdev is itself the standby slave, as with Hyper-V's netvsc. */
  readonly standbyIsMaster: boolean;
  /** The slaves belong to the master (IFLA_MASTER), which sets their MTU and opens and closes them. */
  readonly masterOwnsSlaves: boolean;
  /** Slaves must have the master's MAC. False only where a guest's MAC is steered between ports of a host. */
  readonly sameMac: boolean;
}

/** A place on a device where one of our programs goes. */
export interface Hook {
  readonly name: 'steer' | 'accept' | 'guard' | 'deliver';
  readonly program: keyof Vfailover['programs'];
  readonly on: Part;
  readonly direction: Direction;
  /**
   * True: what comes behind it sees no frame that it redirects. It goes last, so that programs of others see every frame whatever slave is
   * active. The others let frames pass, and go first.
   */
  readonly redirects: boolean;
}

/** A model that has a datapath: its traits, and what differs between models outside the programs. Each is a file of this folder. */
export interface SteeredModel extends ModelTraits {
  /** Its number in the pinned identity, by the name that bpf/vfailover.h gives it. The programs know it as `vf_model`. */
  readonly constant: keyof typeof VfModel;
  /** The path that frames take when no program steers them: safe while a program is missing. The other one needs them all. */
  readonly rest: Path;
  /** Where its programs are. */
  readonly hooks: readonly Hook[];
  /** Names of takeovers (src/slave/table.ts) that its slaves do without, since the kernel does them already. */
  readonly kernelTakesOver: readonly string[];
}
