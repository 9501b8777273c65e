/**
 * What a change has to do to sockets, from what the diff of two tables says.
 *
 * @module
 */

import type { EndpointRun, TableDiff } from "../codec/table.ts";

/** The runs of one kind. */
type Runs<Kind extends EndpointRun["kind"]> = readonly (EndpointRun & { readonly kind: Kind })[];

/** A diff by what is to be done, and how many endpoints that concerns. */
export interface Plan {
  /** Endpoints with the same socket afterwards, moved ones included. */
  readonly kept: number;
  /** Endpoints that get a socket, rebound ones included. */
  readonly opened: number;
  readonly rebound: number;
  /** Endpoints that are no longer served, released ones included. */
  readonly retired: number;
  readonly runs: { readonly [Kind in EndpointRun["kind"]]: Runs<Kind> };
}

/** Sorts the runs of a diff by kind, and counts their ports. */
export function planOf({ kept, runs }: TableDiff): Plan {
  const ports = { moved: 0, opened: 0, rebound: 0, retired: 0, released: 0 };
  for (const { kind, first, last } of runs) ports[kind] += last - first + 1;
  const of = <Kind extends EndpointRun["kind"]>(kind: Kind): Runs<Kind> =>
    runs.filter((run): run is EndpointRun & { readonly kind: Kind } => run.kind === kind);
  return {
    kept: kept + ports.moved,
    opened: ports.opened + ports.rebound,
    rebound: ports.rebound,
    retired: ports.retired + ports.released,
    runs: {
      moved: of("moved"),
      opened: of("opened"),
      rebound: of("rebound"),
      retired: of("retired"),
      released: of("released"),
    },
  };
}
