/**
 * The core's front door: what the module exports is what this file exports. Functions that take or give strings or
 * arrays are bound by as-bind, all others are called directly with addresses in linear memory.
 *
 * @module
 */

export * from "./layout";
export * from "./faults";
export { allocate, free, reallocate, scratch, SCRATCH_SIZE } from "./arena";
export { DIFF, diffTables } from "./diff";
export { frameFault, payloadMaximum, payloadMinimum, payloadStep } from "./frames";
export { matchRule } from "./match";
export { findUnsayable, fromPasstRecords, toPasstRecords } from "./passt";
export { checkRecords, findRule } from "./records";
export { RUN } from "./runs";
export { sortedIndexes } from "./sorting";
export { validateTable, VERDICT } from "./validate";

// Bound by as-bind.
export { formatAddress, parseAddress } from "./address";
export { faultSentence } from "./sentence";
export { parseSpecifier } from "./specifier";
export { ruleLineAt, ruleTextAt } from "./text";
