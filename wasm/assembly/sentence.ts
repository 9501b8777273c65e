/**
 * What is wrong with a table, as a sentence: what was tried, what is, and what must be.
 *
 * @module
 */

import { addressTextAt, isIPv4At } from "./address";
import { interfaceTextAt, portAt, portsText, protocolText, ruleTextAt } from "./text";
import { CODE, INTERFACE_NAME_SIZE, RECORD, RULE_FLAG } from "./layout";

/**
 * The sentence for one of the table codes.
 *
 * @param code 1 to 22 of `CODE`
 * @param rule address of the record at fault, 0 if the fault isn't one rule's
 * @param other address of the record that it conflicts with, 0 for none
 * @param pif name of the pif, empty if it isn't known
 * @param count how many there are of what there are too many of, 0 if that isn't known
 * @param limit how many there may be
 */
export function faultSentence(code: u32, rule: usize, other: usize, pif: string, count: u32, limit: u32): string {
  switch (code) {
    case CODE.TOO_MANY_RULES:
      return tableSubject(pif) + tooMany("rules", count, limit);
    case CODE.TOO_MANY_SOCKETS:
      return tableSubject(pif) + tooMany("sockets", count, limit);
    case CODE.UNKNOWN_PIF:
      return tableSubject(pif) + "the server has no such pif";
    case CODE.DUPLICATE_PIF:
      return tableSubject(pif) + "the pif is named twice, it may be named once";
    default:
      return rule == 0
        ? tableSubject(pif) + "one of its rules isn't valid"
        : "Can't add " + ruleTextAt(rule) + ": " + ruleFault(code, rule, other, pifSubject(pif));
  }
}

function tableSubject(pif: string): string {
  return pif.length > 0 ? "Can't take the table of pif \"" + pif + '": ' : "Can't take the table: ";
}

function pifSubject(pif: string): string {
  return pif.length > 0 ? 'pif "' + pif + '"' : "the pif";
}

function tooMany(what: string, count: u32, limit: u32): string {
  if (count == 0) return "it has too many " + what;
  return `it has ${count} ${what}, at most ${limit} are allowed`;
}

function ruleFault(code: u32, rule: usize, other: usize, pif: string): string {
  const first = portAt(rule, RECORD.FIRST);
  const last = portAt(rule, RECORD.LAST);
  const address = rule + RECORD.ADDRESS;
  const target = addressTextAt(rule + RECORD.TARGET);
  const protocol = load<u8>(rule, RECORD.PROTOCOL);
  const flags = load<u8>(rule, RECORD.FLAGS);
  const name = interfaceTextAt(rule + RECORD.INTERFACE);
  switch (code) {
    case CODE.PORT_ORDER:
      return `its first port is ${first}, which must not be greater than its last port ${last}`;
    case CODE.PORT_ZERO:
      return `its first port is ${first}, which must be at least 1`;
    case CODE.TARGET_PORT: {
      const targetPort = portAt(rule, RECORD.TARGET_PORT);
      return `its target ports are ${portsText(targetPort, targetPort + last - first)}, which must lie in 1-65535`;
    }
    case CODE.UNKNOWN_FLAGS: {
      const known = RULE_FLAG.DUAL_STACK | RULE_FLAG.WEAK | RULE_FLAG.SCAN;
      return `its flags are ${binary(flags)}, of which only ${binary(known)} are known`;
    }
    case CODE.DUAL_STACK_ADDRESS:
      return 'it is dual stack with the address "' + addressTextAt(address) + '", which must be "::"';
    case CODE.FAMILY_UNSUPPORTED:
      if (flags & RULE_FLAG.DUAL_STACK) return pif + " can't listen on IPv4 and IPv6 at once";
      return pif + " can't listen on " + familyText(address) + " addresses";
    case CODE.UNKNOWN_PROTOCOL:
      return `its protocol is ${protocol}, which must be 6 (TCP) or 17 (UDP)`;
    case CODE.PROTOCOL_UNSUPPORTED:
      return pif + " can't forward " + protocolText(protocol);
    case CODE.TARGET_MULTICAST:
      return 'its target "' + target + "\" is a multicast address, which can't be forwarded to";
    case CODE.TARGET_DUAL_STACK: {
      const wildcard = isIPv4At(rule + RECORD.TARGET) ? "0.0.0.0" : "::";
      return pif + " can't forward from dual stack to the target \"" + target + '", listen on "' + wildcard +
        '" instead';
    }
    case CODE.TARGET_FAMILY:
      return pif + " can't forward from " + familyText(address) + " to " + familyText(rule + RECORD.TARGET) +
        ', both must be of one family, and the target is "' + target + '"';
    case CODE.CONFLICT:
      return other == 0 ? "it conflicts with another rule" : "it conflicts with " + ruleTextAt(other);
    case CODE.BAD_INTERFACE_NAME:
      return 'its interface name "' + name + `" must have 1 to ${INTERFACE_NAME_SIZE - 1} bytes of UTF-8, ` +
        'no slash, white space or control characters, and not be "." or ".."';
    case CODE.INTERFACE_UNSUPPORTED:
      return 'it names interface "' + name + '", but ' + pif + " can't listen on a single interface";
    case CODE.SCAN_UNSUPPORTED:
      return "it is an auto-scan rule, but " + pif + " can't scan for ports";
    case CODE.FORWARDS_TO_ITSELF:
      return other == 0 || other == rule
        ? "it would forward to itself"
        : "it would forward to what " + ruleTextAt(other) + " listens on";
    case CODE.NO_TARGET:
      return "it has no target address, and " + pif + " has no default target";
    case CODE.RESERVED_BYTES:
      return "its reserved bytes must be zero";
    default:
      return "it isn't valid";
  }
}

function familyText(address: usize): string {
  return isIPv4At(address) ? "IPv4" : "IPv6";
}

function binary(flags: u32): string {
  return "0b" + flags.toString(2).padStart(8, "0");
}
