/**
 * The oracle's rule records: 64 bytes to fields and back, field by field from the RULES table in PROTOCOL.md. The
 * numbers are stated again here on purpose.
 *
 * @module
 */

import type { ListedRule, Rule, RuleStatus } from "../../codec/types.ts";
import { formatOracleAddress, parseOracleAddress } from "./address.ts";

/** A record's fields as they stand on the wire, sensible or not. */
export interface RawRecord {
  readonly address: bigint;
  readonly target: bigint;
  /** All 16 bytes. */
  readonly interfaceName: Uint8Array;
  readonly first: number;
  readonly last: number;
  readonly targetPort: number;
  readonly protocol: number;
  readonly flags: number;
  readonly status: number;
  readonly failed: number;
  readonly zero: number;
}

const STATUSES: readonly RuleStatus[] = ["unset", "bound", "partial", "failed", "waiting"];

/** The record as 64 bytes. */
export function writeRecord(record: RawRecord): Uint8Array {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, record.address >> 64n);
  view.setBigUint64(8, BigInt.asUintN(64, record.address));
  view.setBigUint64(16, record.target >> 64n);
  view.setBigUint64(24, BigInt.asUintN(64, record.target));
  bytes.set(record.interfaceName, 32);
  view.setUint16(48, record.first);
  view.setUint16(50, record.last);
  view.setUint16(52, record.targetPort);
  bytes[54] = record.protocol;
  bytes[55] = record.flags;
  view.setUint16(56, record.status);
  view.setUint16(58, record.failed);
  view.setUint32(60, record.zero);
  return bytes;
}

/** The fields of 64 bytes. */
export function readRecord(bytes: Uint8Array): RawRecord {
  const view = new DataView(bytes.buffer, bytes.byteOffset, 64);
  return {
    address: (view.getBigUint64(0) << 64n) | view.getBigUint64(8),
    target: (view.getBigUint64(16) << 64n) | view.getBigUint64(24),
    interfaceName: bytes.slice(32, 48),
    first: view.getUint16(48),
    last: view.getUint16(50),
    targetPort: view.getUint16(52),
    protocol: view.getUint8(54),
    flags: view.getUint8(55),
    status: view.getUint16(56),
    failed: view.getUint16(58),
    zero: view.getUint32(60),
  };
}

/** The fields of all records of a table. */
export function readRecords(bytes: Uint8Array): RawRecord[] {
  return Array.from({ length: bytes.length / 64 }, (_, index) => readRecord(bytes.subarray(64 * index)));
}

/** The records in a row. */
export function writeRecords(records: readonly RawRecord[]): Uint8Array {
  const bytes = new Uint8Array(64 * records.length);
  records.forEach((record, index) => bytes.set(writeRecord(record), 64 * index));
  return bytes;
}

/** What a rule is on the wire, without or with the state of its sockets. */
export function recordOf(rule: Rule | ListedRule): RawRecord {
  const interfaceName = new Uint8Array(16);
  interfaceName.set(new TextEncoder().encode(rule.interface ?? ""));
  return {
    address: rule.address === "*" ? 0n : parseOracleAddress(rule.address),
    target: rule.target === undefined ? 0n : parseOracleAddress(rule.target),
    interfaceName,
    first: rule.firstPort,
    last: rule.lastPort,
    targetPort: rule.targetPort,
    protocol: rule.protocol === "tcp" ? 6 : 17,
    flags: (rule.address === "*" ? 1 : 0) + (rule.weak ? 2 : 0) + (rule.scan ? 4 : 0),
    status: "status" in rule ? STATUSES.indexOf(rule.status) : 0,
    failed: "failedPorts" in rule ? rule.failedPorts : 0,
    zero: 0,
  };
}

/** What a record means; only for one that {@linkcode recordOf} could have made. */
export function ruleOf(record: RawRecord): Rule {
  const nameLength = record.interfaceName.indexOf(0);
  return {
    protocol: record.protocol === 6 ? "tcp" : "udp",
    address: (record.flags & 1) !== 0 ? "*" : formatOracleAddress(record.address),
    ...(nameLength === 0 ? {} : {
      interface: new TextDecoder("utf-8", { ignoreBOM: true }).decode(record.interfaceName.subarray(0, nameLength)),
    }),
    firstPort: record.first,
    lastPort: record.last,
    ...(record.target === 0n ? {} : { target: formatOracleAddress(record.target) }),
    targetPort: record.targetPort,
    weak: (record.flags & 2) !== 0,
    scan: (record.flags & 4) !== 0,
  };
}

/** What a server's record means. */
export function listedRuleOf(record: RawRecord): ListedRule {
  const status = STATUSES[record.status];
  if (status === undefined) throw new RangeError(`Can't read a record: its status is ${record.status}`);
  return { ...ruleOf(record), status, failedPorts: record.failed };
}
