/** How master and slaves relate (design.md, "Models"). */
export type Model = 'transparent' | 'net-failover' | 'hidden' | 'uplink';

/** What the core must know of a model. Code asks for a trait, never for a model's name. */
export interface ModelTraits {
  /**
   * The master netdev is itself the standby slave (`transparent`: the virtio netdev; as Hyper-V's netvsc).
   */
  readonly standbyIsMaster: boolean;
  /** The slaves belong to the master (IFLA_MASTER), which sets their MTU and opens and closes them: the kernel's net_failover. */
  readonly masterOwnsSlaves: boolean;
  /** Slaves must have the master's MAC. False only where a guest's MAC is steered between ports of a host. */
  readonly sameMac: boolean;
}

export const MODELS: Readonly<Record<Model, ModelTraits>> = {
  transparent: { standbyIsMaster: true, masterOwnsSlaves: false, sameMac: true },
  'net-failover': { standbyIsMaster: false, masterOwnsSlaves: true, sameMac: true },
  hidden: { standbyIsMaster: false, masterOwnsSlaves: false, sameMac: true },
  uplink: { standbyIsMaster: false, masterOwnsSlaves: false, sameMac: false },
};
