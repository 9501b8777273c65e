/**
 * Where the core finds what it is told, and leaves what it answers, when that is more than one number; under the names
 * that codec/core_exports.ts has for it, as in layout.ts.
 *
 * @module
 */

/** Offsets in bytes of what `validateTable` answers, u32 each. */
export namespace VERDICT {
  export const RULE: usize = 0;
  export const OTHER_RULE: usize = 4;
  export const SOCKETS: usize = 8;
  export const SIZE: usize = 12;
}

/** Offsets in bytes of what a table is measured by, u32 each, then the default target and the machine's addresses. */
export namespace POLICY {
  /** Bits of `CAPABILITY`. */
  export const CAPABILITIES: usize = 0;
  export const MAX_RULES: usize = 4;
  export const MAX_SOCKETS: usize = 8;
  /** Whether targets are reached where the rules listen, so that a rule can forward to itself. */
  export const SAME_NAMESPACE: usize = 12;
  /** Whether there is a default target. */
  export const HAS_TARGET: usize = 16;
  /** How many addresses follow the default target: those of the machine, beside the loopback ones. */
  export const LOCAL_COUNT: usize = 20;
  export const ADDRESSES: usize = 24;
}

/** What `stepValidation` returns instead of a `CODE` as long as there is more to do. */
export const UNDECIDED: u32 = 0xffff_ffff;

/** Offsets in bytes of what `takeDiff` answers, u32 each. */
export namespace DIFF {
  /** Where the runs are; the caller frees them, unless it is 0. */
  export const RUNS: usize = 0;
  export const RUN_COUNT: usize = 4;
  /** How many endpoints have the same route as before. */
  export const KEPT: usize = 8;
}

/** What becomes of the endpoints of a run; these numbers are also in codec/core_exports.ts. */
export namespace RUN {
  /** Served before and after, by another route. */
  export const MOVED: u32 = 1;
  /** Needs a new socket, and nothing stands in its way. */
  export const OPENED: u32 = 2;
  /** No longer served, and in no new socket's way. */
  export const RETIRED: u32 = 3;
  /** No longer served, and in the way of a rebound one. */
  export const RELEASED: u32 = 4;
  /** Needs a new socket, which the kernel doesn't grant before a released one is closed. */
  export const REBOUND: u32 = 5;

  /** Bytes of a run, and the offsets of its fields: u32 three times, then u16 twice. */
  export const SIZE: usize = 16;
  export const KIND: usize = 0;
  export const OLD_RULE: usize = 4;
  export const NEW_RULE: usize = 8;
  export const FIRST: usize = 12;
  export const LAST: usize = 14;
}
