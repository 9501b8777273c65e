/**
 * The released dialect, versions 1 and 2, as either side speaks it. It has one exchange: a server lists its pifs, a
 * client sends new tables and hangs up. The server never answers, and a client has no magic, no revision and no mode.
 *
 * Records are converted in `passt_record.ts`, bytes are read in `passt_decoder.ts`.
 *
 * @module
 */

import { INTERFACE_NAME_SIZE, MAGIC_SIZE, PASST, PASST_MAGIC, PIF_NAME_SIZE } from "./constants.ts";
import type { ClientDialect, Expressible, PifName, PifTable, ServerDialect, Shown, TableUpdate } from "./dialect.ts";
import { passtListingDecoder, passtUpdateDecoder } from "./passt_decoder.ts";
import { findUnsayable, fromPasstRecords, type PasstVersion, toPasstRecords } from "./passt_record.ts";
import { encodePifName } from "./pif_name.ts";
import { shortened } from "./printable.ts";
import type { RuleTable } from "./table.ts";
import type { Hello, UpdateHeader } from "./types.ts";

/** Code points of a pif's name that a sentence shows at most. */
const QUOTED = 60;

const NOTHING = new Uint8Array(0);

/** The released dialect as a server of that version speaks it. */
export function passtServer(version: PasstVersion): ServerDialect {
  return {
    name: "passt",
    version,
    answers: false,
    decoder: (limits) => passtUpdateDecoder(version, limits),
    greeting: (_hello: Hello, pifs: readonly PifTable[]) => greeting(version, pifs),
    shown: (table) => shown(table, version),
    accepted: () => NOTHING,
    rejected: () => NOTHING,
    report: () => [],
  };
}

/** The released dialect as a client speaks it to a server of that version. */
export function passtClient(version: PasstVersion): ClientDialect {
  return {
    name: "passt",
    version,
    answers: false,
    namesAllPifs: true,
    decoder: passtListingDecoder,
    expressible: (header, tables, pifs) => expressible(version, header, tables, pifs),
    update(header, tables) {
      const verdict = expressible(version, header, tables, []);
      if (verdict.kind === "inexpressible") throw new RangeError(verdict.message);
      return update(version, tables);
    },
    signal: (signal) => refuseSignal(version, signal),
    settle: (signal) => refuseSignal(version, signal),
  };
}

/** The magic with the sizes of what follows, then each pif with its rules, then the end. */
function* greeting(version: PasstVersion, pifs: readonly PifTable[]): Iterable<Uint8Array> {
  const { GREETING } = PASST;
  const head = new Uint8Array(MAGIC_SIZE + GREETING.SIZE);
  head.set(PASST_MAGIC);
  const fields = new DataView(head.buffer, MAGIC_SIZE);
  fields.setUint32(GREETING.VERSION, version);
  fields.setUint32(GREETING.PIF_NAME_SIZE, PIF_NAME_SIZE);
  fields.setUint32(GREETING.INTERFACE_NAME_SIZE, INTERFACE_NAME_SIZE);
  yield head;
  for (const { header: { id, name, capabilities }, table } of pifs) {
    const records = toPasstRecords(table, version);
    const { PIF } = PASST;
    const chunk = new Uint8Array(PIF.SIZE + records.length);
    const view = new DataView(chunk.buffer);
    view.setUint8(PIF.ID, id);
    chunk.set(encodePifName(name), PIF.NAME);
    view.setUint32(PIF.CAPABILITIES, capabilities & PASST.CAPABILITIES);
    view.setUint32(PIF.RULE_COUNT, records.length / PASST.RECORD_SIZE[version]);
    chunk.set(records, PIF.SIZE);
    yield chunk;
  }
  yield Uint8Array.of(PASST.END);
}

function shown(table: RuleTable, version: PasstVersion): Shown {
  if (table.length <= PASST.MAX_RULES && findUnsayable(table, version) < 0) return { kind: "whole" };
  return { kind: "part", records: fromPasstRecords(toPasstRecords(table, version), version) };
}

function expressible(
  version: PasstVersion,
  { mode, holdSeconds, rollBackUndelivered }: UpdateHeader,
  tables: readonly TableUpdate[],
  pifs: readonly PifName[],
): Expressible {
  if (mode !== "one-shot" || holdSeconds > 0 || rollBackUndelivered) {
    const message = `Can't send such an update: ${named(version)} only has ones that are applied at once and kept`;
    return { kind: "inexpressible", code: "mode-unsupported", message };
  }
  for (const { pif, table } of tables) {
    const name = shortened(pifs.find(({ id }) => id === pif)?.name ?? String(pif), QUOTED);
    if (table.length > PASST.MAX_RULES) {
      const message =
        `Can't send the table of pif "${name}": it has ${table.length} rules, and ${named(version)} has ` +
        `room for ${PASST.MAX_RULES}`;
      return { kind: "inexpressible", code: "too-many-rules", message, pif };
    }
    const rule = findUnsayable(table, version);
    if (rule >= 0) {
      const message = `Can't send rule "${table.text(rule)}" of pif "${name}": it has a target address, and ` +
        (version === 1 ? `${named(version)} has none` : `${named(version)} has only those of the rule's own family`);
      return { kind: "inexpressible", code: "target-unsupported", message, pif, rule };
    }
  }
  return { kind: "expressible" };
}

function* update(version: PasstVersion, tables: readonly TableUpdate[]): Iterable<Uint8Array> {
  const { TABLE } = PASST;
  for (const { pif, table } of tables) {
    const records = toPasstRecords(table, version);
    const chunk = new Uint8Array(TABLE.SIZE + records.length);
    const view = new DataView(chunk.buffer);
    view.setUint8(TABLE.PIF, pif);
    view.setUint32(TABLE.RULE_COUNT, records.length / PASST.RECORD_SIZE[version]);
    chunk.set(records, TABLE.SIZE);
    yield chunk;
  }
  yield Uint8Array.of(PASST.END);
}

/** @throws {TypeError} always */
function refuseSignal(version: PasstVersion, signal: string): never {
  throw new TypeError(`Can't send "${signal}": ${named(version)} only has whole tables`);
}

/** The dialect in a sentence. */
function named(version: PasstVersion): string {
  return `version ${version} of the released protocol`;
}
