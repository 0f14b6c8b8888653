import { describe, expect, it } from 'vitest';
import { VfError } from '../../src/errors.js';
import { type JoinStep, runSteps } from '../../src/registry/transaction.js';

function recorder(names: readonly string[], failDo?: string, failUndo: readonly string[] = []) {
  const log: string[] = [];
  const steps: JoinStep[] = names.map((name) => ({
    name,
    do() {
      if (name === failDo) throw new Error(`cannot ${name}`);
      log.push(`+${name}`);
    },
    undo(gone) {
      log.push(gone ? `-${name}!` : `-${name}`);
      if (failUndo.includes(name)) throw new Error(`stuck ${name}`);
    },
  }));
  return { log, steps };
}

function failureOf(steps: readonly JoinStep[]): VfError {
  try {
    runSteps(steps);
  } catch (error) {
    return error as VfError;
  }
  throw new Error('did not throw');
}

const NAMES = ['a', 'b', 'c', 'd'];

describe('runSteps', () => {
  it('does the steps in order and undoes them in reverse, once', () => {
    const { log, steps } = recorder(NAMES);
    const stack = runSteps(steps);
    expect(stack.steps).toEqual(NAMES);
    expect(stack.undo()).toEqual([]);
    expect(stack.undo()).toEqual([]);
    expect(log).toEqual(['+a', '+b', '+c', '+d', '-d', '-c', '-b', '-a']);
    expect(stack.steps).toEqual([]);
  });

  it('tells the undos that the device is gone', () => {
    const { log, steps } = recorder(['a', 'b']);
    runSteps(steps).undo(true);
    expect(log).toEqual(['+a', '+b', '-b!', '-a!']);
  });

  it.each(NAMES.map((name, at) => [name, at] as const))('rolls back when step %s fails', (name, at) => {
    const { log, steps } = recorder(NAMES, name);
    const error = failureOf(steps);
    const done = NAMES.slice(0, at);
    expect(log).toEqual([...done.map((n) => `+${n}`), ...done.toReversed().map((n) => `-${n}`)]);
    expect(error).toBeInstanceOf(VfError);
    expect(error).toMatchObject({
      code: 'JOIN_FAILED',
      field: name,
      value: { step: name, undone: done.toReversed(), notUndone: [] },
    });
    expect(error.message).toContain(`"${name}"`);
    expect((error.cause as Error).message).toBe(`cannot ${name}`);
  });

  it.each(['a', 'b', 'c'])('goes on when the undo of %s fails, and says what is left', (stuck) => {
    const { log, steps } = recorder(NAMES, 'd', [stuck]);
    const error = failureOf(steps);
    expect(log).toEqual(['+a', '+b', '+c', '-c', '-b', '-a']);
    expect(error.value).toMatchObject({ notUndone: [{ step: stuck, message: `stuck ${stuck}` }] });
    expect((error.value as { undone: string[] }).undone).not.toContain(stuck);
    expect(error.fix).toContain('restore by hand');
  });

  it('reports every failing undo of a leave', () => {
    const { steps } = recorder(NAMES, undefined, ['a', 'c']);
    expect(
      runSteps(steps)
        .undo()
        .map((failure) => failure.step),
    ).toEqual(['c', 'a']);
  });

  it('keeps the cure of the cause', () => {
    const cause = new VfError('NETLINK', 'EBUSY', { fix: 'remove the bridge' });
    const error = failureOf([
      {
        name: 'x',
        do() {
          throw cause;
        },
        undo() {},
      },
    ]);
    expect(error.fix).toBe('remove the bridge');
    expect(error.cause).toBe(cause);
  });
});
