/**
 * The detectors: a row each. Whatever names them all reads this table: the configuration, the decision workers, `status`, causes of
 * decisions. It is read by light commands as well, so it loads no half, no addon and no bindings: halves are imported when they are asked
 * for, and bits go by their names.
 */
import { CAUSE_BFD, CAUSE_PROBE, CAUSE_UNANSWERED, CAUSE_WITNESS } from '../policy/record.js';
import { bfdSchema } from './bfd/section.js';
import { type Arm, type Row, row } from './detector.js';
import { probesSchema } from './probe/section.js';
import { unansweredSchema } from './unanswered/section.js';
import { witnessSchema } from './witness/section.js';

/** The watchdog's and the probes'. */
const SILENT: Arm = {
  bits: ['VF_ARM_PRIMARY_SILENT', 'VF_ARM_STANDBY_SILENT'],
  text: (slave) => `${slave} silent`,
};

/** In the order in which their verdicts are told. */
export const DETECTORS = [
  row({
    name: 'unanswered',
    key: 'unanswered',
    section: unansweredSchema.describe(
      'watchdog: frames that expect an answer are sent, and nothing is received',
    ),
    cause: CAUSE_UNANSWERED,
    signal: (slave) => `frames sent on the ${slave} are not answered`,
    arm: SILENT,
    program: 'VF_DETECT_UNANSWERED',
    worker: () => import('./unanswered/detector.js'),
    status: () => import('./unanswered/status.js'),
    host: () => import('./unanswered/host.js'),
  }),
  row({
    name: 'witness',
    key: 'witness',
    section: witnessSchema.describe('broadcasts that one slave receives and the other one misses'),
    cause: CAUSE_WITNESS,
    signal: (slave) => `the ${slave} misses multicast that the other slave receives`,
    program: 'VF_DETECT_WITNESS',
    supplied: 'mac',
    worker: () => import('./witness/detector.js'),
    status: () => import('./witness/status.js'),
  }),
  row({
    name: 'probe',
    key: 'probes',
    section: probesSchema.describe('questions to neighbours and hosts, asked on each slave'),
    cause: CAUSE_PROBE,
    signal: (slave) => `probes on the ${slave} are not answered`,
    arm: SILENT,
    program: 'VF_DETECT_PROBES',
    supplied: 'sockets',
    descriptors: 8,
    bypassing: ({ interval_ms, targets }) => (1000 / interval_ms) * targets.length,
    worker: () => import('./probe/detector.js'),
    status: () => import('./probe/status.js'),
    host: () => import('./probe/host.js'),
  }),
  row({
    name: 'bfd',
    key: 'bfd',
    section: bfdSchema.describe(
      'a BFD session (RFC 5881), or questions to an S-BFD reflector (RFC 7881), over the active slave',
    ),
    cause: CAUSE_BFD,
    signal: (slave) => `the BFD session on the ${slave} is down`,
    arm: {
      bits: ['VF_ARM_PRIMARY_BFD', 'VF_ARM_STANDBY_BFD'],
      text: (slave) => `BFD session of the ${slave} down`,
    },
    program: 'VF_DETECT_BFD',
    supplied: 'sockets',
    descriptors: 16,
    bypassing: ({ tx_interval_us, rx_interval_us }) => 1e6 / tx_interval_us + 1e6 / rx_interval_us,
    worker: () => import('./bfd/detector.js'),
    status: () => import('./bfd/status.js'),
    host: () => import('./bfd/host.js'),
  }),
] as const;

type Rows = (typeof DETECTORS)[number];
export type DetectorName = Rows['name'];
export type DetectorKey = Rows['key'];
/** Sections of the configuration, by key. */
export type Sections = { [R in Rows as R['key']]: R['section'] };

/** A row whose halves may be called with whatever another half of the same row returned. */
export type DetectorRow = Row<DetectorName, DetectorKey, Rows['section'], unknown, unknown, unknown>;
export const ROWS = DETECTORS as unknown as readonly DetectorRow[];

/** The detector whose verdicts have this CAUSE_*; undefined: none has. */
export const detectorOf = (cause: number): DetectorRow | undefined => ROWS.find((d) => d.cause === cause);
