/**
 * Payloads of the native dialect's frames: values to bytes and back. Field by field, this is PROTOCOL.md.
 *
 * @module
 */

import { ADDRESS_SIZE, formatAddress, parseAddress } from "./address.ts";
import {
  HELLO,
  MAX_PIFS,
  MAX_SENTENCE,
  MIN_COMPAT,
  NO_RULE,
  OUTCOME,
  PIF,
  PIF_NAME_SIZE,
  PORTS,
  RESULT,
  TABLE,
  UPDATE,
  UPDATE_FLAG,
  VERSION,
} from "./constants.ts";
import { ProtocolError } from "./errors.ts";
import { type FrameName, newFrame } from "./native_frame.ts";
import { CODES, MODES, OUTCOMES } from "./names.ts";
import { decodePifName, decodeText, encodePifName } from "./pif_name.ts";
import type { FailedPorts, Hello, PifHeader, RuleFailure, UpdateHeader, Verdict } from "./types.ts";

/** The outcomes that REJECTED carries; RESULT carries all others. */
const REJECTED_OUTCOMES: ReadonlySet<number> = new Set([
  OUTCOME.REJECTED,
  OUTCOME.STALE,
  OUTCOME.BUSY,
  OUTCOME.TIMED_OUT,
  OUTCOME.PROTOCOL_ERROR,
]);

/** The most runs of ports that fit into a PORTS frame. */
const RUNS_PER_FRAME = 8191;

const ALL_UPDATE_FLAGS = UPDATE_FLAG.ANY_BASE | UPDATE_FLAG.ROLL_BACK_UNDELIVERED;

/** The HELLO frame. Throws a RangeError if a number doesn't fit. */
export function encodeHello(hello: Hello): Uint8Array {
  const { frame, payload } = newFrame("HELLO", HELLO.ZERO + 4);
  put16(payload, HELLO.VERSION, hello.version);
  put16(payload, HELLO.MIN_COMPAT, hello.minCompat);
  put32(payload, HELLO.FEATURES, hello.features);
  put64(payload, HELLO.REVISION, hello.revision);
  put32(payload, HELLO.MAX_PIFS, hello.maxPifs);
  put32(payload, HELLO.MAX_RULES, hello.maxRules);
  put32(payload, HELLO.MAX_SOCKETS, hello.maxSockets);
  put32(payload, HELLO.TRANSACTION_SECONDS, hello.transactionSeconds);
  put32(payload, HELLO.HOLD_SECONDS, hello.holdSeconds);
  return frame;
}

/** What HELLO says. */
export function decodeHello(payload: DataView): Hello {
  const minCompat = payload.getUint16(HELLO.MIN_COMPAT);
  requireZero(payload, HELLO.ZERO, 4, "HELLO");
  if (minCompat > VERSION) {
    throw new ProtocolError(
      "unsupported-version",
      `Can't talk to this server: it needs a client of version ${minCompat} or later, this one has version ${VERSION}`,
    );
  }
  return {
    version: payload.getUint16(HELLO.VERSION),
    minCompat,
    features: payload.getUint32(HELLO.FEATURES),
    revision: payload.getBigUint64(HELLO.REVISION),
    maxPifs: payload.getUint32(HELLO.MAX_PIFS),
    maxRules: payload.getUint32(HELLO.MAX_RULES),
    maxSockets: payload.getUint32(HELLO.MAX_SOCKETS),
    transactionSeconds: payload.getUint32(HELLO.TRANSACTION_SECONDS),
    holdSeconds: payload.getUint32(HELLO.HOLD_SECONDS),
  };
}

/** The PIF frame. Throws a RangeError or SyntaxError if a field doesn't fit. */
export function encodePif(pif: PifHeader): Uint8Array {
  const { frame, payload } = newFrame("PIF", PIF.NAME + PIF_NAME_SIZE);
  put32(payload, PIF.ID, pif.id);
  put32(payload, PIF.CAPABILITIES, pif.capabilities);
  put32(payload, PIF.RULE_COUNT, pif.ruleCount);
  put32(payload, PIF.RUN_COUNT, pif.runCount);
  const fields = bytesOf(payload);
  if (pif.defaultTarget !== undefined) fields.set(parseAddress(pif.defaultTarget), PIF.DEFAULT_TARGET);
  fields.set(encodePifName(pif.name), PIF.NAME);
  return frame;
}

/** The id in a PIF frame, which is checked before the rest. */
export function decodePifId(payload: DataView): number {
  return pifId(payload, PIF.ID, "PIF");
}

/** What PIF says. */
export function decodePif(payload: DataView): PifHeader {
  const id = decodePifId(payload);
  const target = bytesOf(payload).subarray(PIF.DEFAULT_TARGET, PIF.DEFAULT_TARGET + ADDRESS_SIZE);
  return {
    id,
    name: decodePifName(bytesOf(payload).subarray(PIF.NAME), id),
    capabilities: payload.getUint32(PIF.CAPABILITIES),
    ...(target.some((byte) => byte !== 0) && { defaultTarget: formatAddress(target) }),
    ruleCount: payload.getUint32(PIF.RULE_COUNT),
    runCount: payload.getUint32(PIF.RUN_COUNT),
  };
}

/** The UPDATE frame. Throws a RangeError if a number doesn't fit. */
export function encodeUpdate(header: UpdateHeader): Uint8Array {
  const { frame, payload } = newFrame("UPDATE", UPDATE.PIF_COUNT + 4);
  put16(payload, UPDATE.VERSION, header.version);
  put16(payload, UPDATE.MODE, MODES.number(header.mode));
  const anyBase = header.base === undefined ? UPDATE_FLAG.ANY_BASE : 0;
  put32(payload, UPDATE.FLAGS, anyBase | (header.rollBackUndelivered ? UPDATE_FLAG.ROLL_BACK_UNDELIVERED : 0));
  put64(payload, UPDATE.BASE, header.base ?? 0n);
  put32(payload, UPDATE.HOLD_SECONDS, header.holdSeconds);
  put32(payload, UPDATE.PIF_COUNT, header.pifCount);
  return frame;
}

/** What UPDATE says. */
export function decodeUpdate(payload: DataView, maxPifs: number): UpdateHeader {
  const version = payload.getUint16(UPDATE.VERSION);
  if (version < MIN_COMPAT || version > VERSION) {
    const known = MIN_COMPAT === VERSION ? `${VERSION}` : `from ${MIN_COMPAT} to ${VERSION}`;
    throw new ProtocolError("unsupported-version", `Can't take UPDATE: its version is ${version}, it must be ${known}`);
  }
  const modeNumber = payload.getUint16(UPDATE.MODE);
  const mode = MODES.name(modeNumber);
  if (mode === undefined) throw badField("UPDATE", `its mode is ${modeNumber}, it must be 1, 2 or 3`);
  const flags = payload.getUint32(UPDATE.FLAGS);
  if ((flags & ~ALL_UPDATE_FLAGS) !== 0) {
    throw badField("UPDATE", `its flags are 0x${flags.toString(16)}, only bits 0 and 1 may be set`);
  }
  const base = payload.getBigUint64(UPDATE.BASE);
  const anyBase = (flags & UPDATE_FLAG.ANY_BASE) !== 0;
  if (anyBase && base !== 0n) throw badField("UPDATE", `its base revision is ${base}, it must be 0 if any will do`);
  const pifCount = payload.getUint32(UPDATE.PIF_COUNT);
  if (pifCount > maxPifs) throw badField("UPDATE", `it announces ${pifCount} tables, it may announce ${maxPifs}`);
  return {
    version,
    mode,
    ...(!anyBase && { base }),
    rollBackUndelivered: (flags & UPDATE_FLAG.ROLL_BACK_UNDELIVERED) !== 0,
    holdSeconds: payload.getUint32(UPDATE.HOLD_SECONDS),
    pifCount,
  };
}

/** The TABLE frame. Throws a RangeError if a number doesn't fit. */
export function encodeTable(pif: number, ruleCount: number): Uint8Array {
  const { frame, payload } = newFrame("TABLE", TABLE.RULE_COUNT + 4);
  put32(payload, TABLE.PIF, pif);
  put32(payload, TABLE.RULE_COUNT, ruleCount);
  return frame;
}

/** What TABLE says. */
export function decodeTable(payload: DataView): { pif: number; ruleCount: number } {
  return { pif: pifId(payload, TABLE.PIF, "TABLE"), ruleCount: payload.getUint32(TABLE.RULE_COUNT) };
}

/** The REJECTED or RESULT frame; which of them, the outcome says. A sentence that is too long is cut. */
export function encodeVerdict(name: "REJECTED" | "RESULT", verdict: Verdict): Uint8Array {
  const outcome = OUTCOMES.number(verdict.outcome);
  if (REJECTED_OUTCOMES.has(outcome) !== (name === "REJECTED")) {
    throw new RangeError(`Can't encode the outcome "${verdict.outcome}" as ${name}: it belongs into the other frame`);
  }
  const buffer = new Uint8Array(MAX_SENTENCE);
  // Cuts between characters.
  const { written } = new TextEncoder().encodeInto(verdict.sentence, buffer);
  const { frame, payload } = newFrame(name, RESULT.SENTENCE + written);
  put16(payload, RESULT.OUTCOME, outcome);
  put16(payload, RESULT.CODE, CODES.number(verdict.code));
  put32(payload, RESULT.PIF, verdict.pif ?? 0);
  put32(payload, RESULT.RULE, verdict.rule ?? NO_RULE);
  put32(payload, RESULT.OTHER_RULE, verdict.otherRule ?? NO_RULE);
  put64(payload, RESULT.REVISION, verdict.revision);
  put32(payload, RESULT.KEPT, verdict.kept);
  put32(payload, RESULT.OPENED, verdict.opened);
  put32(payload, RESULT.RETIRED, verdict.retired);
  put32(payload, RESULT.FAILED, verdict.failed);
  put32(payload, RESULT.REBOUND, verdict.rebound);
  put32(payload, RESULT.OTHER_PIF, verdict.otherPif ?? 0);
  bytesOf(payload).set(buffer.subarray(0, written), RESULT.SENTENCE);
  return frame;
}

/** What REJECTED or RESULT says. */
export function decodeVerdict(name: "REJECTED" | "RESULT", payload: DataView): Verdict {
  const outcomeNumber = payload.getUint16(RESULT.OUTCOME);
  const codeNumber = payload.getUint16(RESULT.CODE);
  const outcome = OUTCOMES.name(outcomeNumber);
  const code = CODES.name(codeNumber);
  if (outcome === undefined || REJECTED_OUTCOMES.has(outcomeNumber) !== (name === "REJECTED")) {
    throw badField(name, `its outcome is ${outcomeNumber}, which this frame can't have`);
  }
  if (code === undefined) throw badField(name, `its code is ${codeNumber}, which isn't one`);
  const pif = payload.getUint32(RESULT.PIF);
  const rule = payload.getUint32(RESULT.RULE);
  const otherRule = payload.getUint32(RESULT.OTHER_RULE);
  const otherPif = payload.getUint32(RESULT.OTHER_PIF);
  return {
    outcome,
    code,
    ...(pif !== 0 && { pif }),
    ...(rule !== NO_RULE && { rule }),
    ...(otherRule !== NO_RULE && { otherRule }),
    ...(otherPif !== 0 && { otherPif }),
    revision: payload.getBigUint64(RESULT.REVISION),
    kept: payload.getUint32(RESULT.KEPT),
    opened: payload.getUint32(RESULT.OPENED),
    retired: payload.getUint32(RESULT.RETIRED),
    failed: payload.getUint32(RESULT.FAILED),
    rebound: payload.getUint32(RESULT.REBOUND),
    sentence: decodeText(bytesOf(payload).subarray(RESULT.SENTENCE), `${name}'s sentence`),
  };
}

/** The PORTS frames of one rule, as many as its runs need; none for none. */
export function* encodePorts({ pif, rule, ports }: RuleFailure): Iterable<Uint8Array> {
  for (let start = 0; start < ports.length; start += RUNS_PER_FRAME) {
    const runs = ports.slice(start, start + RUNS_PER_FRAME);
    const { frame, payload } = newFrame("PORTS", PORTS.RUNS + runs.length * PORTS.RUN_SIZE);
    put32(payload, PORTS.PIF, pif);
    put32(payload, PORTS.RULE, rule);
    for (const [index, { first, last, errno }] of runs.entries()) {
      const at = PORTS.RUNS + index * PORTS.RUN_SIZE;
      put16(payload, at, first);
      put16(payload, at + 2, last);
      put16(payload, at + 4, errno);
    }
    yield frame;
  }
}

/**
 * What PORTS says.
 *
 * @param listed the pif that it must be about, if it stands in a listing
 */
export function decodePorts(payload: DataView, listed?: { pif: number; ruleCount: number }): RuleFailure {
  const pif = pifId(payload, PORTS.PIF, "PORTS");
  const rule = payload.getUint32(PORTS.RULE);
  if (listed !== undefined && pif !== listed.pif) {
    throw badField("PORTS", `its pif id is ${pif}, it must be ${listed.pif}, which is being listed`);
  }
  if (listed !== undefined && rule >= listed.ruleCount) {
    throw badField("PORTS", `it is about rule ${rule}, the table of pif ${pif} has ${listed.ruleCount}`);
  }
  const ports: FailedPorts[] = [];
  for (let at: number = PORTS.RUNS; at < payload.byteLength; at += PORTS.RUN_SIZE) {
    const first = payload.getUint16(at);
    const last = payload.getUint16(at + 2);
    requireZero(payload, at + 6, 2, "PORTS");
    if (first === 0 || first > last) {
      throw badField("PORTS", `it lists the ports ${first} to ${last}, which must be in order and not 0`);
    }
    ports.push({ first, last, errno: payload.getUint16(at + 4) });
  }
  return { pif, rule, ports };
}

function pifId(payload: DataView, offset: number, frame: FrameName): number {
  const id = payload.getUint32(offset);
  if (id >= 1 && id <= MAX_PIFS) return id;
  throw badField(frame, `its pif id is ${id}, it must be 1 to ${MAX_PIFS}`);
}

function badField(subject: string, fault: string): ProtocolError {
  return new ProtocolError("bad-field", `Can't take ${subject}: ${fault}`);
}

function requireZero(payload: DataView, offset: number, size: number, subject: string): void {
  const field = bytesOf(payload).subarray(offset, offset + size);
  if (field.every((byte) => byte === 0)) return;
  throw new ProtocolError(
    "reserved-bytes",
    `Can't take ${subject}: bytes ${offset} to ${offset + size - 1} of its payload must be zero`,
  );
}

function bytesOf({ buffer, byteOffset, byteLength }: DataView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function put16(payload: DataView, offset: number, value: number): void {
  payload.setUint16(offset, inBounds(value, 0xffff));
}

function put32(payload: DataView, offset: number, value: number): void {
  payload.setUint32(offset, inBounds(value, 0xffffffff));
}

function put64(payload: DataView, offset: number, value: bigint): void {
  if (value < 0n || value > 0xffff_ffff_ffff_ffffn) {
    throw new RangeError(`Can't encode ${value}: it must be from 0 to 2^64 - 1`);
  }
  payload.setBigUint64(offset, value);
}

function inBounds(value: number, most: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= most) return value;
  throw new RangeError(`Can't encode ${value}: it must be a whole number from 0 to ${most}`);
}
