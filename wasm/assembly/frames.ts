/**
 * The native dialect's frame headers: which types there are, and what payload lengths each may have.
 *
 * @module
 */

import { CODE, FRAME, MAX_PAYLOAD, MAX_SENTENCE, RECORD_SIZE } from "./layout";

/** The fewest payload bytes that a frame of this type has; for a type that doesn't exist, more than any frame has. */
export function payloadMinimum(type: u32): u32 {
  switch (type) {
    case FRAME.HELLO:
      return 40;
    case FRAME.PIF:
      return 160;
    case FRAME.RULES:
      return RECORD_SIZE;
    case FRAME.TABLE:
      return 8;
    case FRAME.PORTS:
      return 16;
    case FRAME.UPDATE:
      return 24;
    case FRAME.REJECTED:
    case FRAME.RESULT:
      return 48;
    case FRAME.END:
    case FRAME.APPLY:
    case FRAME.COMMIT:
    case FRAME.ROLLBACK:
    case FRAME.ACCEPTED:
      return 0;
    default:
      return u32.MAX_VALUE;
  }
}

/** The most payload bytes that a frame of this type has. */
export function payloadMaximum(type: u32): u32 {
  switch (type) {
    case FRAME.RULES:
    case FRAME.PORTS:
      return MAX_PAYLOAD;
    case FRAME.REJECTED:
    case FRAME.RESULT:
      return 48 + MAX_SENTENCE;
    default:
      return payloadMinimum(type);
  }
}

/** From `payloadMinimum` on, a payload's length grows in steps of so many bytes. */
export function payloadStep(type: u32): u32 {
  if (type == FRAME.RULES) return RECORD_SIZE;
  return type == FRAME.PORTS ? 8 : 1;
}

/** What is wrong with a frame's header: one of `CODE`. */
export function frameFault(type: u32, zero: u32, length: u32): u32 {
  const minimum = payloadMinimum(type);
  if (minimum == u32.MAX_VALUE) return CODE.UNKNOWN_FRAME;
  if (zero != 0) return CODE.RESERVED_BYTES;
  if (length < minimum || length > payloadMaximum(type)) return CODE.FRAME_LENGTH;
  return (length - minimum) % payloadStep(type) == 0 ? CODE.NONE : CODE.FRAME_LENGTH;
}
