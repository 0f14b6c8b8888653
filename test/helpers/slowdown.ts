/**
 * How much longer than on the machine itself a wait may take: TEST_SLOWDOWN, set where an emulated guest runs the tests. It
 * stretches deadlines alone; what is expected to be true stays the same.
 */
export const SLOWDOWN = Number(process.env.TEST_SLOWDOWN ?? 1);
