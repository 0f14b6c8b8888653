/**
 * What a guest's test files import as `vitest`: its own runner, matchers and spies without Vite, which takes eight seconds to start under
 * emulation. A test that uses what is not here fails at its import.
 */
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  customMatchers,
  GLOBAL_EXPECT,
  getState,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from '@vitest/expect';
import { getCurrentTest } from '@vitest/runner';
import { fn, restoreAllMocks, spyOn } from '@vitest/spy';

export {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  it,
  onTestFinished,
  test,
} from '@vitest/runner';

chai.use(JestExtend);
chai.use(JestChaiExpect);
chai.use(JestAsymmetricMatchers);
// The matchers' own types speak of vitest's `expect`, which is this one.
// biome-ignore lint/suspicious/noExplicitAny: made of parts that carry no common type
export const expect: any = (value: unknown, message?: string) =>
  // biome-ignore lint/suspicious/noExplicitAny: a method of the plugins
  (chai.expect(value, message) as any).withTest(getCurrentTest());
Object.assign(
  expect,
  chai.expect,
  (globalThis as Record<symbol, object | undefined>)[ASYMMETRIC_MATCHERS_OBJECT],
);
setState(
  {
    assertionCalls: 0,
    isExpectingAssertions: false,
    isExpectingAssertionsError: null,
    expectedAssertionsNumber: null,
    expectedAssertionsNumberErrorGen: null,
  },
  expect,
);
expect.getState = () => getState(expect);
// biome-ignore lint/suspicious/noExplicitAny: as above
(chai.expect as any).extend(expect, customMatchers);
Object.defineProperty(globalThis, GLOBAL_EXPECT, { value: expect, configurable: true });

export const vi = { fn, spyOn, restoreAllMocks };
