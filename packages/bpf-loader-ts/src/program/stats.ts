import { native } from '../binding.js';
import { Handle } from '../handle.js';
import { wrap } from '../wrap.js';

class Stats extends Handle {
  constructor() {
    super(
      wrap('BPF_LOAD', 'statistics', () => native.statsEnable() as number),
      'statistics',
    );
  }
}

/**
 * Has the kernel count the runs of every program and their time (`Program.stats`) until it is disposed of; with several, until the last is
 * (BPF_ENABLE_STATS, Linux 5.8; CAP_SYS_ADMIN). It costs every run two looks at the clock.
 */
export const enableStats = (): Disposable => new Stats();
