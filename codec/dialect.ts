/**
 * What the two ends of a control socket need from a dialect: bytes in, events out, and values in, bytes out. `native.ts`
 * is one, `passt.ts` the other in two versions; `detect.ts` tells them apart.
 *
 * @module
 */

import type { RuleTable } from "./table.ts";
import type { ClientEvent, Hello, PifHeader, RuleFailure, ServerEvent, UpdateHeader, Verdict } from "./types.ts";

/**
 * An incremental decoder: bytes cut anywhere go in, whole events come out. It does no I/O and keeps no more than one
 * frame. Once it has found a fault it is dead: every further `push` throws the same error.
 */
export interface Decoder<Event> {
  /**
   * The events that these bytes complete. If a fault follows them, the next call throws it, with or without more bytes;
   * only the released dialect drops them, since a server of it has no magic to tell a client from a stray program by.
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

/** A pif, its whole table, and the ports of it that have no socket. */
export interface PifTable {
  readonly header: Omit<PifHeader, "ruleCount" | "runCount">;
  readonly table: RuleTable;
  /** Of this pif, in the order of its rules. */
  readonly failures: readonly RuleFailure[];
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

/** How much of a table a dialect can list. */
export type Shown =
  | { readonly kind: "whole" }
  /** `records` are those of the rules that are listed, 64 bytes each, without status: what a client would send back. */
  | { readonly kind: "part"; readonly records: Uint8Array };

/** Whether a dialect has the words for an update, and if not, why. */
export type Expressible =
  | { readonly kind: "expressible" }
  | {
    readonly kind: "inexpressible";
    /** Stable, for programs. */
    readonly code: "mode-unsupported" | "too-many-rules" | "target-unsupported";
    /** For people. */
    readonly message: string;
    /** Id of the pif concerned, and index of the rule in its new table. */
    readonly pif?: number;
    readonly rule?: number;
  };

/** What a sentence about a pif needs. */
export type PifName = Pick<PifHeader, "id" | "name">;

/** A dialect as a server speaks it. Encoders yield chunks no larger than the largest frame, so that nothing grows with a table. */
export interface ServerDialect {
  readonly name: "native" | "passt";
  readonly version: number;
  /** Whether a client is told what became of its update; if not, the encoders of answers make no bytes. */
  readonly answers: boolean;
  decoder(limits: ClientLimits): Decoder<ClientEvent>;
  /** Lists what `shown` says of each table. */
  greeting(hello: Hello, pifs: readonly PifTable[]): Iterable<Uint8Array>;
  /**
   * How much of this table a greeting lists. A client that was shown a part can't replace the table, except by what it
   * was shown, which means that it leaves it alone.
   */
  shown(table: RuleTable): Shown;
  accepted(): Uint8Array;
  rejected(verdict: Verdict): Uint8Array;
  report(report: Report): Iterable<Uint8Array>;
}

/** A dialect as a client speaks it. */
export interface ClientDialect {
  readonly name: "native" | "passt";
  readonly version: number;
  /** Whether the server says what became of an update; if not, nothing but the end of the connection follows one. */
  readonly answers: boolean;
  /** Whether an update must name all listed pifs, in the order of the listing, and not just those that change. */
  readonly namesAllPifs: boolean;
  decoder(): Decoder<ServerEvent>;
  /** `pifs` are those listed, for the message's sake. */
  expressible(header: UpdateHeader, tables: readonly TableUpdate[], pifs: readonly PifName[]): Expressible;
  /** @throws {RangeError} before the first chunk if the update isn't `expressible` */
  update(header: UpdateHeader, tables: readonly TableUpdate[]): Iterable<Uint8Array>;
  /** @throws {TypeError} if the dialect has no such signal */
  signal(signal: "apply" | "commit" | "rollback"): Uint8Array;
  /**
   * All that a client sends to settle a table that another client has applied and not committed. A report follows, or a
   * rejection, as after an update. For servers whose hello has `FEATURE.SETTLE`.
   *
   * @throws {TypeError} if the dialect has no such signal
   */
  settle(signal: "commit" | "rollback"): Uint8Array;
}
