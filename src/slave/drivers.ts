/**
 * What is known of a driver's filters. The kernel's interface cannot say it: a driver is told which lists apply and answers nothing.
 * A limit stands here only if it was measured.
 */
export interface DriverLimits {
  /** Groups that the driver programs; it drops the rest without a word. Absent: no limit is known. */
  readonly groups?: number;
  /** False: the driver ignores allmulti. */
  readonly allmulti?: false;
  /** False: the driver ignores promisc. */
  readonly promisc?: false;
  /** MACs beside its own that it can ask its host for, and it does not tell whether the host allows any. */
  readonly unicast?: number;
  /** True: the host's driver obeys promisc only for a VF that it trusts, and tells the VF nothing (their sources). */
  readonly trust?: true;
}

const LIMITS: ReadonlyMap<string, DriverLimits> = new Map([
  // Linux 6.1 to 7.3, QEMU 10: one mailbox message holds 30 groups, and there is no message for promisc or allmulti. It can ask for three
  // more MACs, with more for none. Its host refuses them to a VF whose MAC it has set itself, unless it trusts the VF; the driver ignores the answer.
  ['igbvf', { groups: 30, allmulti: false, promisc: false, unicast: 3 }],
  // Linux's sources: i40e and ixgbe, which serve these, acknowledge what they do not do for a VF that is not trusted.
  ['iavf', { trust: true }],
  ['ixgbevf', { trust: true }],
]);

/** What is known of a driver, by ethtool's name for it. */
export const limitsOf = (driver: string | undefined): DriverLimits =>
  (driver !== undefined && LIMITS.get(driver)) || {};
