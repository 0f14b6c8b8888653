import { onTestFinished } from 'vitest';
import { OpenVswitch } from '../../lab/netns/open-vswitch.js';
import type { WireKind } from '../../lab/netns/wire.js';
import { World } from '../../lab/netns/world.js';
import { fetched } from '../../lab/vm/cache.js';

/** Debian's package, unpacked in the lab's cache. */
export const openVswitchFolder = (): Promise<string> =>
  fetched('openvswitch', 'bookworm', 'openvswitch-switch+deps');

/** A world whose host switches with Open vSwitch. */
export async function openVswitchWorld(kind: WireKind): Promise<World & { hostSwitch: OpenVswitch }> {
  const folder = await openVswitchFolder();
  const w = new World(kind, undefined, (host) => new OpenVswitch({ folder, ...host }));
  onTestFinished(() => w.close());
  return w as World & { hostSwitch: OpenVswitch };
}
