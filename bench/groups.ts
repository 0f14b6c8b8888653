import type { Group } from './context.js';
import { carrier } from './groups/carrier.js';
import { events } from './groups/events.js';
import { flips } from './groups/flips.js';
import { groupFlood } from './groups/group-flood.js';
import { hooks } from './groups/hooks.js';
import { idle } from './groups/idle.js';
import { loader } from './groups/loader.js';
import { openVswitch } from './groups/open-vswitch.js';
import { primitives } from './groups/primitives.js';
import { programs } from './groups/programs.js';
import { sessions } from './groups/sessions.js';
import { manySessions } from './groups/sessions-many.js';
import { calmPairs, pairs } from './groups/sessions-pair.js';
import { silence } from './groups/silence.js';
import { tcp } from './groups/tcp.js';
import { udp } from './groups/udp.js';
import type { GroupName } from './options.js';

/** A part of a group. */
export interface Part {
  run: Group;
  /** It is one step. Otherwise it names its steps itself. */
  whole?: true;
}

/** The parts of each group, in the order in which they are measured. */
export const PARTS: Record<GroupName, readonly Part[]> = {
  a: [{ run: programs, whole: true }],
  b: [{ run: tcp }, { run: udp }],
  c: [{ run: carrier }, { run: openVswitch, whole: true }],
  d: [{ run: flips }, { run: groupFlood, whole: true }],
  e: [{ run: idle }, { run: hooks }],
  f: [{ run: events }, { run: primitives, whole: true }],
  g: [{ run: loader }],
  h: [{ run: silence }],
  i: [
    { run: sessions, whole: true },
    { run: pairs, whole: true },
    { run: calmPairs, whole: true },
    { run: manySessions },
  ],
};
