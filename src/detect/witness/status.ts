import type { StatusView, Words } from '../detector.js';
import { D_STATE, STATE_DOWN } from '../record.js';
import { plural } from '../words.js';
import { W_MISSING, W_MISSING_MS, W_SEEN } from './record.js';
import type { WitnessConfig } from './section.js';

export function describe({ config, records, base }: StatusView<WitnessConfig, undefined>): Words {
  const [missing, forMs, seen] = [
    records[base + W_MISSING]!,
    records[base + W_MISSING_MS]!,
    records[base + W_SEEN]!,
  ];
  const { min_frames, timeout_ms } = config;
  const down = records[base + D_STATE] === STATE_DOWN;
  return {
    detail:
      missing > 0
        ? `${plural(missing, 'broadcast')} of ${forMs} ms came in on the other slave only`
        : seen < min_frames
          ? `has received ${seen} of the ${min_frames} broadcasts that it takes to expect more`
          : 'receives broadcasts',
    to_switch: down
      ? 'alive again with the next broadcast'
      : `down when it misses ${min_frames} broadcasts of ${timeout_ms} ms that the other slave receives`,
  };
}
