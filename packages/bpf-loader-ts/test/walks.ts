/** How random walks run: the same ones each time, so that a commit is judged by what it changes. WALK_SEED=… takes others. */
export const walks = (numRuns: number): { seed: number; numRuns: number } => ({
  seed: Number(process.env.WALK_SEED ?? 1),
  numRuns,
});
