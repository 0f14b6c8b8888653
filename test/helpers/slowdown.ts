/**
 * How much longer than on the machine itself a wait may take: VFAILOVER_TEST_SLOWDOWN, set where an emulated guest runs the tests. It
 * stretches deadlines alone; what is expected to be true stays the same.
 */
export const SLOWDOWN = Number(process.env.VFAILOVER_TEST_SLOWDOWN ?? 1);
