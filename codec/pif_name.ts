/**
 * A pif's name as all dialects have it on the wire: 128 bytes, UTF-8, zero-terminated, zero-padded.
 *
 * @module
 */

import { PIF_NAME_SIZE } from "./constants.ts";
import { ProtocolError } from "./errors.ts";
import { shortened } from "./printable.ts";

/** Code points of a refused name that the sentence about it shows at most. */
const QUOTED = 60;

/**
 * The field of a name.
 *
 * @throws {RangeError} if it doesn't fit
 */
export function encodePifName(name: string): Uint8Array {
  const bytes = new TextEncoder().encode(name);
  if (bytes.length === 0 || bytes.length >= PIF_NAME_SIZE || bytes.includes(0)) {
    throw new RangeError(
      `Can't encode the pif name "${shortened(name, QUOTED)}": it must be 1 to ${
        PIF_NAME_SIZE - 1
      } bytes without a zero byte`,
    );
  }
  const field = new Uint8Array(PIF_NAME_SIZE);
  field.set(bytes);
  return field;
}

/**
 * The name in a field.
 *
 * @param id the pif's, for the sentence
 * @throws {ProtocolError} if it isn't a name
 */
export function decodePifName(field: Uint8Array, id: number): string {
  const end = field.indexOf(0);
  if (end <= 0 || field.subarray(end).some((byte) => byte !== 0)) {
    throw new ProtocolError(
      "bad-field",
      `Can't take pif ${id}: its name must have at least one byte, a zero byte at its end, and zeros after it`,
    );
  }
  return decodeText(field.subarray(0, end), `the name of pif ${id}`);
}

/**
 * Text from the wire.
 *
 * @param what it is, for the sentence
 * @throws {ProtocolError} if it isn't UTF-8
 */
export function decodeText(bytes: Uint8Array, what: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new ProtocolError("bad-field", `Can't read ${what}: it isn't UTF-8`, { cause });
  }
}
