import { VfError } from '../errors.js';

/** One reversible act of a join: claim a hook, set the MTU, fill a map slot … */
export interface JoinStep {
  /** Shown in errors and `status`: a short verb phrase, `set mtu 9000`. */
  readonly name: string;
  /** Does all of it or, when it throws, none of it: a step that failed is not undone. */
  do(): void;
  /**
   * Restores what was there before `do`.
   * @param gone the device no longer exists: undo only what lies outside it (maps, the master, the other
   *   slave).
   */
  undo(gone: boolean): void;
}

/** Thrown by a step that has nothing against being done, but against the device: the join is refused for this reason. */
export class JoinRefused extends Error {
  readonly reason: VfError;

  constructor(reason: VfError) {
    super(reason.message);
    this.reason = reason;
  }
}

/** An undo that threw: what is left behind and must be restored by hand. */
export interface UndoFailure {
  readonly step: string;
  readonly error: unknown;
}

/** The steps that are done, so that a later leave can take them back in reverse order. */
export class UndoStack {
  readonly #done: JoinStep[] = [];

  /** Names of the steps still done, oldest first. */
  get steps(): string[] {
    return this.#done.map((step) => step.name);
  }

  /** @internal */
  push(step: JoinStep): void {
    this.#done.push(step);
  }

  /**
   * Undoes everything, newest first. A failing undo does not stop the others: half a restore is better than
   * none. Each step is taken off before it is undone, so a second call does nothing and never undoes twice.
   * @returns the undos that failed; never throws.
   */
  undo(gone = false): UndoFailure[] {
    const failures: UndoFailure[] = [];
    for (let step = this.#done.pop(); step !== undefined; step = this.#done.pop()) {
      try {
        step.undo(gone);
      } catch (error) {
        failures.push({ step: step.name, error });
      }
    }
    return failures;
  }
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Undo failures as plain data, for `VfError.value` and `--json`. */
export function describeUndoFailures(failures: readonly UndoFailure[]): { step: string; message: string }[] {
  return failures.map(({ step, error }) => ({ step, message: messageOf(error) }));
}

/**
 * Runs the steps in order, all or nothing (the kernel: the error path of failover_slave_register, whose
 * only trace is a line in dmesg).
 * @returns the undo stack of what was done.
 * @throws VfError the reason of a `JoinRefused`; otherwise JOIN_FAILED naming the step, with the step's error as `cause`; `value` is `{ step,
 *   undone: string[], notUndone: { step, message }[] }`.
 */
export function runSteps(steps: readonly JoinStep[], what = 'join'): UndoStack {
  const stack = new UndoStack();
  for (const step of steps) {
    try {
      step.do();
    } catch (cause) {
      throw joinFailed(what, step.name, cause, stack);
    }
    stack.push(step);
  }
  return stack;
}

function joinFailed(what: string, step: string, cause: unknown, stack: UndoStack): VfError {
  const done = stack.steps.reverse();
  const notUndone = describeUndoFailures(stack.undo());
  if (cause instanceof JoinRefused && notUndone.length === 0) return cause.reason;
  const undone = done.filter((name) => !notUndone.some((failure) => failure.step === name));
  const left = notUndone.map((failure) => `"${failure.step}" (${failure.message})`).join(', ');
  const ownFix = cause instanceof VfError ? cause.fix : undefined;
  const fix =
    left === '' ? ownFix : `restore by hand: ${left}${ownFix === undefined ? '' : `; then ${ownFix}`}`;
  return new VfError('JOIN_FAILED', `${what}: step "${step}" failed: ${messageOf(cause)}`, {
    field: step,
    value: { step, undone, notUndone },
    ...(fix !== undefined && { fix }),
    cause,
  });
}
