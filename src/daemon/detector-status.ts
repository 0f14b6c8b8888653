import type { DetectorStatus } from '../api/index.js';
import { monotonicMs } from '../clock.js';
import { ackTimeoutUs } from '../config/index.js';
import { DIAG_NAMES, DISCARD_NAMES, STATE_NAMES as STATE_NAMES_BFD } from '../detect/bfd/packet.js';
import {
  B_DETECT_US,
  B_ECHO_US,
  B_INTERVAL_US,
  B_REASON,
  B_REFUSED,
  B_SESSION,
  B_STRIKES,
  B_UNTIL_MS,
} from '../detect/bfd/verdict.js';
import {
  BFD,
  D_SINCE_MS,
  D_STATE,
  DETECTORS,
  type DetectorName,
  detectBase,
  STATE_DOWN,
  STATE_NAMES,
  STATE_OFF,
  STATE_OK,
  UNANSWERED,
} from '../detect/record.js';
import { U_UNTIL_MS } from '../detect/unanswered/state.js';
import { watched } from '../detect/watched.js';
import { type Path, roleOf } from '../device.js';
import type { Managed } from './managed.js';
import { describeProbes, describeWitness } from './probe-status.js';

/** What a detector sees on a path, and what would change its mind, in words; undefined: it is not configured. */
export type Describe = (
  m: Managed,
  path: Path,
  records: Int32Array,
) => Pick<DetectorStatus, 'detail' | 'to_switch'> | undefined;

const us = (ns: number): string => (ns < 10e6 ? `${Math.round(ns / 1e3)} µs` : `${Math.round(ns / 1e6)} ms`);

function unanswered({ config, datapath }: Managed, path: Path, records: Int32Array): ReturnType<Describe> {
  const o = config.detect.unanswered;
  if (o === undefined) return undefined;
  const watch = datapath.watch(path);
  const base = detectBase(datapath.slot, path, UNANSWERED);
  const limit = us(o.timeout_us * 1e3);
  const history = watch.fired === 0 ? '' : `; fell silent ${watch.fired} times`;
  if (records[base + D_STATE] === STATE_DOWN) {
    const left = (records[base + U_UNTIL_MS]! - monotonicMs()) | 0;
    return {
      detail: `${watch.firedFrames} frames unanswered for ${us(watch.firedWaitUs * 1e3)}${history}`,
      to_switch: `tried again in ${Math.max(0, left)} ms, sooner if it is in use and answers`,
    };
  }
  const ack = us(ackTimeoutUs(o) * 1e3);
  return {
    detail: `longest silence ${us(watch.longestNs)} of ${limit}${history}`,
    to_switch: `${o.min_frames} frames that expect an answer in use, and none received for ${limit}; ${ack} if they are merely acknowledged`,
  };
}

function bfd({ config, datapath, supplier }: Managed, path: Path, records: Int32Array): ReturnType<Describe> {
  const o = config.detect.bfd;
  if (o === undefined) return undefined;
  const base = detectBase(datapath.slot, path, BFD);
  const refused = records[base + B_REFUSED]! >>> 0;
  const reason = records[base + B_REASON]!;
  const latest = reason === 0 ? '' : `, the latest for its ${DISCARD_NAMES[reason]}`;
  const echo = records[base + B_ECHO_US]!;
  const more = [
    ...(echo === 0
      ? []
      : [echo > 0 ? `an echo packet each ${us(echo * 1e3)}` : 'no echo packet has come back yet']),
    ...(refused === 0 ? [] : [`${refused} packets refused${latest}`]),
    ...(datapath.bfd?.missing ? [datapath.bfd.missing] : []),
  ]
    .map((text) => `; ${text}`)
    .join('');
  const state = records[base + D_STATE]!;
  if (state === STATE_DOWN) {
    const left = (records[base + B_UNTIL_MS]! - monotonicMs()) | 0;
    return {
      detail: `the session with ${o.peer} fell ${records[base + B_STRIKES]} times${more}`,
      to_switch: `tried again in ${Math.max(0, left)} ms, sooner if the session comes up on it`,
    };
  }
  if (state === STATE_OFF)
    return {
      detail: `the session with ${o.peer} runs on the active slave${more}`,
      to_switch: 'to become the active slave',
    };
  const session = records[base + B_SESSION]!;
  const name = STATE_NAMES_BFD[session & 0xff];
  const diag = DIAG_NAMES[(session >> 8) & 0xff] ?? 'unknown';
  const detect = us(records[base + B_DETECT_US]! * 1e3);
  return state === STATE_OK
    ? {
        detail: `${name} with ${o.peer}, a packet each ${us(records[base + B_INTERVAL_US]! * 1e3)}${more}`,
        to_switch:
          echo > 0
            ? `no packet from ${o.peer} for ${detect}, or no echo packet back for ${us(echo * o.multiplier * 1e3)}`
            : `no packet from ${o.peer} for ${detect}`,
      }
    : {
        detail: `${name} with ${o.peer}, last diagnostic: ${diag}${supplier.peer?.mac === null ? `; ${supplier.peer.detail}` : ''}${more}`,
        to_switch: 'the session must first come up',
      };
}

/** A new detector adds itself here. */
const DESCRIBE: Readonly<Record<DetectorName, Describe>> = {
  unanswered,
  probe: describeProbes,
  witness: describeWitness,
  bfd,
};

/** Their sections in the configuration. */
const SECTION = { unanswered: 'unanswered', witness: 'witness', probe: 'probes', bfd: 'bfd' } as const;

/** Of a slave that the detector is not to watch. */
function unwatched(name: DetectorName, path: Path): ReturnType<Describe> {
  return {
    detail: `not watched${name === 'bfd' ? ', though the session runs here while this slave is active' : ''}`,
    to_switch: `nothing: detect.${SECTION[name]}.slaves does not name the ${roleOf(path)}`,
  };
}

/** The detectors that an instance's configuration asks for, as they stand for one of its paths. */
export function detectorStatus(m: Managed, path: Path, records: Int32Array): DetectorStatus[] {
  return DETECTORS.flatMap((name, kind) => {
    const section = m.config.detect[SECTION[name]];
    if (section === undefined) return [];
    const words = watched(section)[path] ? DESCRIBE[name](m, path, records) : unwatched(name, path);
    if (words === undefined) return [];
    const base = detectBase(m.datapath.slot, path, kind);
    const since = records[base + D_SINCE_MS]!;
    const ageMs = (monotonicMs() - since) | 0;
    return [
      {
        name,
        state: STATE_NAMES[records[base + D_STATE]!] ?? 'off',
        since: since === 0 ? null : new Date(Date.now() - ageMs).toISOString(),
        ...words,
      },
    ];
  });
}
