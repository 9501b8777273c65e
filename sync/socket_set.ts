/**
 * The sockets of one backend, brought from one effective table to the next.
 *
 * Theory of operation. Every endpoint of the table in force either has a listener or is *missing*, with the error of
 * the last attempt; `socket_change.ts` says how a new table comes into force.
 *
 *     settled ── apply() ──▶ applied ── commit() ───▶ settled, new table
 *                               └────── rollback() ─▶ settled, old table
 *
 * Invariants: a kept endpoint's socket isn't touched beyond its route. Only one change is under way at a time (the
 * forwarder sees to it), from `apply` to the end of `commit` or `rollback`; established flows belong to the backend and
 * outlive all of this.
 *
 * @module
 */

import type { Backend, Endpoint, Listener } from "./backend.ts";
import type { EffectiveTable } from "./effective.ts";
import { EndpointMap } from "./endpoint_map.ts";
import { Slices } from "./slices.ts";
import {
  bindError,
  type ChangeCounts,
  inSlices,
  type PortFailure,
  SocketChange,
  type Sockets,
  tryChange,
} from "./socket_change.ts";

export type { ChangeCounts, PortFailure };

/** A change whose sockets stand, and which can still be taken back. One of the two must be called, once. */
export interface AppliedSockets {
  /** The new table. */
  readonly table: EffectiveTable;
  readonly counts: ChangeCounts;
  readonly failures: readonly PortFailure[];
  /**
   * The new table is in force as soon as this returns; it resolves when the parked sockets are closed. If `keepTrying`,
   * failed endpoints count as lost ones.
   */
  commit(keepTrying?: boolean): Promise<void>;
  /** The old table is in force again. Resolves to the endpoints that could not be bound again. */
  rollback(): Promise<readonly PortFailure[]>;
}

/** The sockets of one backend. */
export class SocketSet {
  readonly backend: Backend;
  readonly #sockets: Sockets;

  /** Starts without any socket; `empty` is a table without rules. */
  constructor(backend: Backend, empty: EffectiveTable) {
    this.backend = backend;
    this.#sockets = {
      backend,
      table: empty,
      listeners: new EndpointMap<Listener>(),
      missing: new EndpointMap<PortFailure>(),
      lost: new EndpointMap<PortFailure>(),
    };
  }

  /** The table in force. */
  get table(): EffectiveTable {
    return this.#sockets.table;
  }

  /** Endpoints of the table in force that have no socket. */
  failures(): Iterable<PortFailure> {
    return this.#sockets.missing.values();
  }

  /** Whether a rollback has lost sockets that aren't back yet. */
  get hasLost(): boolean {
    return this.#sockets.lost.size > 0;
  }

  /** Tries to get back what a rollback has lost. Resolves to what it got. */
  async retryLost(): Promise<Endpoint[]> {
    const { backend, table, listeners, missing, lost } = this.#sockets;
    const regained: Endpoint[] = [];
    await inSlices([...lost.values()], new Slices(), async ({ endpoint, ...place }) => {
      try {
        listeners.set(endpoint, await backend.open(endpoint, table.route(table.match(endpoint))));
      } catch (error) {
        const failure = { ...place, endpoint, error: bindError(error) };
        missing.set(endpoint, failure);
        lost.set(endpoint, failure);
        return;
      }
      missing.delete(endpoint);
      lost.delete(endpoint);
      regained.push(endpoint);
    });
    return regained;
  }

  /** The listener of an endpoint; also of one that a change has opened and not committed, or retired and not closed. */
  listener(endpoint: Endpoint): Listener | undefined {
    return this.#sockets.listeners.get(endpoint);
  }

  /** What `apply` would do, tried on spare sockets; changes nothing. Endpoints to be rebound can't be tried. */
  async check(
    next: EffectiveTable,
  ): Promise<{ readonly counts: ChangeCounts; readonly failures: readonly PortFailure[] }> {
    return await tryChange(this.#sockets, next);
  }

  /** Brings the sockets to `next`, which the set owns from then on. */
  async apply(next: EffectiveTable): Promise<AppliedSockets> {
    const change = new SocketChange(this.#sockets, next);
    await change.run();
    return {
      table: next,
      counts: change.counts,
      failures: change.failures,
      commit: (keepTrying = false) => change.commit(keepTrying),
      rollback: () => change.rollback(),
    };
  }
}
