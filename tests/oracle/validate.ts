/**
 * The oracle's validation: "Validity of a table" in PROTOCOL.md, read aloud. Every rule is held against every earlier
 * one; nothing is clever.
 *
 * @module
 */

import type { Code } from "../../codec/types.ts";
import {
  isIPv4,
  isLoopbackOrUnspecified,
  isMulticast,
  LOOPBACK_IPV4,
  parseOracleAddress,
  UNSPECIFIED_IPV4,
} from "./address.ts";
import type { RawRecord } from "./record.ts";

/** What the pif of a table can do and allows; the fields are those of the codec's `TablePolicy`. */
export interface OraclePolicy {
  readonly capabilities: number;
  readonly defaultTarget?: string;
  readonly maxRules: number;
  readonly maxSockets: number;
  /** Listening sockets and targets are in the same network namespace. */
  readonly sameNamespace: boolean;
  readonly localAddresses?: readonly string[];
}

/** What is wrong with one rule. */
export interface Fault {
  readonly code: Code;
  readonly otherRule?: number;
}

/** The first fault of a table, or how many sockets it needs. */
export type Validity =
  | { readonly kind: "valid"; readonly sockets: number }
  | { readonly kind: "invalid"; readonly code: Code; readonly rule?: number; readonly otherRule?: number };

/** What the oracle says of a table. */
export function validateSlowly(records: readonly RawRecord[], policy: OraclePolicy): Validity {
  if (records.length > policy.maxRules) return { kind: "invalid", code: "too-many-rules" };
  let sockets = 0;
  for (const [rule, record] of records.entries()) {
    const fault = faultOf(record, records.slice(0, rule), policy);
    if (fault !== undefined) return { kind: "invalid", rule, ...fault };
    sockets += record.last - record.first + 1;
  }
  if (sockets > policy.maxSockets) return { kind: "invalid", code: "too-many-sockets" };
  return { kind: "valid", sockets };
}

/** What is wrong with a rule that follows `earlier`, in PROTOCOL.md's order. */
export function faultOf(record: RawRecord, earlier: readonly RawRecord[], policy: OraclePolicy): Fault | undefined {
  const code = faultAlone(record, policy);
  if (code !== undefined) return { code };
  const otherRule = earlier.findIndex((other) => conflict(record, other));
  if (otherRule >= 0) return { code: "conflict", otherRule };
  return forwardsToItself(record, policy) ? { code: "forwards-to-itself" } : undefined;
}

/** Whether two rules want the same endpoint. */
export function conflict(one: RawRecord, other: RawRecord): boolean {
  return one.protocol === other.protocol && one.first <= other.last && other.first <= one.last &&
    addressesMeet(one, other);
}

/** Equal, or one is dual stack, or one is the wildcard of the other's family. */
export function addressesMeet(one: RawRecord, other: RawRecord): boolean {
  if (isDualStack(one) || isDualStack(other)) return true;
  if (isIPv4(one.address) !== isIPv4(other.address)) return false;
  return one.address === other.address || isWildcard(one.address) || isWildcard(other.address);
}

/** Whether the record's flag says so. */
export function isDualStack(record: RawRecord): boolean {
  return (record.flags & 1) !== 0;
}

function isWildcard(address: bigint): boolean {
  return address === 0n || address === UNSPECIFIED_IPV4;
}

function faultAlone(record: RawRecord, policy: OraclePolicy): Code | undefined {
  const can = (bit: number) => (policy.capabilities & (1 << bit)) !== 0;
  const dualStack = isDualStack(record);
  const ipv4 = isIPv4(record.address);

  if (record.first > record.last) return "port-order";
  if (record.first === 0) return "port-zero";
  if (record.targetPort === 0 || record.targetPort + (record.last - record.first) > 65535) return "target-port";

  if (record.flags > 7) return "unknown-flags";
  if (dualStack && record.address !== 0n) return "dual-stack-address";
  if (dualStack ? !(can(0) && can(1)) : !can(ipv4 ? 0 : 1)) return "family-unsupported";

  if (record.protocol !== 6 && record.protocol !== 17) return "unknown-protocol";
  if (!can(record.protocol === 6 ? 2 : 3)) return "protocol-unsupported";

  const name = interfaceNameOf(record.interfaceName);
  if (name === undefined) return "bad-interface-name";
  if (name !== "" && !can(5)) return "interface-unsupported";

  if ((record.flags & 4) !== 0 && !can(4)) return "scan-unsupported";

  if (record.target === 0n) return policy.defaultTarget === undefined ? "no-target" : undefined;
  if (isMulticast(record.target)) return "target-multicast";
  if (dualStack) return can(6) ? undefined : "target-dual-stack";
  return isIPv4(record.target) === ipv4 || can(6) ? undefined : "target-family";
}

/** The name in a record, empty for none; undefined if the 16 bytes hold no name that an interface can have. */
export function interfaceNameOf(bytes: Uint8Array): string | undefined {
  const end = bytes.indexOf(0);
  if (end < 0 || bytes.subarray(end).some((byte) => byte !== 0)) return undefined;
  try {
    const name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes.subarray(0, end));
    return name === "." || name === ".." || /[ /\p{Cc}]/u.test(name) ? undefined : name;
  } catch {
    return undefined;
  }
}

function forwardsToItself(record: RawRecord, policy: OraclePolicy): boolean {
  if (!policy.sameNamespace || record.targetPort !== record.first) return false;
  const name = interfaceNameOf(record.interfaceName);
  if (name !== "" && name !== "lo") return false;
  const target = record.target !== 0n ? record.target : parseOracleAddress(policy.defaultTarget ?? "::");
  const local = isLoopbackOrUnspecified(target) ||
    (policy.localAddresses ?? []).some((address) => parseOracleAddress(address) === target);
  if (isDualStack(record)) return local;
  // Connecting to 0.0.0.0 reaches 127.0.0.1.
  const reached = target === UNSPECIFIED_IPV4 ? LOOPBACK_IPV4 : target;
  if (record.address === target || record.address === reached) return true;
  return isWildcard(record.address) && isIPv4(record.address) === isIPv4(target) && local;
}
