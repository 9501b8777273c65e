/**
 * The native dialect, as PROTOCOL.md has it to the byte.
 *
 * @module
 */

import { CLIENT_MAGIC, FRAME_HEADER_SIZE, MAX_PAYLOAD, SERVER_MAGIC, VERSION } from "./constants.ts";
import type { ClientDialect, ServerDialect, TableUpdate } from "./dialect.ts";
import { clientDecoder, serverDecoder } from "./native_decoder.ts";
import { newFrame } from "./native_frame.ts";
import { encodeHello, encodePif, encodePorts, encodeTable, encodeUpdate, encodeVerdict } from "./native_payloads.ts";
import { encodeRules, type StatusChoice } from "./native_tables.ts";
import type { RuleFailure } from "./types.ts";

const SIGNAL = { apply: "APPLY", commit: "COMMIT", rollback: "ROLLBACK" } as const;

/**
 * The native dialect as a server speaks it. What can't be encoded throws a RangeError or a SyntaxError before any byte
 * of its frame is made.
 */
export const nativeServer: ServerDialect = {
  name: "native",
  version: VERSION,
  answers: true,
  decoder: clientDecoder,
  shown: () => ({ kind: "whole" }),

  *greeting(hello, pifs) {
    yield SERVER_MAGIC.slice();
    yield encodeHello(hello);
    for (const { header, table, failures } of pifs) {
      const runCount = failures.reduce((sum, { ports }) => sum + ports.length, 0);
      yield encodePif({ ...header, ruleCount: table.length, runCount });
      yield* encodeRules(table, "with status");
      yield* encodeFailures(failures);
    }
    yield end();
  },

  accepted: () => newFrame("ACCEPTED", 0).frame,
  rejected: (verdict) => encodeVerdict("REJECTED", verdict),

  *report({ verdict, tables, failures }) {
    yield encodeVerdict("RESULT", verdict);
    for (const update of tables) yield* encodeTableUpdate(update, "with status");
    yield* encodeFailures(failures);
    yield end();
  },
};

/** The native dialect as a client speaks it. The number of tables is that of the tables given. Throws as {@linkcode nativeServer} does. */
export const nativeClient: ClientDialect = {
  name: "native",
  version: VERSION,
  answers: true,
  namesAllPifs: false,
  decoder: serverDecoder,
  expressible: () => ({ kind: "expressible" }),

  *update(header, tables) {
    yield CLIENT_MAGIC.slice();
    yield encodeUpdate({ ...header, pifCount: tables.length });
    for (const update of tables) yield* encodeTableUpdate(update, "without status");
    yield end();
  },

  signal: (signal) => newFrame(SIGNAL[signal], 0).frame,
  settle: (signal) => Uint8Array.of(...CLIENT_MAGIC, ...nativeClient.signal(signal)),
};

function* encodeTableUpdate({ pif, table }: TableUpdate, status: StatusChoice): Iterable<Uint8Array> {
  yield encodeTable(pif, table.length);
  yield* encodeRules(table, status);
}

/** The PORTS frames of these rules, as many in a chunk as fit: each has one of its own, and there may be 65,535 of them. */
function* encodeFailures(failures: readonly RuleFailure[]): Iterable<Uint8Array> {
  if (failures.length === 0) return;
  const chunk = new Uint8Array(FRAME_HEADER_SIZE + MAX_PAYLOAD);
  let used = 0;
  for (const failure of failures) {
    for (const frame of encodePorts(failure)) {
      if (used + frame.length > chunk.length) {
        yield chunk.slice(0, used);
        used = 0;
      }
      chunk.set(frame, used);
      used += frame.length;
    }
  }
  if (used > 0) yield chunk.slice(0, used);
}

function end(): Uint8Array {
  return newFrame("END", 0).frame;
}
