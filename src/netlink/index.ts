export type { BridgeEntry, Qdisc } from './codec.js';
export { Ethtool, type LinkSpeed } from './ethtool.js';
export * from './monitor.js';
export * from './rtnl.js';
export type { NetlinkTransport } from './transport.js';
