/**
 * The oracle's encoder for the native dialect: the frames of PROTOCOL.md, one function each. The numbers are stated
 * again here on purpose; nothing is taken from codec/ but types.
 *
 * @module
 */

import type { ClientEvent, Code, Hello, Outcome, PifHeader, RuleFailure, ServerEvent } from "../../codec/types.ts";
import type { UpdateHeader, UpdateMode, Verdict } from "../../codec/types.ts";
import { concat } from "../bytes.ts";
import { parseOracleAddress } from "./address.ts";

/** Type numbers of the frames. */
export const TYPE = {
  HELLO: 0x0001,
  PIF: 0x0002,
  RULES: 0x0003,
  END: 0x0004,
  TABLE: 0x0005,
  PORTS: 0x0006,
  UPDATE: 0x0010,
  APPLY: 0x0011,
  COMMIT: 0x0012,
  ROLLBACK: 0x0013,
  ACCEPTED: 0x0020,
  REJECTED: 0x0021,
  RESULT: 0x0022,
} as const;

/** `pesto:s` and `pesto:c`, each with a zero byte. */
export const SERVER_MAGIC_BYTES: readonly number[] = [0x70, 0x65, 0x73, 0x74, 0x6f, 0x3a, 0x73, 0x00];
export const CLIENT_MAGIC_BYTES: readonly number[] = [0x70, 0x65, 0x73, 0x74, 0x6f, 0x3a, 0x63, 0x00];

/** Modes and outcomes at the place of their number. */
export const MODES: readonly (UpdateMode | undefined)[] = [undefined, "staged", "one-shot", "check"];
export const OUTCOMES: readonly Outcome[] = [
  "done",
  "rejected",
  "rolled-back",
  "rollback-incomplete",
  "stale",
  "busy",
  "timed-out",
  "protocol-error",
];

/** The codes by number. */
export const CODES: ReadonlyMap<number, Code> = new Map<number, Code>([
  [0, "none"],
  [1, "port-order"],
  [2, "port-zero"],
  [3, "target-port"],
  [4, "unknown-flags"],
  [5, "dual-stack-address"],
  [6, "family-unsupported"],
  [7, "unknown-protocol"],
  [8, "protocol-unsupported"],
  [9, "target-multicast"],
  [10, "target-dual-stack"],
  [11, "target-family"],
  [12, "conflict"],
  [13, "too-many-rules"],
  [14, "too-many-sockets"],
  [15, "bad-interface-name"],
  [16, "interface-unsupported"],
  [17, "scan-unsupported"],
  [18, "forwards-to-itself"],
  [19, "no-target"],
  [20, "reserved-bytes"],
  [21, "unknown-pif"],
  [22, "duplicate-pif"],
  [32, "bad-magic"],
  [33, "unsupported-version"],
  [34, "unknown-frame"],
  [35, "frame-length"],
  [36, "unexpected-frame"],
  [37, "bad-field"],
  [38, "rule-count"],
  [39, "read-deadline"],
  [40, "transaction-deadline"],
  [41, "too-many-bytes"],
  [42, "truncated"],
  [43, "run-count"],
  [48, "stale-revision"],
  [49, "busy"],
  [50, "mode-unsupported"],
  [51, "permission"],
  [52, "refused"],
  [53, "nothing-held"],
  [64, "bind-failed"],
  [65, "rollback-incomplete"],
  [66, "internal"],
]);

/** A frame with its header. */
export function frame(type: number, payload: Uint8Array | readonly number[] = []): Uint8Array {
  return Uint8Array.from([...u16(type), ...u16(0), ...u32(payload.length), ...payload]);
}

/** What a client sends that means these events, from the magic on. */
export function encodeClient(events: readonly ClientEvent[]): Uint8Array {
  return concat([Uint8Array.from(CLIENT_MAGIC_BYTES), ...events.map(clientFrame)]);
}

/** What a server sends that means these events, from the magic on. */
export function encodeServer(events: readonly ServerEvent[]): Uint8Array {
  return concat([Uint8Array.from(SERVER_MAGIC_BYTES), ...events.map(serverFrame)]);
}

/** The frame of one of a client's events. */
export function clientFrame(event: ClientEvent): Uint8Array {
  switch (event.kind) {
    case "update":
      return frame(TYPE.UPDATE, updatePayload(event.header));
    case "table":
      return frame(TYPE.TABLE, [...u32(event.pif), ...u32(event.ruleCount)]);
    case "rules":
      return frame(TYPE.RULES, event.records);
    case "end":
      return frame(TYPE.END);
    case "apply":
      return frame(TYPE.APPLY);
    case "commit":
      return frame(TYPE.COMMIT);
    case "rollback":
      return frame(TYPE.ROLLBACK);
    default:
      return event satisfies never;
  }
}

/** The frame of one of a server's events. */
export function serverFrame(event: ServerEvent): Uint8Array {
  switch (event.kind) {
    case "hello":
      return frame(TYPE.HELLO, helloPayload(event.hello));
    case "pif":
      return frame(TYPE.PIF, pifPayload(event.pif));
    case "rules":
      return frame(TYPE.RULES, event.records);
    case "table":
      return frame(TYPE.TABLE, [...u32(event.pif), ...u32(event.ruleCount)]);
    case "listed":
    case "reported":
      return frame(TYPE.END);
    case "accepted":
      return frame(TYPE.ACCEPTED);
    case "rejected":
      return frame(TYPE.REJECTED, verdictPayload(event.verdict));
    case "result":
      return frame(TYPE.RESULT, verdictPayload(event.verdict));
    case "ports":
      return frame(TYPE.PORTS, portsPayload(event.failure));
    default:
      return event satisfies never;
  }
}

/** Big-endian bytes of an unsigned number. */
export function u16(value: number): number[] {
  return [value >>> 8, value & 0xff];
}
/** Big-endian bytes of an unsigned number. */
export function u32(value: number): number[] {
  return [...u16(value >>> 16), ...u16(value & 0xffff)];
}
/** Big-endian bytes of an unsigned number. */
export function u64(value: bigint): number[] {
  return [...u32(Number(value >> 32n)), ...u32(Number(value & 0xffffffffn))];
}

function helloPayload(hello: Hello): number[] {
  return [
    ...u16(hello.version),
    ...u16(hello.minCompat),
    ...u32(hello.features),
    ...u64(hello.revision),
    ...u32(hello.maxPifs),
    ...u32(hello.maxRules),
    ...u32(hello.maxSockets),
    ...u32(hello.transactionSeconds),
    ...u32(hello.holdSeconds),
    ...u32(0),
  ];
}

function pifPayload(pif: PifHeader): number[] {
  const target = pif.defaultTarget === undefined ? 0n : parseOracleAddress(pif.defaultTarget);
  const name = new Uint8Array(128);
  name.set(new TextEncoder().encode(pif.name));
  return [
    ...u32(pif.id),
    ...u32(pif.capabilities),
    ...u32(pif.ruleCount),
    ...u32(pif.runCount),
    ...u64(target >> 64n),
    ...u64(BigInt.asUintN(64, target)),
    ...name,
  ];
}

function updatePayload(header: UpdateHeader): number[] {
  return [
    ...u16(header.version),
    ...u16(MODES.indexOf(header.mode)),
    ...u32((header.base === undefined ? 1 : 0) + (header.rollBackUndelivered ? 2 : 0)),
    ...u64(header.base ?? 0n),
    ...u32(header.holdSeconds),
    ...u32(header.pifCount),
  ];
}

function verdictPayload(verdict: Verdict): number[] {
  const code = [...CODES].find(([, name]) => name === verdict.code)?.[0];
  if (code === undefined) throw new RangeError(`Can't encode the code "${verdict.code}": it has no number`);
  return [
    ...u16(OUTCOMES.indexOf(verdict.outcome)),
    ...u16(code),
    ...u32(verdict.pif ?? 0),
    ...u32(verdict.rule ?? 0xffffffff),
    ...u32(verdict.otherRule ?? 0xffffffff),
    ...u64(verdict.revision),
    ...u32(verdict.kept),
    ...u32(verdict.opened),
    ...u32(verdict.retired),
    ...u32(verdict.failed),
    ...u32(verdict.rebound),
    ...u32(verdict.otherPif ?? 0),
    ...new TextEncoder().encode(verdict.sentence),
  ];
}

function portsPayload(failure: RuleFailure): number[] {
  return [
    ...u32(failure.pif),
    ...u32(failure.rule),
    ...failure.ports.flatMap(({ first, last, errno }) => [...u16(first), ...u16(last), ...u16(errno), ...u16(0)]),
  ];
}
