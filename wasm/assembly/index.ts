/**
 * The core's front door: what the module exports is what this file exports. Functions that take or give strings or
 * arrays are bound by as-bind, all others are called directly with addresses in linear memory. Only functions: whoever
 * starts the core waits for every export, and 134 constants took 2 of 5 ms.
 *
 * @module
 */

export { allocate, free, reallocate, scratch } from "./arena";
export { parseAddress, writeAddress } from "./address";
export { beginDiff, endDiff, stepDiff, takeDiff } from "./diff";
export { countRows, noteStatus, writeRows } from "./effective";
export { frameFault, payloadMaximum, payloadMinimum, payloadStep } from "./frames";
export { matchRule } from "./match";
export { findUnsayable, fromPasstRecords, toPasstRecords } from "./passt";
export { checkRecords, findRule } from "./records";
export { beginSorting, endSorting, stepSorting, takeSorted } from "./sorting";
export { beginValidation, endValidation, stepValidation } from "./validate";

// Bound by as-bind.
export { faultSentence } from "./sentence";
export { parseSpecifier } from "./specifier";
export { ruleLineAt, ruleTextAt } from "./text";
