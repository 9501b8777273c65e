/**
 * Port specifiers: what stands behind -t, -u, -T and -U, as rules. The grammar and the reading are in
 * `wasm/assembly/specifier.ts`; here its answer becomes rules, or an error that shows the place.
 *
 * @module
 */

import { addressFaultText } from "./address.ts";
import { ALL_CAPABILITIES, IP_PROTOCOL, MAX_RULES, MAX_SPECIFIER, RECORD_SIZE, SPECIFIER_NOTE } from "./constants.ts";
import { core } from "./core.ts";
import { SpecifierError, type SpecifierPlace } from "./errors.ts";
import { SPECIFIER_CODES } from "./names.ts";
import { printable, shortened } from "./printable.ts";
import { RecordReader } from "./record.ts";
import type { Protocol, Rule, SpecifierCode } from "./types.ts";

/** What a specifier means depends on where it is used. */
export interface SpecifierContext {
  /** Protocol of the rules. */
  readonly protocol: Protocol;
  /** Bits of {@linkcode CAPABILITY}: those of the pif. All if absent. */
  readonly capabilities?: number;
  /** The kernel's ephemeral ports, which `all`, `auto` and exclusions leave out. 49152 to 65535 if absent. */
  readonly ephemeral?: PortRange;
  /** For -T and -U: no ADDRESS and no INTERFACE, the rules are bound to `lo`. */
  readonly loopbackOnly?: boolean;
}

/** Ports in a row. */
export interface PortRange {
  /** First port. */
  readonly first: number;
  /** Last port, not less than the first. */
  readonly last: number;
}

/** The dynamic ports of RFC 6335: what is taken where the kernel's range isn't known. */
export const DYNAMIC_PORTS: PortRange = { first: 49152, last: 65535 };

/** What a specifier asks for. */
export type ParsedSpecifier =
  | { readonly kind: "none" }
  | {
    readonly kind: "rules";
    /** In the order of the text, and of their ports where exclusions cut a range. Not validated. */
    readonly rules: Rule[];
    /** Sentences for people. */
    readonly warnings: string[];
  };

/** Offsets in the core's answer, all u32 little-endian, and where its records begin. As in wasm/assembly/specifier.ts. */
const ANSWER = { FAULT: 0, POSITION: 4, LENGTH: 8, DETAIL: 12, NONE: 16, NOTES: 20, RECORDS: 24 } as const;

/** Code points of a specifier that an error's first line, and the line with the caret, show at most. */
const QUOTED = 60;
const SHOWN = 100;
/** Code points shown before the faulty place if not all fit. */
const SHOWN_BEFORE = 40;

/**
 * Reads a specifier. The rules may still be unfit for a table (port 0, a conflict, a target of the wrong family):
 * validation says so, with the other rules at hand.
 *
 * @throws {SpecifierError} if the text isn't a specifier, or wants what the pif can't do
 * @throws {RangeError} if the ephemeral ports aren't a range of ports
 *
 * @example From the command line to rules
 * ```ts
 * import { parseSpecifier, ruleText } from "../mod.ts";
 *
 * const parsed = parseSpecifier("127.0.0.1/8080-8089:10.0.0.2/80-89", { protocol: "tcp" });
 * if (parsed.kind === "rules") console.log(parsed.rules.map(ruleText));
 * // [ "TCP [127.0.0.1]:8080-8089  =>  10.0.0.2:80-89" ]
 * ```
 */
export function parseSpecifier(text: string, context: SpecifierContext): ParsedSpecifier {
  const { protocol, capabilities = ALL_CAPABILITIES, ephemeral = DYNAMIC_PORTS, loopbackOnly = false } = context;
  const { first, last } = ephemeral;
  if (!(isPort(first) && isPort(last) && first <= last)) {
    throw new RangeError(`Can't leave out ephemeral ports ${first}-${last}: both must be ports, in this order`);
  }
  const number = protocol === "tcp" ? IP_PROTOCOL.TCP : IP_PROTOCOL.UDP;
  // One character more than allowed is enough for the core to refuse it.
  const bounded = text.slice(0, MAX_SPECIFIER + 1);
  const answer = core().bound.parseSpecifier(bounded, number, capabilities, first, last, loopbackOnly);
  const view = new DataView(answer.buffer, answer.byteOffset, answer.byteLength);
  const field = (offset: number): number => view.getUint32(offset, true);
  const code = SPECIFIER_CODES.name(field(ANSWER.FAULT));
  if (code !== undefined) {
    const place = { specifier: text, position: field(ANSWER.POSITION), length: field(ANSWER.LENGTH) };
    throw new SpecifierError(code, message(place, faultText(code, place, field(ANSWER.DETAIL))), place);
  }
  if (field(ANSWER.NONE) === 1) return { kind: "none" };
  const reader = new RecordReader();
  const rules: Rule[] = [];
  for (let at: number = ANSWER.RECORDS; at < answer.length; at += RECORD_SIZE) {
    rules.push(reader.rule(answer, at));
  }
  return { kind: "rules", rules, warnings: warningsOf(text, field(ANSWER.NOTES)) };
}

function isPort(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 65535;
}

/** The sentence, and below it the specifier with carets under the faulty part. */
function message(place: SpecifierPlace, fault: string): string {
  return `Can't read specifier "${shortened(place.specifier, QUOTED)}": ${fault}\n${pointed(place)}`;
}

function pointed({ specifier, position, length }: SpecifierPlace): string {
  const points = [...printable(specifier.slice(0, MAX_SPECIFIER + 1))];
  const at = [...specifier.slice(0, position)].length;
  const width = Math.max(1, [...specifier.slice(position, position + length)].length);
  const start = points.length <= SHOWN ? 0 : Math.max(0, at - SHOWN_BEFORE);
  const before = start > 0 ? "…" : "";
  const after = points.length > start + SHOWN ? "…" : "";
  const carets = "^".repeat(Math.max(1, Math.min(width, start + SHOWN - at)));
  return `  ${before}${points.slice(start, start + SHOWN).join("")}${after}\n  ${
    " ".repeat(before.length + at - start)
  }${carets}`;
}

/** What is and what must be, for one code; `detail` is the fault of the address, if it is an address that is wrong. */
function faultText(code: SpecifierCode, { specifier, position, length }: SpecifierPlace, detail: number): string {
  const part = `"${shortened(specifier.slice(position, position + length), QUOTED)}"`;
  switch (code) {
    case "empty":
      return 'it must name ports, or be "all", "auto" or "none"';
    case "too-long":
      return `it has ${specifier.length} characters, at most ${MAX_SPECIFIER} are allowed`;
    case "bad-address":
      return `the address is ${part}, but ${addressFaultText(detail)}`;
    case "address-not-allowed":
      return "no address and no interface may be given here, the rules are bound to the loopback interface";
    case "bad-interface-name":
      return `the interface name is ${part}, but it must be 1 to 15 bytes without slash, white space and control characters`;
    case "interface-unsupported":
      return "an interface is named, but the pif can't listen on a single one";
    case "bad-chunk":
      if (length === 0) return "ports must stand here";
      return `${part} must be a port, a range of ports, "~" and ports to leave out, "all" or "auto"`;
    case "bad-port":
      return "a port number must stand here";
    case "port-too-great":
      return `the port is ${part}, which must not be greater than 65535`;
    case "port-order":
      return `the first port of ${part} must not be greater than the last one`;
    case "unexpected-text":
      return `${part} must not stand here`;
    case "missing-target":
      return "a target must follow the colon";
    case "bad-target":
      return `the target is ${part}, but ${addressFaultText(detail)}`;
    case "unspecified-target":
      return `the target is ${part}, which must be left out to mean the default target`;
    case "target-length":
      return `the target's ports are ${part}, which must be as many as are listened on`;
    case "different-targets":
      return `${part} must have the same target as the "all" before it`;
    case "scan-unsupported":
      return `${part} is given, but the pif can't scan for ports`;
    case "too-many-rules":
      return `it makes more than ${MAX_RULES} rules`;
    default:
      return code satisfies never;
  }
}

function warningsOf(specifier: string, notes: number): string[] {
  const quoted = `"${shortened(specifier, QUOTED)}"`;
  const warnings: string[] = [];
  if (notes & SPECIFIER_NOTE.LOOPBACK_ADDRESSES) {
    warnings.push(`Specifier ${quoted} listens on the loopback addresses: the pif can't listen on a single interface`);
  }
  if (notes & SPECIFIER_NOTE.UNUSED_TARGET) {
    warnings.push(`Specifier ${quoted} has a target for "all" that goes unused: port numbers take its place`);
  }
  if (notes & SPECIFIER_NOTE.NO_PORTS) {
    warnings.push(`Specifier ${quoted} makes no rule: every port is left out`);
  }
  return warnings;
}
