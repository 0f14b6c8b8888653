export {
  type ArpSpec,
  gratuitousArp,
  type NeighbourSpec,
  type RarpSpec,
  rarpAnnouncement,
  unsolicitedNeighbourAdvert,
  type VlanTag,
} from '../frames/announcements.js';
export { AddressReader } from './address-reader.js';
export * from './announcer.js';
export { AnnounceWatch } from './watch.js';
