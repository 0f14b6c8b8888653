import { stringify } from 'yaml';
import type { Decision, InstanceStatus } from '../../src/api/index.js';
import type { Running } from './shell.js';
import type { Testbed } from './testbed.js';

const CLI = 'node /project/dist/src/cli/main.js';
const CONFIG = '/run/vfailover.yaml';
const SOCKET = '/run/vfailover/vfailover.sock';
const LOG = '/run/vfailover.log';
const START_MS = 180_000;
const ACTIVE_MS = 60_000;

/** `vfailover run` in a guest. */
export class GuestDaemon {
  readonly #bed: Pick<Testbed, 'guest' | 'until'>;
  #running: Running | undefined;

  constructor(bed: Pick<Testbed, 'guest' | 'until'>) {
    this.#bed = bed;
  }

  /** Starts with one instance, `net0`, and waits until it is ready. */
  async start(instance: object, rest: object = {}): Promise<void> {
    const { guest } = this.#bed;
    await guest.writeFile(
      CONFIG,
      stringify({ ...rest, instances: [{ name: 'net0', policy: { hold_down_ms: 500 }, ...instance }] }),
    );
    await this.restart();
  }

  /** Starts again with the configuration as it was. */
  async restart(): Promise<void> {
    const { guest } = this.#bed;
    // What the last one wrote must not pass for what this one says.
    await guest.run(`rm -f ${LOG}`);
    this.#running = await guest.spawn(`exec ${CLI} run --config ${CONFIG} 2>${LOG}`);
    let ended = false;
    const over = (): void => {
      ended = true;
    };
    this.#running.done.then(over, over);
    await this.#bed.until(
      'the daemon is ready',
      async () => {
        if (ended) throw guest.failure(`the daemon ended: ${await this.log}`);
        return (await guest.exec(`grep -qs '"msg":"ready"' ${LOG}`)).code === 0;
      },
      START_MS,
    );
  }

  async kill(signal: 'KILL' | 'TERM' | 'STOP' | 'CONT'): Promise<void> {
    await this.#running?.kill(signal);
    if (signal === 'KILL' || signal === 'TERM') await this.#running?.done;
  }

  /** A request to its socket (src/api/protocol.ts). */
  async request(method: string, params: object): Promise<unknown> {
    const { guest } = this.#bed;
    const { code, stdout, stderr } = await guest.exec(`ask ${SOCKET}`, {
      stdin: `${JSON.stringify({ id: 1, method, params })}\n`,
    });
    if (code !== 0) throw guest.failure(`${method}: the daemon does not answer: ${stderr}`);
    const answer = JSON.parse(stdout) as { result?: unknown; error?: { message: string } };
    if (answer.error) throw guest.failure(`${method}: ${answer.error.message}`);
    return answer.result;
  }

  async status(): Promise<InstanceStatus> {
    const { instances } = (await this.request('status', { name: 'net0' })) as { instances: InstanceStatus[] };
    return instances[0]!;
  }

  async events(since = 0): Promise<Decision[]> {
    return (await this.request('events', { name: 'net0', since })) as Decision[];
  }

  async switch(to: 'primary' | 'standby' | 'auto'): Promise<void> {
    await this.request('switch', { name: 'net0', to });
  }

  async detach(): Promise<void> {
    await this.request('detach', { name: 'net0' });
  }

  /** Waits until the traffic is on that slave, and both are there if it is the primary. */
  async untilActive(active: 'primary' | 'standby', ms = ACTIVE_MS): Promise<InstanceStatus> {
    let last: InstanceStatus | undefined;
    await this.#bed.until(
      `the ${active} is active`,
      async () => {
        last = await this.status();
        return last.active === active && (active === 'standby' || last.state === 'ok');
      },
      ms,
    );
    return last!;
  }

  /** What it wrote to standard error: JSON lines. */
  get log(): Promise<string> {
    return this.#bed.guest.run(`cat ${LOG}`);
  }
}
