import { closeFd, netnsCreate } from 'bpf-loader-ts/sys';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FilterLists, Rtnl } from '../../src/netlink/index.js';
import { groupsOf } from '../helpers/filters.js';

let ns: number;
let rtnl: Rtnl;
let lists: FilterLists;
beforeEach(() => {
  ns = netnsCreate();
  rtnl = new Rtnl({ netns: ns });
  lists = new FilterLists({ netns: ns });
});
afterEach(() => {
  lists.close();
  rtnl.close();
  closeFd(ns);
});

const devices = (count: number): number[] => {
  const made = Array.from(
    { length: count },
    (_, i) => rtnl.createVeth({ name: `a${i}`, peer: { name: `b${i}` } }).ifindex,
  );
  lists.look();
  return made;
};

test('allmulti of more devices than one look asks is seen in turn, and of each device', () => {
  const all = devices(20);
  const asker = {};
  for (const ifindex of all) expect(lists.allmulti(ifindex, asker)).toBe(false);
  for (const ifindex of all) rtnl.setLink(ifindex, { allmulti: true });
  const before = all.map(lists.changes);
  for (let i = 0; i < 3; i++) lists.look();
  expect(all.map((ifindex) => lists.allmulti(ifindex, asker))).toEqual(all.map(() => true));
  expect(all.map((ifindex, i) => lists.changes(ifindex) - before[i]!)).toEqual(all.map(() => 1));
});

test('a device is asked as long as somebody follows it; one that is gone has no allmulti', () => {
  const [ifindex] = devices(1);
  const [one, other] = [{}, {}];
  const before = lists.changes(ifindex!);
  lists.allmulti(ifindex!, one);
  lists.allmulti(ifindex!, other);
  lists.forget(ifindex!, one);
  rtnl.setLink(ifindex!, { allmulti: true });
  lists.look();
  expect(lists.changes(ifindex!) - before).toBe(1);
  lists.forget(ifindex!, other);
  rtnl.setLink(ifindex!, { allmulti: false });
  lists.look();
  expect(lists.changes(ifindex!) - before).toBe(1);
  rtnl.setLink(ifindex!, { allmulti: true });
  expect(lists.allmulti(ifindex!, one)).toBe(true);
  rtnl.deleteLink(ifindex!);
  lists.look();
  expect(lists.allmulti(ifindex!, one)).toBe(false);
});

test('a dump in many parts is read to its end each time', () => {
  const [ifindex, other] = devices(2);
  lists.changeGroups(ifindex!, true, groupsOf(1000));
  lists.read();
  const { size } = lists.of(ifindex!).groups;
  expect(size).toBeGreaterThanOrEqual(1000);
  for (let i = 0; i < 30; i++) {
    const before = [lists.changes(ifindex!), lists.changes(other!)];
    lists.changeGroups(ifindex!, true, groupsOf(1, 2000 + i));
    expect(lists.read()).toBe(true);
    expect(lists.of(ifindex!).groups.size).toBe(size + 1 + i);
    expect(lists.read()).toBe(false);
    expect([lists.changes(ifindex!), lists.changes(other!)]).toEqual([before[0]! + 1, before[1]]);
  }
});
