/**
 * Rules, tables and what is wrong with them, as text. There is one form of a rule, made by the WebAssembly core in
 * `wasm/assembly/text.ts`; the sentences are in `wasm/assembly/sentence.ts`.
 *
 * @module
 */

import { CODE, RECORD_SIZE } from "./constants.ts";
import { core } from "./core.ts";
import { printable } from "./printable.ts";
import { recordOf } from "./record.ts";
import type { Code, Rule } from "./types.ts";

/** What a sentence can say beyond the rules themselves. */
export interface FaultDetails {
  /** Name of the pif. */
  readonly pif?: string;
  /** How many rules or sockets there are, and how many there may be, where there are too many. */
  readonly count?: number;
  readonly limit?: number;
}

/**
 * The rule as listings print it, with the trailing space that the released programs print, too:
 * `TCP [127.0.0.1]:8081-8085  =>  10.0.0.1:81-85 `.
 *
 * @throws {RangeError} or SyntaxError if a field can't be encoded
 */
export function ruleLine(rule: Rule): string {
  const [at = 0] = placed([rule]);
  return core().bound.ruleLineAt(at);
}

/**
 * The rule for the middle of a sentence: {@linkcode ruleLine} without the trailing space.
 *
 * @throws {RangeError} or SyntaxError if a field can't be encoded
 *
 * @example A rule as a line of text
 * ```ts
 * import { ruleText } from "../mod.ts";
 *
 * const rule = { protocol: "tcp", address: "*", firstPort: 8080, lastPort: 8089, targetPort: 80, weak: false, scan: false } as const;
 * console.log(ruleText(rule)); // TCP [*]:8080-8089  =>  80-89
 * ```
 */
export function ruleText(rule: Rule): string {
  const [at = 0] = placed([rule]);
  return core().bound.ruleTextAt(at);
}

/**
 * A pif's table as listings print it: the name, and a line for each rule, each with its line break.
 *
 * @param note what to put behind a rule's line
 */
export function tableText<R extends Rule>(
  name: string,
  rules: readonly R[],
  note: (rule: R, index: number) => string = () => "",
): string {
  return [`  ${printable(name)}\n`, ...rules.map((rule, index) => `    ${ruleLine(rule)}${note(rule, index)}\n`)].join(
    "",
  );
}

/**
 * What is wrong with a table, as a sentence.
 *
 * @param rule the rule at fault, or its 64-byte record, which may say what no rule can
 * @param other the rule that it conflicts with, or its record
 * @throws {RangeError} if the code isn't one of a table's, `port-order` to `duplicate-pif`
 */
export function faultText(
  code: Code,
  rule?: Rule | Uint8Array,
  other?: Rule | Uint8Array,
  { pif = "", count = 0, limit = 0 }: FaultDetails = {},
): string {
  const number = CODE[code];
  if (number < CODE["port-order"] || number > CODE["duplicate-pif"]) {
    throw new RangeError(`Can't describe "${code}" as a table's fault: it must be one of the codes 1 to 22`);
  }
  const rules = rule === undefined ? [] : other === undefined ? [rule] : [rule, other];
  const [at = 0, otherAt = 0] = placed(rules);
  return core().bound.faultSentence(number, at, otherAt, printable(pif), count, limit);
}

/** Puts the records into the core's scratch area; returns their addresses, good for the next call. */
function placed(rules: readonly (Rule | Uint8Array)[]): number[] {
  const records = rules.map((rule) => rule instanceof Uint8Array ? rule : recordOf(rule));
  const { scratch, bytes } = core();
  return records.map((record, index) => {
    const at = scratch + index * RECORD_SIZE;
    bytes.set(record.subarray(0, RECORD_SIZE), at);
    return at;
  });
}
