/**
 * Work of the core that may take milliseconds, in steps: a generator that yields between them and returns the result.
 * {@linkcode finish} does it in one go; whoever has something else to do in between takes the steps one by one, and ends
 * the generator (`return`) if it doesn't want the result any more, which gives back the memory that the work took.
 *
 * What may race: between two steps anything may happen to the tables but an `append`, which the work keeps from them by
 * sharing them. The status of their rules may change; no such work looks at it.
 *
 * @module
 */

/** Work in steps. */
export type Steps<T> = Generator<void, T, void>;

/**
 * Units of work, each about what it takes to look at one rule, in one step of the core. 8,192 took 0.1 to 0.4 ms on one
 * of the two cores of a machine of 2026, whatever the step was of: short beside the 1 ms of a slice (`sync/slices.ts`),
 * and long beside the call.
 */
export const UNITS_PER_STEP = 8192;

/** All steps at once; the result. */
export function finish<T>(work: Steps<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}
