/**
 * Why a text is refused, under the names that codec/constants.ts has for it, as in layout.ts: it must import nothing either.
 *
 * @module
 */

/** Why a text isn't an address. */
export namespace ADDRESS_FAULT {
  export const NONE: u32 = 0;
  export const EMPTY: u32 = 1;
  export const ZONE: u32 = 2;
  export const LEADING_ZERO: u32 = 3;
  export const IPV4: u32 = 4;
  export const IPV6: u32 = 5;
  export const NEITHER: u32 = 6;
}

/** Why a specifier is refused. */
export namespace SPECIFIER_FAULT {
  export const NONE: u32 = 0;
  export const EMPTY: u32 = 1;
  export const TOO_LONG: u32 = 2;
  export const BAD_ADDRESS: u32 = 3;
  export const ADDRESS_NOT_ALLOWED: u32 = 4;
  export const BAD_INTERFACE_NAME: u32 = 5;
  export const INTERFACE_UNSUPPORTED: u32 = 6;
  export const BAD_CHUNK: u32 = 7;
  export const BAD_PORT: u32 = 8;
  export const PORT_TOO_GREAT: u32 = 9;
  export const PORT_ORDER: u32 = 10;
  export const UNEXPECTED_TEXT: u32 = 11;
  export const MISSING_TARGET: u32 = 12;
  export const BAD_TARGET: u32 = 13;
  export const UNSPECIFIED_TARGET: u32 = 14;
  export const TARGET_LENGTH: u32 = 15;
  export const DIFFERENT_TARGETS: u32 = 16;
  export const SCAN_UNSUPPORTED: u32 = 17;
  export const TOO_MANY_RULES: u32 = 18;
}

/** What is worth a warning about a specifier; bits. */
export namespace SPECIFIER_NOTE {
  export const LOOPBACK_ADDRESSES: u32 = 1;
  export const UNUSED_TARGET: u32 = 2;
  export const NO_PORTS: u32 = 4;
}

/** The most UTF-16 code units that a specifier may have: half of what Linux lets one argument have, in bytes. */
export const MAX_SPECIFIER: i32 = 65536;
