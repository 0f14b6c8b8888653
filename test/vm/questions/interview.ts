import { setTimeout as sleep } from 'node:timers/promises';
import type { InstanceStatus } from '../../../src/daemon/api/index.js';
import { Asker } from '../lab/asker.js';
import { GuestDaemon } from '../lab/daemon.js';
import { Testbed, type TestbedOptions } from '../lab/testbed.js';
import {
  announceScene,
  ask,
  makeScene,
  QUESTIONS,
  type Question,
  removeScene,
  SCENE_NAMES,
  type SceneName,
  TIMES,
} from './questions.js';

/** `without`: no daemon was ever there. Else the slave that carries the traffic. */
export const STATES = ['without', 'primary', 'standby'] as const;
export type State = (typeof STATES)[number];
export const MODELS = ['transparent', 'net-failover'] as const;
export type Model = (typeof MODELS)[number];

export interface InterviewOptions extends Pick<TestbedOptions, 'kernel' | 'primary' | 'wire'> {
  model?: Model;
  states?: readonly State[];
  /** Names of the questions; all by default. */
  questions?: readonly string[];
  /** True: a scene is there before the daemon joins. False: it is made afterwards, and has to be followed. */
  before?: boolean;
  /** True: the network brings nothing by the slave that is not active, so that the active one has to hear all by itself. */
  alone?: boolean;
  times?: number;
  /** More of the instance's configuration. */
  instance?: object;
  onRow?: (row: Row) => void;
}

/** Answers to one question in one state. */
export interface Row {
  question: string;
  state: State;
  answered: number;
  times: number;
}

/** What the guest has changed is followed within 100 ms on a real machine; under emulation it has so long, ms. */
const FOLLOW_MS = 1_500;
const ACTIVE_MS = 60_000;

/** A guest whose questions are asked in one state after the other. */
export class Interview {
  readonly bed: Testbed;
  readonly daemon: GuestDaemon;
  readonly asker: Asker;
  readonly options: InterviewOptions;
  #running = false;

  private constructor(bed: Testbed, options: InterviewOptions) {
    this.bed = bed;
    this.options = options;
    this.daemon = new GuestDaemon(bed);
    this.asker = new Asker(bed.wire);
  }

  static async boot(options: InterviewOptions): Promise<Interview> {
    const { kernel, primary, wire, model } = options;
    const bed = await Testbed.boot({
      ...(kernel && { kernel }),
      ...(primary && { primary }),
      ...(wire && { wire }),
      standbyFeature: model === 'net-failover',
      asker: true,
    });
    try {
      const interview = new Interview(bed, options);
      await interview.#settle();
      return interview;
    } catch (e) {
      await bed.close();
      throw e;
    }
  }

  /** Waits until all links that are up have carrier. */
  async #settle(): Promise<void> {
    await this.bed.until('the devices have carrier', async () => {
      return !(await this.bed.guest.run('ip link')).includes('NO-CARRIER');
    });
  }

  /** All questions in all states, a scene after the other. */
  async all(): Promise<Row[]> {
    const rows: Row[] = [];
    const { states = STATES, questions } = this.options;
    const wanted = QUESTIONS.filter(({ name }) => questions === undefined || questions.includes(name));
    const scenes = SCENE_NAMES.filter((scene) => wanted.some((q) => q.scene === scene));
    const of = (scene: SceneName): Question[] => wanted.filter((q) => q.scene === scene);
    if (states.includes('without'))
      for (const scene of scenes) {
        await this.#made(scene, async () => rows.push(...(await this.#asked(of(scene), 'without'))));
      }
    const attached = states.filter((state) => state !== 'without');
    for (const scene of attached.length > 0 ? scenes : []) {
      if (this.options.before) await this.stop();
      else await this.start();
      await this.#made(scene, async () => {
        await this.start();
        for (const state of attached) {
          await this.switch(state);
          rows.push(...(await this.#asked(of(scene), state)));
        }
      });
    }
    return rows;
  }

  async #made(scene: SceneName, act: () => Promise<unknown>): Promise<void> {
    await makeScene(this.bed, scene);
    await sleep(FOLLOW_MS);
    await act();
    await removeScene(this.bed, scene);
  }

  async #asked(questions: Question[], state: State): Promise<Row[]> {
    const rows: Row[] = [];
    const { times = TIMES, onRow } = this.options;
    const deaf = this.options.alone && state !== 'without' ? this.#other(state) : undefined;
    deaf?.blackHole('to-guest');
    for (const question of questions) {
      await announceScene(this.bed, question.scene);
      const answered = await ask(this.asker, question, times);
      const row = { question: question.name, state, answered, times };
      onRow?.(row);
      rows.push(row);
    }
    deaf?.blackHole('none');
    return rows;
  }

  #other(state: 'primary' | 'standby') {
    return this.bed.wire.port(state === 'primary' ? 'standby' : 'primary');
  }

  /** Starts the daemon, if it does not run. */
  async start(): Promise<void> {
    if (this.#running) return;
    const { model = 'transparent', instance } = this.options;
    await this.daemon.start({ model, master: (await this.bed.devices()).master, ...instance });
    this.#running = true;
    await this.switch('primary');
  }

  async stop(): Promise<void> {
    if (!this.#running) return;
    this.#running = false;
    await this.daemon.detach();
    await this.daemon.kill('TERM');
  }

  /** Takes the traffic to a slave, and lets the network learn it. */
  async switch(to: 'primary' | 'standby'): Promise<InstanceStatus> {
    let last: InstanceStatus | undefined;
    await this.bed.until(
      `the ${to} is active`,
      async () => {
        await this.daemon.switch(to).catch(() => {});
        last = await this.daemon.status();
        return last.active === to;
      },
      ACTIVE_MS,
    );
    await sleep(FOLLOW_MS);
    return last!;
  }

  async close(): Promise<void> {
    this.asker.close();
    await this.bed.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Rows as a table: a line for each question, a column for each state. */
export function tableOf(rows: readonly Row[]): string {
  const states = STATES.filter((state) => rows.some((row) => row.state === state));
  const names = [...new Set(rows.map(({ question }) => question))];
  const cell = (question: string, state: State): string => {
    const row = rows.find((r) => r.question === question && r.state === state);
    return row ? `${row.answered} of ${row.times}` : '-';
  };
  const lines = names.map((name) => [name, ...states.map((state) => cell(name, state))]);
  return [['question', ...states], ...lines]
    .map((line) =>
      line
        .map((text) => text.padEnd(10))
        .join('')
        .trimEnd(),
    )
    .join('\n');
}
