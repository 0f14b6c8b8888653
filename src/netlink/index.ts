export type { Qdisc, Route } from './codec.js';
export * from './monitor.js';
export * from './rtnl.js';
export type { NetlinkTransport } from './transport.js';
