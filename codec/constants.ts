/**
 * Every number that the protocol fixes, once. PROTOCOL.md explains them; a test asserts that the WebAssembly core was
 * built with the same ones.
 *
 * @module
 */

/** First 8 bytes from a native server: `pesto:s` and a zero byte. */
export const SERVER_MAGIC: Uint8Array = new TextEncoder().encode("pesto:s\0");
/** First 8 bytes from a native client: `pesto:c` and a zero byte. */
export const CLIENT_MAGIC: Uint8Array = new TextEncoder().encode("pesto:c\0");
/** Bytes of either magic. */
export const MAGIC_SIZE = 8;

/** The native dialect's version, and the oldest that it is compatible with. */
export const VERSION = 1;
export const MIN_COMPAT = 1;

/** Frame types of the native dialect. */
export const FRAME = {
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

/** Bytes of a frame's header: type u16, zero u16, payload length u32. */
export const FRAME_HEADER_SIZE = 8;
/** The most payload bytes that any frame may carry. */
export const MAX_PAYLOAD = 65536;
/** Bytes of one rule record, and how many fit into a RULES frame. */
export const RECORD_SIZE = 64;
export const RECORDS_PER_FRAME: number = MAX_PAYLOAD / RECORD_SIZE;

/** What payload lengths a frame type may have, in bytes: from `min` to `max` in steps of `step` from `min`. */
export const PAYLOAD_LENGTH: Readonly<Record<keyof typeof FRAME, { min: number; max: number; step: number }>> = {
  HELLO: { min: 40, max: 40, step: 1 },
  PIF: { min: 160, max: 160, step: 1 },
  RULES: { min: RECORD_SIZE, max: MAX_PAYLOAD, step: RECORD_SIZE },
  END: { min: 0, max: 0, step: 1 },
  TABLE: { min: 8, max: 8, step: 1 },
  PORTS: { min: 16, max: MAX_PAYLOAD, step: 8 },
  UPDATE: { min: 24, max: 24, step: 1 },
  APPLY: { min: 0, max: 0, step: 1 },
  COMMIT: { min: 0, max: 0, step: 1 },
  ROLLBACK: { min: 0, max: 0, step: 1 },
  ACCEPTED: { min: 0, max: 0, step: 1 },
  REJECTED: { min: 48, max: 48 + 1024, step: 1 },
  RESULT: { min: 48, max: 48 + 1024, step: 1 },
};

/** Offsets in bytes of a rule record's fields; up to `STATUS` they are those of a released version-2 rule. */
export const RECORD = {
  ADDRESS: 0,
  TARGET: 16,
  INTERFACE: 32,
  FIRST: 48,
  LAST: 50,
  TARGET_PORT: 52,
  PROTOCOL: 54,
  FLAGS: 55,
  STATUS: 56,
  FAILED: 58,
  ZERO: 60,
} as const;

/** Offsets in bytes of the fields of HELLO. */
export const HELLO = {
  VERSION: 0,
  MIN_COMPAT: 2,
  FEATURES: 4,
  REVISION: 8,
  MAX_PIFS: 16,
  MAX_RULES: 20,
  MAX_SOCKETS: 24,
  TRANSACTION_SECONDS: 28,
  HOLD_SECONDS: 32,
  ZERO: 36,
} as const;

/** Offsets in bytes of the fields of PIF, and the size of its name with the terminating zero. */
export const PIF = { ID: 0, CAPABILITIES: 4, RULE_COUNT: 8, RUN_COUNT: 12, DEFAULT_TARGET: 16, NAME: 32 } as const;
export const PIF_NAME_SIZE = 128;
/** Bytes of an interface name with the terminating zero. */
export const INTERFACE_NAME_SIZE = 16;

/** Offsets in bytes of the fields of UPDATE, of TABLE and of PORTS. */
export const UPDATE = { VERSION: 0, MODE: 2, FLAGS: 4, BASE: 8, HOLD_SECONDS: 16, PIF_COUNT: 20 } as const;
export const TABLE = { PIF: 0, RULE_COUNT: 4 } as const;
export const PORTS = { PIF: 0, RULE: 4, RUNS: 8, RUN_SIZE: 8 } as const;

/** Offsets in bytes of the fields of REJECTED and RESULT. */
export const RESULT = {
  OUTCOME: 0,
  CODE: 2,
  PIF: 4,
  RULE: 8,
  OTHER_RULE: 12,
  REVISION: 16,
  KEPT: 24,
  OPENED: 28,
  RETIRED: 32,
  FAILED: 36,
  REBOUND: 40,
  OTHER_PIF: 44,
  SENTENCE: 48,
} as const;
/** The most bytes that a sentence in REJECTED or RESULT may have, as UTF-8. */
export const MAX_SENTENCE = 1024;
/** Stands for "no rule" in REJECTED and RESULT. */
export const NO_RULE = 0xffffffff;

/**
 * Feature bits of HELLO.
 *
 * @example Whether a server can hold a table until it is confirmed
 * ```ts
 * import { FEATURE, look, serve } from "../mod.ts";
 *
 * const path = `${await Deno.makeTempDir()}/control`;
 * await using server = await serve({ path });
 * const { hello } = await look(path);
 * console.log((hello.features & FEATURE.HOLD) !== 0); // true
 * ```
 */
export const FEATURE = { STAGED: 1, ONE_SHOT: 2, CHECK: 4, HOLD: 8, ROLL_BACK_UNDELIVERED: 16, SETTLE: 32 } as const;

/**
 * Capability bits of a pif. Bits 0 to 5 are also the released dialects'.
 *
 * @example Whether a pif can bind to a single interface
 * ```ts
 * import { CAPABILITY, look, serve } from "../mod.ts";
 *
 * const path = `${await Deno.makeTempDir()}/control`;
 * await using server = await serve({ path });
 * for (const { name, capabilities } of (await look(path)).pifs) {
 *   console.log(name, (capabilities & CAPABILITY.INTERFACE) !== 0);
 * }
 * ```
 */
export const CAPABILITY = {
  IPV4: 1,
  IPV6: 2,
  TCP: 4,
  UDP: 8,
  SCAN: 16,
  INTERFACE: 32,
  ANY_TARGET: 64,
  RESET: 128,
  REPLY_SOURCE: 256,
} as const;

/** Every capability. */
export const ALL_CAPABILITIES: number = Object.values(CAPABILITY).reduce((bits, bit) => bits | bit, 0);

/** Flag bits of a rule. */
export const RULE_FLAG = { DUAL_STACK: 1, WEAK: 2, SCAN: 4 } as const;
/** IP protocol numbers. Source: the IANA registry "Protocol Numbers". */
export const IP_PROTOCOL = { TCP: 6, UDP: 17 } as const;
/** Modes and flag bits of UPDATE. */
export const MODE = { STAGED: 1, ONE_SHOT: 2, CHECK: 3 } as const;
export const UPDATE_FLAG = { ANY_BASE: 1, ROLL_BACK_UNDELIVERED: 2 } as const;

/** Status of a rule in a server's table. */
export const RULE_STATUS = { UNSET: 0, BOUND: 1, PARTIAL: 2, FAILED: 3, WAITING: 4 } as const;

/** Outcomes of a transaction. */
export const OUTCOME = {
  DONE: 0,
  REJECTED: 1,
  ROLLED_BACK: 2,
  ROLLBACK_INCOMPLETE: 3,
  STALE: 4,
  BUSY: 5,
  TIMED_OUT: 6,
  PROTOCOL_ERROR: 7,
} as const;

/**
 * Reasons, as numbers on the wire and as the stable `code` of an error.
 *
 * @example The number that stands for a reason on the wire
 * ```ts
 * import { CODE } from "../mod.ts";
 *
 * console.log(CODE["port-zero"]); // 2
 * ```
 */
export const CODE = {
  "none": 0,
  "port-order": 1,
  "port-zero": 2,
  "target-port": 3,
  "unknown-flags": 4,
  "dual-stack-address": 5,
  "family-unsupported": 6,
  "unknown-protocol": 7,
  "protocol-unsupported": 8,
  "target-multicast": 9,
  "target-dual-stack": 10,
  "target-family": 11,
  "conflict": 12,
  "too-many-rules": 13,
  "too-many-sockets": 14,
  "bad-interface-name": 15,
  "interface-unsupported": 16,
  "scan-unsupported": 17,
  "forwards-to-itself": 18,
  "no-target": 19,
  "reserved-bytes": 20,
  "unknown-pif": 21,
  "duplicate-pif": 22,
  "bad-magic": 32,
  "unsupported-version": 33,
  "unknown-frame": 34,
  "frame-length": 35,
  "unexpected-frame": 36,
  "bad-field": 37,
  "rule-count": 38,
  "read-deadline": 39,
  "transaction-deadline": 40,
  "too-many-bytes": 41,
  "truncated": 42,
  "run-count": 43,
  "stale-revision": 48,
  "busy": 49,
  "mode-unsupported": 50,
  "permission": 51,
  "refused": 52,
  "nothing-held": 53,
  "bind-failed": 64,
  "rollback-incomplete": 65,
  "internal": 66,
} as const;

/** Why a text isn't an address. Not on the wire. */
export const ADDRESS_FAULT = {
  "none": 0,
  "empty": 1,
  "zone": 2,
  "leading-zero": 3,
  "ipv4": 4,
  "ipv6": 5,
  "neither": 6,
} as const;

/**
 * Why a port specifier is refused; the names are the stable `code` of an error. Not on the wire.
 *
 * @example All codes that a SpecifierError can have
 * ```ts
 * import { SPECIFIER_FAULT } from "../mod.ts";
 *
 * console.log(Object.keys(SPECIFIER_FAULT).filter((code) => code !== "none"));
 * ```
 */
export const SPECIFIER_FAULT = {
  "none": 0,
  "empty": 1,
  "too-long": 2,
  "bad-address": 3,
  "address-not-allowed": 4,
  "bad-interface-name": 5,
  "interface-unsupported": 6,
  "bad-chunk": 7,
  "bad-port": 8,
  "port-too-great": 9,
  "port-order": 10,
  "unexpected-text": 11,
  "missing-target": 12,
  "bad-target": 13,
  "unspecified-target": 14,
  "target-length": 15,
  "different-targets": 16,
  "scan-unsupported": 17,
  "too-many-rules": 18,
} as const;
/** What is worth a warning about a port specifier; bits. */
export const SPECIFIER_NOTE = { LOOPBACK_ADDRESSES: 1, UNUSED_TARGET: 2, NO_PORTS: 4 } as const;
/** The most UTF-16 code units that a port specifier may have: half of what Linux lets one argument have, in bytes. */
export const MAX_SPECIFIER = 65536;

/** The limits that this implementation announces in HELLO. */
export const MAX_PIFS = 255;
export const MAX_RULES = 65535;
/** Per pif: every port of both protocols for a handful of addresses, as in the released servers (5 × 65536). */
export const MAX_SOCKETS = 327680;

/** Ids of the pifs that the released servers know; further pifs of ours start at `FIRST_OTHER`. */
export const PIF_ID = { HOST: 1, TAP: 2, SPLICE: 3, FIRST_OTHER: 4 } as const;

/** First 8 bytes from a server of the released dialect: `basil:s` and a zero byte. Its clients have no magic. */
export const PASST_MAGIC: Uint8Array = new TextEncoder().encode("basil:s\0");
/**
 * The released dialect. Offsets in bytes from the end of the magic (GREETING), or from the pif's id (PIF from a server,
 * TABLE from a client); a zero byte in place of an id ends either list.
 */
export const PASST = {
  GREETING: { VERSION: 0, PIF_NAME_SIZE: 4, INTERFACE_NAME_SIZE: 8, SIZE: 12 },
  PIF: { ID: 0, NAME: 1, CAPABILITIES: 129, RULE_COUNT: 133, SIZE: 137 },
  TABLE: { PIF: 0, RULE_COUNT: 1, SIZE: 5 },
  /** Stands where the next pif's id would. */
  END: 0,
  /** Bytes of a rule record, by version. Version 2 is a native record up to its status, version 1 lacks the target. */
  RECORD_SIZE: { 1: 40, 2: 56 },
  /** The most rules that a pif's table may have in the released programs. */
  MAX_RULES: 255,
  /** The capability bits that it knows. */
  CAPABILITIES: 0x3f,
} as const;
