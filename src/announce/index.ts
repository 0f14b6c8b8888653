export { type ArpSpec, gratuitousArp, type RarpSpec, rarpAnnouncement } from '../frames/arp.js';
export { type NeighbourSpec, unsolicitedNeighbourAdvert } from '../frames/nd.js';
export type { VlanTag } from '../frames/vlan.js';
export { AddressReader } from './address-reader.js';
export * from './announcer.js';
export { AnnounceWatch } from './watch.js';
