import { setTimeout as sleep } from 'node:timers/promises';
import type { InstanceStatus } from '../../../src/api/index.js';
import { Asker } from '../asker.js';
import { GuestDaemon } from '../daemon.js';
import { Testbed, type TestbedOptions } from '../testbed.js';
import type { Port } from '../wire.js';
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

/**
 * `without`: no daemon was ever there. Else the slave that carries the traffic. `alone`: the network brings nothing by the other slave, so
 * that the active one has to let everything in by itself.
 */
export const STATES = ['without', 'primary', 'primary-alone', 'standby', 'standby-alone'] as const;
export type State = (typeof STATES)[number];
type Role = 'primary' | 'standby';
export const MODELS = ['transparent', 'net-failover'] as const;
export type Model = (typeof MODELS)[number];

export interface InterviewOptions extends Pick<TestbedOptions, 'kernel' | 'primary' | 'wire'> {
  model?: Model;
  states?: readonly State[];
  /** Names of the questions; all by default. */
  questions?: readonly string[];
  /** True: a scene is there before the daemon joins. False: it is made afterwards, and has to be followed. */
  before?: boolean;
  times?: number;
  /** More of the instance's configuration. */
  instance?: object;
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
    const { states = STATES, before } = this.options;
    const scenes = SCENE_NAMES.filter((scene) => this.#of([scene]).length > 0);
    const attached = states.filter((state) => state !== 'without');
    const rows: Row[] = [];
    if (states.includes('without'))
      for (const scene of scenes) rows.push(...(await this.followed([scene], ['without'])));
    if (attached.length > 0)
      for (const scene of scenes)
        rows.push(...(await (before ? this.found([scene], attached) : this.followed([scene], attached))));
    return rows;
  }

  /** Makes scenes while the daemon runs, and asks their questions. */
  async followed(scenes: readonly SceneName[], states: readonly State[]): Promise<Row[]> {
    if (states.some((state) => state !== 'without')) await this.start();
    return this.made(scenes, () => this.askAll(scenes, states));
  }

  /** Makes scenes before the daemon starts, and asks their questions. */
  async found(scenes: readonly SceneName[], states: readonly State[]): Promise<Row[]> {
    await this.stop();
    return this.made(scenes, async () => {
      await this.start();
      return this.askAll(scenes, states);
    });
  }

  /** Does something while there are these scenes. */
  async made<T>(scenes: readonly SceneName[], act: () => Promise<T>): Promise<T> {
    try {
      for (const scene of scenes) await makeScene(this.bed, scene);
      await sleep(FOLLOW_MS);
      return await act();
    } finally {
      for (const scene of scenes) await removeScene(this.bed, scene);
    }
  }

  #of(scenes: readonly SceneName[]): Question[] {
    const { questions } = this.options;
    const wanted = questions ? QUESTIONS.filter(({ name }) => questions.includes(name)) : QUESTIONS;
    return wanted.filter(({ scene }) => scenes.includes(scene));
  }

  /** Asks the questions of scenes that are there. */
  async askAll(scenes: readonly SceneName[], states: readonly State[]): Promise<Row[]> {
    const rows: Row[] = [];
    for (const state of states) {
      const [active, alone] = state.split('-') as ['without' | Role, string | undefined];
      if (active !== 'without') await this.switch(active);
      for (const scene of scenes) await announceScene(this.bed, scene);
      const deaf = active !== 'without' && alone ? this.#other(active) : undefined;
      deaf?.blackHole('to-guest');
      rows.push(...(await this.#asked(this.#of(scenes), state)));
      deaf?.blackHole('none');
    }
    return rows;
  }

  async #asked(questions: Question[], state: State): Promise<Row[]> {
    const rows: Row[] = [];
    const { times = TIMES } = this.options;
    for (const question of questions) {
      const answered = await ask(this.asker, question, times);
      rows.push({ question: question.name, state, answered, times });
    }
    return rows;
  }

  #other(active: Role): Port {
    return this.bed.wire.port(active === 'primary' ? 'standby' : 'primary');
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
  async switch(to: Role): Promise<InstanceStatus> {
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
        .map((text) => text.padEnd(15))
        .join('')
        .trimEnd(),
    )
    .join('\n');
}
