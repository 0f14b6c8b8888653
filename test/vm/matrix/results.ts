/** What the process in the guest writes, a line each. */
export type Line =
  | { name: string; ms: number; state: 'passed' | 'host' }
  | { name: string; ms: number; state: 'failed' | 'unsupported'; why: string }
  | { state: 'end'; why: string };

export interface TestResult {
  name: string;
  ms: number;
  /** `host`: not for guests. */
  state: 'passed' | 'failed' | 'unsupported' | 'host';
  why?: string;
}

export interface FileResult {
  file: string;
  ms: number;
  tests: TestResult[];
  /** What befell the file as a whole: it could not be loaded, its process or its guest died. Empty: nothing. */
  failure: string;
}

/** A kernel's results; `failure`: no guest could be had. */
export interface KernelResult {
  kernel: string;
  release: string;
  ms: number;
  files: FileResult[];
  failure: string;
}

/** Reads what a guest's process wrote; one that has not told its end has died. */
export function parseResults(text: string): { tests: TestResult[]; ended: boolean; why: string } {
  const lines = text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
  const end = lines.find((l) => l.state === 'end');
  return {
    tests: lines.filter((l): l is Exclude<Line, { state: 'end' }> => l.state !== 'end'),
    ended: end !== undefined,
    why: end?.why ?? '',
  };
}

export const count = (files: readonly FileResult[], state: TestResult['state']): number =>
  files.reduce((n, f) => n + f.tests.filter((t) => t.state === state).length, 0);

export const failedOf = (k: KernelResult): boolean =>
  k.failure !== '' || k.files.some((f) => f.failure !== '' || f.tests.some((t) => t.state === 'failed'));
