/**
 * What the two ends of a control socket need from a dialect: bytes in, events out, and values in, bytes out. `native.ts`
 * is the first one.
 *
 * @module
 */

import type { RuleTable } from "./table.ts";
import type { ClientEvent, Hello, PifHeader, RuleFailure, ServerEvent, UpdateHeader, Verdict } from "./types.ts";

/**
 * An incremental decoder: bytes cut anywhere go in, whole events come out. It does no I/O and keeps no more than one
 * frame. Once it has thrown it is dead: every further `push` throws the same error.
 */
export interface Decoder<Event> {
  /**
   * The events that these bytes complete.
   *
   * @throws {ProtocolError} if the bytes can't be a part of this dialect, as soon as that is certain
   */
  push(bytes: Uint8Array): Event[];
  /**
   * The other side has hung up.
   *
   * @throws {ProtocolError} with the code `truncated` if it did so in the middle of a frame or of a table
   */
  finish(): void;
}

/** A pif and its whole table. */
export interface PifTable {
  readonly header: PifHeader;
  readonly table: RuleTable;
}

/** One pif's table in an update. */
export interface TableUpdate {
  /** Id of the pif. */
  readonly pif: number;
  readonly table: RuleTable;
}

/** What was done with an update: the verdict, the rules whose status is not fine, and their ports. */
export interface Report {
  readonly verdict: Verdict;
  readonly tables: readonly TableUpdate[];
  readonly failures: readonly RuleFailure[];
}

/** What a client may announce before it is refused. */
export interface ClientLimits {
  readonly maxPifs: number;
  /** Per pif. */
  readonly maxRules: number;
}

/** A dialect as a server speaks it. Encoders yield chunks of at most one frame, so that nothing grows with a table. */
export interface ServerDialect {
  readonly name: "native";
  decoder(limits: ClientLimits): Decoder<ClientEvent>;
  greeting(hello: Hello, pifs: readonly PifTable[]): Iterable<Uint8Array>;
  accepted(): Uint8Array;
  rejected(verdict: Verdict): Uint8Array;
  report(report: Report): Iterable<Uint8Array>;
}

/** A dialect as a client speaks it. */
export interface ClientDialect {
  readonly name: "native";
  decoder(): Decoder<ServerEvent>;
  update(header: UpdateHeader, tables: readonly TableUpdate[]): Iterable<Uint8Array>;
  signal(signal: "apply" | "commit" | "rollback"): Uint8Array;
}
