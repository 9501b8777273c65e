/**
 * What a change has to do to sockets, from what the diff of two tables says.
 *
 * @module
 */

import type { EndpointRuns, TableDiff } from "../codec/table.ts";

/** A diff, and how many endpoints it does what with. */
export interface Plan {
  /** Endpoints with the same socket afterwards, moved ones included. */
  readonly kept: number;
  /** Endpoints that get a socket, rebound ones included. */
  readonly opened: number;
  readonly rebound: number;
  /** Endpoints that are no longer served, released ones included. */
  readonly retired: number;
  readonly runs: EndpointRuns;
}

/** Counts the ports of a diff's runs. */
export function planOf({ kept, runs }: TableDiff): Plan {
  const rebound = runs.ports("rebound");
  return {
    kept: kept + runs.ports("moved"),
    opened: runs.ports("opened") + rebound,
    rebound,
    retired: runs.ports("retired") + runs.ports("released"),
    runs,
  };
}
