export type { BridgeEntry, ForwardingEntry, Neighbour, Qdisc, Route } from './codec.js';
export { Ethtool, type LinkSpeed } from './ethtool.js';
export { addUnicast, deleteUnicast, type FilterList, FilterLists } from './filters.js';
export * from './monitor.js';
export * from './qdiscs.js';
export * from './rtnl.js';
export { TcMonitor } from './tc-monitor.js';
export type { NetlinkTransport } from './transport.js';
export { bridgeVlans, createVlan, type VlanSpec } from './vlans.js';
