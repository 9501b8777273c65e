/**
 * Exit statuses, and which outcome gets which.
 *
 * @module
 */

import type { Outcome } from "../codec/types.ts";

/** What the program's exit status says. */
export const EXIT = {
  DONE: 0,
  /** Refused, invalid or unreachable; nothing changed. */
  REFUSED: 1,
  ROLLED_BACK: 2,
  /** A table is in force, but some of its ports have no socket: a rollback was incomplete, or never came. */
  PORTS_LOST: 3,
  /** Stale, busy, timed out, or broken off so that nobody knows. */
  TRY_AGAIN: 4,
} as const;

/** One of {@linkcode EXIT}. */
export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];

/** The exit status for a transaction that ended so. */
export function exitStatusOf(outcome: Outcome): ExitStatus {
  switch (outcome) {
    case "done":
      return EXIT.DONE;
    case "rejected":
    case "protocol-error":
      return EXIT.REFUSED;
    case "rolled-back":
      return EXIT.ROLLED_BACK;
    case "rollback-incomplete":
      return EXIT.PORTS_LOST;
    case "stale":
    case "busy":
    case "timed-out":
      return EXIT.TRY_AGAIN;
    default:
      return outcome satisfies never;
  }
}
