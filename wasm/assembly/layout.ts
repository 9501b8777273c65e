/**
 * The numbers of the protocol, as the core is built with them, under the names that codec/constants.ts has for them, so
 * that a test can hold the two against each other. The test runs this file as it stands: it must import nothing.
 *
 * @module
 */

/** Types of frames, and what every frame begins with. */
export namespace FRAME {
  export const HELLO: u32 = 0x0001;
  export const PIF: u32 = 0x0002;
  export const RULES: u32 = 0x0003;
  export const END: u32 = 0x0004;
  export const TABLE: u32 = 0x0005;
  export const PORTS: u32 = 0x0006;
  export const UPDATE: u32 = 0x0010;
  export const APPLY: u32 = 0x0011;
  export const COMMIT: u32 = 0x0012;
  export const ROLLBACK: u32 = 0x0013;
  export const ACCEPTED: u32 = 0x0020;
  export const REJECTED: u32 = 0x0021;
  export const RESULT: u32 = 0x0022;
}

export const FRAME_HEADER_SIZE: i32 = 8;
export const MAX_PAYLOAD: i32 = 65536;
export const MAX_SENTENCE: i32 = 1024;

/** The most rules that a pif's table may have in this implementation. */
export const MAX_RULES: i32 = 65535;
/** Stands for "no rule". */
export const NO_RULE: u32 = 0xffffffff;

export const RECORD_SIZE: i32 = 64;
/** Bytes of an interface name with its terminating zero. */
export const INTERFACE_NAME_SIZE: i32 = 16;

/** Offsets in bytes of a rule record's fields. */
export namespace RECORD {
  export const ADDRESS: usize = 0;
  export const TARGET: usize = 16;
  export const INTERFACE: usize = 32;
  export const FIRST: usize = 48;
  export const LAST: usize = 50;
  export const TARGET_PORT: usize = 52;
  export const PROTOCOL: usize = 54;
  export const FLAGS: usize = 55;
  export const STATUS: usize = 56;
  export const FAILED: usize = 58;
  export const ZERO: usize = 60;
}

/** Offsets in bytes of a row's origin, u32 each: which of the tables, and the index of the rule there. See effective.ts. */
export namespace ROW {
  export const RULE: usize = RECORD.STATUS;
  export const TABLE: usize = RECORD.ZERO;
}

/** Capability bits of a pif. */
export namespace CAPABILITY {
  export const IPV4: u32 = 1;
  export const IPV6: u32 = 2;
  export const TCP: u32 = 4;
  export const UDP: u32 = 8;
  export const SCAN: u32 = 16;
  export const INTERFACE: u32 = 32;
  export const ANY_TARGET: u32 = 64;
}

/** Flag bits of a rule. */
export namespace RULE_FLAG {
  export const DUAL_STACK: u8 = 1;
  export const WEAK: u8 = 2;
  export const SCAN: u8 = 4;
}

export namespace IP_PROTOCOL {
  export const TCP: u8 = 6;
  export const UDP: u8 = 17;
}

export namespace RULE_STATUS {
  export const UNSET: u16 = 0;
  export const BOUND: u16 = 1;
  export const PARTIAL: u16 = 2;
  export const FAILED: u16 = 3;
  export const WAITING: u16 = 4;
}

/** The reasons that the core gives, or has sentences for. */
export namespace CODE {
  export const NONE: u32 = 0;
  export const PORT_ORDER: u32 = 1;
  export const PORT_ZERO: u32 = 2;
  export const TARGET_PORT: u32 = 3;
  export const UNKNOWN_FLAGS: u32 = 4;
  export const DUAL_STACK_ADDRESS: u32 = 5;
  export const FAMILY_UNSUPPORTED: u32 = 6;
  export const UNKNOWN_PROTOCOL: u32 = 7;
  export const PROTOCOL_UNSUPPORTED: u32 = 8;
  export const TARGET_MULTICAST: u32 = 9;
  export const TARGET_DUAL_STACK: u32 = 10;
  export const TARGET_FAMILY: u32 = 11;
  export const CONFLICT: u32 = 12;
  export const TOO_MANY_RULES: u32 = 13;
  export const TOO_MANY_SOCKETS: u32 = 14;
  export const BAD_INTERFACE_NAME: u32 = 15;
  export const INTERFACE_UNSUPPORTED: u32 = 16;
  export const SCAN_UNSUPPORTED: u32 = 17;
  export const FORWARDS_TO_ITSELF: u32 = 18;
  export const NO_TARGET: u32 = 19;
  export const RESERVED_BYTES: u32 = 20;
  export const UNKNOWN_PIF: u32 = 21;
  export const DUPLICATE_PIF: u32 = 22;
  export const UNKNOWN_FRAME: u32 = 34;
  export const FRAME_LENGTH: u32 = 35;
  export const BAD_FIELD: u32 = 37;
}
