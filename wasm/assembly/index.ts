/**
 * The core's front door: what the module exports is what this file exports. Functions that take or give strings or
 * arrays are bound by as-bind, all others are called directly with addresses in linear memory.
 *
 * @module
 */

export * from "./layout";
export * from "./faults";
export { allocate, free, reallocate, scratch, SCRATCH_SIZE } from "./arena";
export { parseAddress, writeAddress } from "./address";
export { beginDiff, DIFF, endDiff, stepDiff, takeDiff } from "./diff";
export { countRows, noteStatus, ROW, writeRows } from "./effective";
export { frameFault, payloadMaximum, payloadMinimum, payloadStep } from "./frames";
export { matchRule } from "./match";
export { findUnsayable, fromPasstRecords, toPasstRecords } from "./passt";
export { checkRecords, findRule } from "./records";
export { RUN } from "./runs";
export { beginSorting, endSorting, stepSorting, takeSorted } from "./sorting";
export { beginValidation, endValidation, POLICY, stepValidation, UNDECIDED, VERDICT } from "./validate";

// Bound by as-bind.
export { faultSentence } from "./sentence";
export { parseSpecifier } from "./specifier";
export { ruleLineAt, ruleTextAt } from "./text";
