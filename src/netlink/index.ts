export type { BridgeEntry, Neighbour, Qdisc, Route } from './codec.js';
export { Ethtool, type LinkSpeed } from './ethtool.js';
export * from './monitor.js';
export * from './rtnl.js';
export { TcMonitor } from './tc-monitor.js';
export type { NetlinkTransport } from './transport.js';
