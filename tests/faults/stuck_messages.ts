/**
 * What a test and its stuck and hostile clients tell each other.
 *
 * @module
 */

/** What the clients are to do; each is answered when it is so. */
export type StuckCommand =
  /** Connect silent and slow clients, and begin with hostile transactions at a pace. */
  | "stick"
  /** Send hostile transactions from many connections and without a pace. */
  | "flood"
  /** Keep a processor busy and leave the server alone. */
  | "spin"
  /** Stop, and hang up all of them. */
  | "leave"
  /** Stay until the server has given up all silent and slow ones. */
  | "stay";

/** From the clients: that it is so, and what became of them up to now. */
export interface StuckNews {
  readonly done: StuckCommand;
  readonly counts: StuckCounts;
}

/** What became of the clients. */
export interface StuckCounts {
  /** How the server ended the silent and the slow ones that stayed, each outcome once. */
  readonly outcomes: readonly string[];
  /** How many of them that were. */
  readonly ended: number;
  /** Transactions of the hostile ones. */
  readonly hostile: number;
}
