/**
 * A rule as text, in the one form that listings, sentences and the released programs share:
 *
 *     PROTOCOL [ADDRESS]%INTERFACE:FIRST-LAST  =>  TARGET:FIRST-LAST  (best effort) (auto-scan)
 *
 * `*` is dual stack; a range of one port is one number; what isn't set is left out. The space after the target ports is
 * always there. Records needn't be valid: a refused rule has to be printed, too, and nothing in one may reach a terminal
 * as a control character.
 *
 * @module
 */

import { addressTextAt, isUnspecifiedAt } from "./address";
import { INTERFACE_NAME_SIZE, IP_PROTOCOL, RECORD, RULE_FLAG } from "./layout";
import { codePointAt, isControl, MALFORMED, sequenceEnd } from "./utf8";

/** Stands for bytes that aren't UTF-8 and for control characters. */
const REPLACEMENT: i32 = 0xfffd;

/** The line of a listing for the record at `at`, without indentation, with its trailing space. */
export function ruleLineAt(at: usize): string {
  const flags = load<u8>(at, RECORD.FLAGS);
  const first = portAt(at, RECORD.FIRST);
  const last = portAt(at, RECORD.LAST);
  const targetPort = portAt(at, RECORD.TARGET_PORT);
  const address = flags & RULE_FLAG.DUAL_STACK ? "*" : addressTextAt(at + RECORD.ADDRESS);
  const name = interfaceTextAt(at + RECORD.INTERFACE);
  const target = at + RECORD.TARGET;

  let line = protocolText(load<u8>(at, RECORD.PROTOCOL)) + " [" + address + "]";
  if (name.length > 0) line += "%" + name;
  line += ":" + portsText(first, last) + "  =>  ";
  if (!isUnspecifiedAt(target)) line += addressTextAt(target) + ":";
  line += portsText(targetPort, targetPort + last - first) + " ";
  if (flags & RULE_FLAG.WEAK) line += " (best effort)";
  if (flags & RULE_FLAG.SCAN) line += " (auto-scan)";
  return line;
}

/** The same for the middle of a sentence: without the trailing space. */
export function ruleTextAt(at: usize): string {
  return ruleLineAt(at).trimEnd();
}

/** The name of an IP protocol; its number where it can't be forwarded. */
export function protocolText(protocol: u8): string {
  if (protocol == IP_PROTOCOL.TCP) return "TCP";
  if (protocol == IP_PROTOCOL.UDP) return "UDP";
  return `PROTOCOL ${protocol}`;
}

/** Ports from `first` to `last`. A faulty rule's target ports may lie outside of a port's bounds. */
export function portsText(first: i32, last: i32): string {
  return first == last ? first.toString() : first.toString() + "-" + last.toString();
}

/** The port that the record at `at` has at `offset`. */
export function portAt(at: usize, offset: usize): i32 {
  return bswap(load<u16>(at + offset));
}

/** The zero-terminated name in the 16 bytes at `at`, fit to be printed. */
export function interfaceTextAt(at: usize): string {
  let text = "";
  const end = at + INTERFACE_NAME_SIZE;
  while (at < end && load<u8>(at) != 0) {
    const code = codePointAt(at, end);
    text += String.fromCodePoint(code == MALFORMED || isControl(code) ? REPLACEMENT : code);
    at = sequenceEnd(at, end);
  }
  return text;
}
