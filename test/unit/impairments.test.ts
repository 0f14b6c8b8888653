import { describe, expect, it } from 'vitest';
import { type Impairment, Impairments } from '../../src/impairments.js';

describe('Impairments', () => {
  const told: [string, boolean][] = [];
  const make = () => {
    told.length = 0;
    return new Impairments((i: Impairment, over) => told.push([i.key, over]));
  };

  it('tells each once, and its end', () => {
    const all = make();
    for (let i = 0; i < 3; i++) all.set('hook', { severity: 'degraded', message: 'deliver is gone' });
    all.clear('hook');
    all.clear('hook');
    expect(told).toEqual([
      ['hook', false],
      ['hook', true],
    ]);
  });

  it('tells a different message of the same again, and keeps when it began', () => {
    const all = make();
    all.set('hook', { severity: 'note', message: 'one' });
    const [first] = all.list();
    all.set('hook', { severity: 'degraded', message: 'two', fix: 'do this' });
    expect(all.list()).toEqual([
      { key: 'hook', severity: 'degraded', message: 'two', fix: 'do this', since: first!.since },
    ]);
    expect(all.degraded).toBe(true);
  });

  it('replaces all that one source says, and leaves the others alone', () => {
    const all = make();
    all.set('hook', { severity: 'note', message: 'x' });
    all.replace('groups', [
      { key: 'a', severity: 'note', message: 'a' },
      { key: 'b', severity: 'degraded', message: 'b' },
    ]);
    all.replace('groups', [{ key: 'a', severity: 'note', message: 'a' }]);
    expect(all.list().map(({ key }) => key)).toEqual(['hook', 'groups/a']);
    expect(all.degraded).toBe(false);
  });
});
