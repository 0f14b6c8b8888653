import type { HookPlace } from '../datapath/attachments.js';
import type { Other, Survey } from '../datapath/hook-survey.js';
import type { AttachKind } from '../datapath/hooks.js';
import type { Shortfall } from '../impairments.js';

/** What conflicts are told of: pure facts. */
export interface Scene {
  readonly kind: AttachKind;
  readonly master: string;
  /** Name of the slave that our programs send to and deliver from; undefined: none is joined. */
  readonly slave: string | undefined;
  readonly surveys: readonly (HookPlace & Survey)[];
  /** XDP programs by the device's name, in words: `xdp_drop (id 17, generic)`. */
  readonly xdp: ReadonlyMap<string, string>;
  /** Kinds of the qdiscs that shape what leaves by a device, by its name. */
  readonly qdiscs: ReadonlyMap<string, string>;
}

/** Qdiscs that only order what waits: nothing is missed when frames leave past them. */
const PLAIN = new Set([
  '',
  'noqueue',
  'mq',
  'pfifo',
  'bfifo',
  'pfifo_fast',
  'pfifo_head_drop',
  'fq_codel',
  'codel',
]);

const list = (others: readonly Other[]): string => others.map((o) => o.text).join(', ');

/** Programs, filters and qdiscs of others that do not see what they should, or keep ours from seeing it. */
export function conflicts(scene: Scene): Shortfall[] {
  return [
    ...scene.surveys.filter((s) => s.attached).flatMap((s) => atHook(scene, s)),
    ...xdp(scene),
    ...qdisc(scene),
  ];
}

const deviceOf = ({ master, slave }: Scene, { hook }: HookPlace): string =>
  hook.on === 'master' ? master : (slave ?? 'the slave');

function atHook(scene: Scene, s: HookPlace & Survey): Shortfall[] {
  const where = `${deviceOf(scene, s)} ${s.hook.direction}`;
  const found: Shortfall[] = [];
  if (s.hook.redirects && s.after.length > 0)
    found.push({
      key: `behind ${s.hook.name}`,
      severity: 'degraded',
      message: `${list(s.after)} at ${where} comes after ${s.hook.program} and does not see the frames that it ${effectOf(scene, s)}`,
      fix: fixBehind(scene, s),
    });
  if (s.before.length > 0)
    found.push({
      key: `before ${s.hook.name}`,
      severity: 'note',
      message: `${list(s.before)} at ${where} runs before ${s.hook.program}: a frame for which it ends the chain ${missed(scene, s)}`,
      fix: 'let it return TCX_NEXT (TC_ACT_UNSPEC, -1) for frames that it lets pass',
    });
  return found;
}

const effectOf = ({ master, slave }: Scene, { hook }: HookPlace): string =>
  hook.name === 'steer' ? `sends by ${slave ?? 'the other slave'}` : `takes to ${master}`;

function fixBehind({ kind, master }: Scene, { hook, after }: HookPlace & Survey): string {
  if (hook.name === 'deliver')
    return `attach it to the ingress of ${master}, where frames of both slaves pass`;
  if (kind === 'tcx' && after.some((o) => o.by === 'filter'))
    return 'set `attach: clsact` for the instance: then ours comes after other filters; or attach it by TCX';
  return 'give it a priority below 65382';
}

function missed({ master, slave }: Scene, { hook }: HookPlace): string {
  switch (hook.name) {
    case 'steer':
      return `leaves by ${master} itself, whichever slave is active`;
    case 'deliver':
      return `never reaches ${master}`;
    case 'guard':
      return `is lost when ${slave ?? 'the slave'} has just died`;
    case 'accept':
      return 'is not counted, its second copy not dropped, and no answer to a probe';
  }
}

function xdp({ master, slave, xdp: programs }: Scene): Shortfall[] {
  const found: Shortfall[] = [];
  const [on, under] = [programs.get(master), slave === undefined ? undefined : programs.get(slave)];
  if (on !== undefined && slave !== undefined)
    found.push({
      key: 'xdp of the master',
      severity: 'degraded',
      message: `the XDP program ${on} on ${master} does not see what arrives by ${slave}`,
      fix: `attach it to ${slave} as well, or attach a tc program to the ingress of ${master} instead`,
    });
  if (under !== undefined)
    found.push({
      key: 'xdp of the slave',
      severity: 'note',
      message: `the XDP program ${under} on ${slave} runs before vf_deliver: a frame that it does not let pass never reaches ${master}`,
    });
  return found;
}

function qdisc({ master, slave, qdiscs }: Scene): Shortfall[] {
  if (slave === undefined) return [];
  const [here, there] = [qdiscs.get(master) ?? '', qdiscs.get(slave) ?? ''];
  if (PLAIN.has(here) || here === there) return [];
  return [
    {
      key: 'qdisc',
      severity: 'note',
      message: `what leaves by ${slave} passes its own qdisc (${there || 'none'}), not ${here} of ${master}`,
      fix: `give ${slave} the same: \`tc qdisc replace dev ${slave} root ${here} …\``,
    },
  ];
}
