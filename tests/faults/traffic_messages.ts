/**
 * What a test and its traffic tell each other.
 *
 * @module
 */

/** To the traffic. */
export type TrafficCommand =
  | {
    readonly kind: "begin";
    /** Ports through which one connection each talks until the end. */
    readonly flows: readonly number[];
    /** Ports to which new connections are made without pause. */
    readonly fresh: readonly number[];
    /** How many of them are being made at any moment, for each port. */
    readonly atOnce: number;
  }
  /** Asks for the round trips since the last time. */
  | { readonly kind: "take" }
  | { readonly kind: "stop" };

/** From the traffic. */
export type TrafficNews =
  /** Ports of the two targets. */
  | { readonly kind: "targets"; readonly a: number; readonly b: number }
  | { readonly kind: "flowing" }
  | { readonly kind: "taken"; readonly roundTrips: readonly number[] }
  | { readonly kind: "stopped"; readonly counts: TrafficCounts };

/** What became of the traffic. */
export interface TrafficCounts {
  /** Round trips of established flows. */
  readonly roundTrips: number;
  /** New connections that reached a target. */
  readonly connections: number;
  /** One sentence for each connection that was refused, reset, ended or answered wrongly. */
  readonly faults: readonly string[];
  /** The longest time between two round trips of one flow, in milliseconds. */
  readonly longestPause: number;
}
