import { onTestFinished } from 'vitest';
import { GUEST_MAC, World } from '../../lab/netns/world.js';
import { daemonOf, type Lab, untilActive } from './daemon.js';

/** The second guest of `neighbours`. */
export const OTHER = { mac: '02:76:66:00:00:02', address: '10.99.0.3' };
export const FIRST_MAC = GUEST_MAC;

/** Two guests on two hosts whose bridges are joined, a daemon in each. */
export async function neighbours(first: object, second: object): Promise<[Lab, Lab]> {
  const a = new World('veth');
  onTestFinished(() => a.close());
  const b = new World('veth', OTHER);
  onTestFinished(() => b.close());
  const cable = a.hostRtnl.createVeth({ name: 'cable', peer: { name: 'cable', netnsFd: b.host } });
  for (const [w, ifindex] of [
    [a, cable.ifindex],
    [b, b.hostRtnl.link('cable')!.ifindex],
  ] as const) {
    w.hostRtnl.setLink(ifindex, { addrGenMode: 1 });
    w.hostRtnl.setLink(ifindex, { master: w.bridge });
    w.hostRtnl.setLink(ifindex, { up: true });
  }
  const labs: Lab[] = [];
  for (const [world, instance] of [
    [a, first],
    [b, second],
  ] as const) {
    const { daemon, pins } = daemonOf(world, instance);
    await daemon.start();
    const client = await daemon.client();
    onTestFinished(() => client.close());
    const lab = { world, daemon, client, pins };
    await untilActive(lab, 'primary');
    labs.push(lab);
  }
  return [labs[0]!, labs[1]!];
}
