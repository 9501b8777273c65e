/**
 * Addresses: text on one side, 16 bytes on the other, IPv4 as `::ffff:a.b.c.d`. The reading and printing is done by the
 * WebAssembly core, `wasm/assembly/address.ts`; called directly, and without memory being taken, so that views of the
 * core's memory stay good. By way of as-bind's strings each took 3 µs instead of 0.3.
 *
 * @module
 */

import { ADDRESS_FAULT } from "./constants.ts";
import { core } from "./core.ts";
import { shortened } from "./printable.ts";

/** Bytes of an address. */
export const ADDRESS_SIZE = 16;

/** Longer than any address; what is cut off a text couldn't have made it one. */
const MAX_TEXT = 64;

/** What the bytes of every IPv4 address begin with. */
const IPV4_PREFIX: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];

/**
 * The 16 bytes of an IPv4 or IPv6 address, without brackets or zone.
 *
 * @throws {SyntaxError} if the text isn't one
 */
export function parseAddress(text: string): Uint8Array {
  const { raw, scratch, bytes } = core();
  const length = Math.min(text.length, MAX_TEXT);
  const units = scratch + ADDRESS_SIZE;
  for (let index = 0; index < length; index++) {
    const unit = text.charCodeAt(index);
    bytes[units + 2 * index] = unit;
    bytes[units + 2 * index + 1] = unit >> 8;
  }
  const fault = raw.parseAddress(units, length, scratch);
  if (fault === ADDRESS_FAULT.none) return bytes.slice(scratch, scratch + ADDRESS_SIZE);
  throw new SyntaxError(`Can't read address "${shortened(text, MAX_TEXT)}": ${addressFaultText(fault)}`);
}

/**
 * The one text that an address has: dotted decimal for IPv4 and IPv4-mapped ones, RFC 5952 for all others.
 *
 * @throws {SyntaxError} if the text isn't an address
 */
export function canonicalAddress(text: string): string {
  return formatAddress(parseAddress(text));
}

/**
 * The canonical text of an address.
 *
 * @param bytes 16 bytes
 * @throws {RangeError} if they aren't 16
 */
export function formatAddress(bytes: Uint8Array): string {
  const { raw, scratch, bytes: memory } = core();
  memory.set(sixteen(bytes), scratch);
  const start = scratch + ADDRESS_SIZE;
  const end = start + raw.writeAddress(scratch, start);
  // For so few characters a seventh of the time that a TextDecoder or a spread takes.
  let text = "";
  for (let at = start; at < end; at++) text += String.fromCharCode(memory[at] ?? 0);
  return text;
}

/**
 * Whether 16 bytes are an IPv4 address.
 *
 * @throws {RangeError} if they aren't 16
 */
export function isIPv4(bytes: Uint8Array): boolean {
  return IPV4_PREFIX.every((byte, index) => sixteen(bytes)[index] === byte);
}

/** What an address must be, for the number of what is wrong with it: the second half of a sentence. */
export function addressFaultText(fault: number): string {
  switch (fault) {
    case ADDRESS_FAULT.empty:
      return "an address must not be empty";
    case ADDRESS_FAULT.zone:
      return "an address must not have a zone";
    case ADDRESS_FAULT["leading-zero"]:
      return "a number of an IPv4 address must not have leading zeros";
    case ADDRESS_FAULT.ipv4:
      return "an IPv4 address must be four numbers from 0 to 255 with dots between them";
    case ADDRESS_FAULT.ipv6:
      return 'an IPv6 address must be eight groups of up to four hexadecimal digits, or fewer with one "::"';
    default:
      return "an address must be an IPv4 or an IPv6 one";
  }
}

function sixteen(bytes: Uint8Array): Uint8Array {
  if (bytes.length === ADDRESS_SIZE) return bytes;
  throw new RangeError(`Can't read an address of ${bytes.length} bytes: it must have ${ADDRESS_SIZE}`);
}
