/**
 * The oracle's decoder for the native dialect: the conversations of PROTOCOL.md by recursive descent over a side's
 * whole bytes. It has no state to resume from, which is what it shares least with the decoder under test.
 *
 * @module
 */

import type { ClientEvent, Code, PifHeader, ServerEvent, Verdict } from "../../codec/types.ts";
import { formatOracleAddress } from "./address.ts";
import { Broken, Fields, FrameReader, Incomplete } from "./frame_reader.ts";
import { type RawRecord, readRecords } from "./record.ts";
import { interfaceNameOf } from "./validate.ts";
import { CLIENT_MAGIC_BYTES, CODES, MODES, OUTCOMES, SERVER_MAGIC_BYTES, TYPE } from "./frames.ts";

/** What a side's bytes say, and the fault that ends them, if any. */
export interface Decoded<Event> {
  readonly events: readonly Event[];
  readonly fault?: Code;
}

/** What a client may announce. */
export interface OracleLimits {
  readonly maxPifs: number;
  readonly maxRules: number;
}

const NO_RULE = 0xffffffff;
/** Outcomes that REJECTED carries; RESULT carries the others. */
const REJECTED_OUTCOMES: readonly number[] = [1, 4, 5, 6, 7];

/** What a client's bytes say, from the magic on. */
export function decodeClient(bytes: Uint8Array, limits: OracleLimits): Decoded<ClientEvent> {
  return collect(bytes, (reader, events) => {
    reader.magic(CLIENT_MAGIC_BYTES);
    if (reader.peek() === TYPE.COMMIT || reader.peek() === TYPE.ROLLBACK) {
      events.push(readDecision(reader));
      return reader.end();
    }
    const update = readUpdate(reader.expect(TYPE.UPDATE), limits);
    events.push(update);
    const seen = new Set<number>();
    for (let count = 0; count < update.header.pifCount; count++) {
      readTable(reader, (event) => events.push(event), seen, "update", limits.maxRules);
    }
    reader.expect(TYPE.END);
    events.push({ kind: "end" });
    if (update.header.mode === "staged") {
      reader.expect(TYPE.APPLY);
      events.push({ kind: "apply" });
      events.push(readDecision(reader));
    }
    reader.end();
  });
}

/** What a server's bytes say, from the magic on. */
export function decodeServer(bytes: Uint8Array): Decoded<ServerEvent> {
  return collect(bytes, (reader, events) => {
    reader.magic(SERVER_MAGIC_BYTES);
    events.push(readHello(reader.expect(TYPE.HELLO)));
    const seen = new Set<number>();
    while (reader.peek() === TYPE.PIF) {
      const event = readPif(reader.expect(TYPE.PIF), seen);
      events.push(event);
      readRules(reader, (event) => events.push(event), event.pif.id, event.pif.ruleCount, "listing");
      readListedPorts(reader, events, event.pif);
    }
    reader.expect(TYPE.END);
    events.push({ kind: "listed" });

    const staged = reader.peek() === TYPE.ACCEPTED;
    if (staged) {
      reader.expect(TYPE.ACCEPTED);
      events.push({ kind: "accepted" });
    }
    for (let reports = staged ? 2 : 1; reports > 0; reports--) {
      if (reader.peek() === TYPE.REJECTED) {
        events.push({ kind: "rejected", verdict: readVerdict(reader.expect(TYPE.REJECTED), true) });
        break;
      }
      readReport(reader, events);
    }
    reader.end();
  });
}

function collect<Event>(bytes: Uint8Array, read: (reader: FrameReader, events: Event[]) => void): Decoded<Event> {
  const events: Event[] = [];
  try {
    read(new FrameReader(bytes), events);
  } catch (error) {
    if (error instanceof Broken) return { events, fault: error.code };
    if (!(error instanceof Incomplete)) throw error;
  }
  return { events };
}

function readHello(fields: Fields): ServerEvent {
  const hello = {
    version: fields.number(2),
    minCompat: fields.number(2),
    features: fields.number(4),
    revision: fields.big(8),
    maxPifs: fields.number(4),
    maxRules: fields.number(4),
    maxSockets: fields.number(4),
    transactionSeconds: fields.number(4),
    holdSeconds: fields.number(4),
  };
  fields.zero(4);
  if (hello.minCompat > 1) throw new Broken("unsupported-version");
  return { kind: "hello", hello };
}

function readPif(fields: Fields, seen: Set<number>): ServerEvent & { kind: "pif" } {
  const id = pifId(fields.number(4), seen);
  const capabilities = fields.number(4);
  const ruleCount = fields.number(4);
  const runCount = fields.number(4);
  const target = fields.big(16);
  const name = terminated(fields.take(128));
  if (name === "") throw new Broken("bad-field");
  const defaultTarget = target === 0n ? {} : { defaultTarget: formatOracleAddress(target) };
  return { kind: "pif", pif: { id, name, capabilities, ...defaultTarget, ruleCount, runCount } };
}

function readUpdate(fields: Fields, limits: OracleLimits): ClientEvent & { kind: "update" } {
  const version = fields.number(2);
  if (version !== 1) throw new Broken("unsupported-version");
  const mode = MODES[fields.number(2)];
  if (mode === undefined) throw new Broken("bad-field");
  const flags = fields.number(4);
  const base = fields.big(8);
  if (flags > 3 || ((flags & 1) !== 0 && base !== 0n)) throw new Broken("bad-field");
  const holdSeconds = fields.number(4);
  const pifCount = fields.number(4);
  if (pifCount > limits.maxPifs) throw new Broken("bad-field");
  const rollBackUndelivered = (flags & 2) !== 0;
  const known = (flags & 1) !== 0 ? {} : { base };
  return { kind: "update", header: { version, mode, ...known, rollBackUndelivered, holdSeconds, pifCount } };
}

function readDecision(reader: FrameReader): ClientEvent {
  const kind = reader.peek() === TYPE.COMMIT ? "commit" : "rollback";
  reader.expect(kind === "commit" ? TYPE.COMMIT : TYPE.ROLLBACK);
  return { kind };
}

/** Where a table stands. */
type Place = "update" | "listing" | "report";
/** The events that both sides' tables consist of. */
type TablePart = ServerEvent & { kind: "table" | "rules" };

function readTable(
  reader: FrameReader,
  emit: (event: TablePart) => void,
  seen: Set<number>,
  place: Place,
  maxRules: number,
): void {
  const fields = reader.expect(TYPE.TABLE);
  const pif = pifId(fields.number(4), seen);
  const ruleCount = fields.number(4);
  if (ruleCount > maxRules) throw new Broken("too-many-rules");
  emit({ kind: "table", pif, ruleCount });
  readRules(reader, emit, pif, ruleCount, place);
}

/** Frames that can't stand before the last record of a table, but right after it. */
const AFTER_RECORDS: Readonly<Record<Place, readonly number[]>> = {
  update: [TYPE.TABLE, TYPE.END],
  listing: [TYPE.PIF, TYPE.PORTS, TYPE.END],
  report: [TYPE.TABLE, TYPE.PORTS, TYPE.END],
};

/** Reads the records of one table, and sees to it that no more follow. */
function readRules(
  reader: FrameReader,
  emit: (event: TablePart) => void,
  pif: number,
  count: number,
  place: Place,
): void {
  let left = count;
  while (left > 0) {
    const type = reader.peek();
    if (AFTER_RECORDS[place].includes(type)) throw new Broken("rule-count");
    if (type !== TYPE.RULES) throw new Broken("unexpected-frame");
    const length = reader.peekLength();
    if (length > 64 * left) throw new Broken("rule-count");
    const records = reader.expect(TYPE.RULES).take(length);
    for (const record of readRecords(records)) checkRecord(record, place);
    emit({ kind: "rules", pif, records });
    left -= length / 64;
  }
  if (reader.peek() === TYPE.RULES) throw new Broken("rule-count");
}

/**
 * A client's records may hold any rule, which is validated later and refused by name; a server's hold rules in force,
 * so a value outside the RULES table breaks the protocol.
 */
function checkRecord(record: RawRecord, place: Place): void {
  if (record.zero !== 0) throw new Broken("reserved-bytes");
  if (place === "update") {
    if (record.status !== 0 || record.failed !== 0) throw new Broken("reserved-bytes");
    return;
  }
  const { protocol, flags, status, first, last } = record;
  const known = (protocol === 6 || protocol === 17) && flags <= 7 && status <= 4;
  const portsInOrder = first !== 0 && first <= last;
  if (!known || !portsInOrder || interfaceNameOf(record.interfaceName) === undefined) throw new Broken("bad-field");
}

/** Reads the announced runs of a pif's failed ports, and sees to it that no more follow. */
function readListedPorts(reader: FrameReader, events: ServerEvent[], pif: PifHeader): void {
  let left = pif.runCount;
  while (left > 0) {
    const type = reader.peek();
    if (type === TYPE.PIF || type === TYPE.END) throw new Broken("run-count");
    if (type !== TYPE.PORTS) throw new Broken("unexpected-frame");
    const count = reader.peekLength() / 8 - 1;
    if (count > left) throw new Broken("run-count");
    events.push(readPorts(reader.expect(TYPE.PORTS), pif));
    left -= count;
  }
  if (reader.peek() === TYPE.PORTS) throw new Broken("run-count");
}

function readReport(reader: FrameReader, events: ServerEvent[]): void {
  events.push({ kind: "result", verdict: readVerdict(reader.expect(TYPE.RESULT), false) });
  const seen = new Set<number>();
  while (reader.peek() === TYPE.TABLE) readTable(reader, (event) => events.push(event), seen, "report", NO_RULE);
  while (reader.peek() === TYPE.PORTS) events.push(readPorts(reader.expect(TYPE.PORTS)));
  reader.expect(TYPE.END);
  events.push({ kind: "reported" });
}

function readVerdict(fields: Fields, rejected: boolean): Verdict {
  const outcomeNumber = fields.number(2);
  const outcome = OUTCOMES[outcomeNumber];
  const code = CODES.get(fields.number(2));
  if (outcome === undefined || code === undefined) throw new Broken("bad-field");
  if (REJECTED_OUTCOMES.includes(outcomeNumber) !== rejected) throw new Broken("bad-field");
  const pif = fields.number(4);
  const rule = fields.number(4);
  const otherRule = fields.number(4);
  const counts = {
    revision: fields.big(8),
    kept: fields.number(4),
    opened: fields.number(4),
    retired: fields.number(4),
    failed: fields.number(4),
    rebound: fields.number(4),
  };
  const otherPif = fields.number(4);
  return {
    outcome,
    code,
    ...(pif === 0 ? {} : { pif }),
    ...(rule === NO_RULE ? {} : { rule }),
    ...(otherRule === NO_RULE ? {} : { otherRule }),
    ...(otherPif === 0 ? {} : { otherPif }),
    ...counts,
    sentence: utf8(fields.take(fields.left)),
  };
}

function readPorts(fields: Fields, listed?: PifHeader): ServerEvent {
  const pif = pifId(fields.number(4), new Set());
  const rule = fields.number(4);
  if (listed !== undefined && (pif !== listed.id || rule >= listed.ruleCount)) throw new Broken("bad-field");
  const ports = [];
  while (fields.left > 0) {
    const [first, last, errno] = [fields.number(2), fields.number(2), fields.number(2)];
    fields.zero(2);
    if (first === 0 || first > last) throw new Broken("bad-field");
    ports.push({ first, last, errno });
  }
  return { kind: "ports", failure: { pif, rule, ports } };
}

function pifId(id: number, seen: Set<number>): number {
  if (id < 1 || id > 255) throw new Broken("bad-field");
  if (seen.has(id)) throw new Broken("duplicate-pif");
  seen.add(id);
  return id;
}

function terminated(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  if (end < 0 || bytes.subarray(end).some((byte) => byte !== 0)) throw new Broken("bad-field");
  return utf8(bytes.subarray(0, end));
}

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw cause instanceof TypeError ? new Broken("bad-field") : cause;
  }
}
