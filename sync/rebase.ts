/**
 * Edits of a table that isn't in force any more, carried over to the one that is.
 *
 * A released client sends whole tables and says nothing of the table that it started from. Two of them that edit at once
 * would undo each other's work; as the server knows what it has shown to each, it can tell what each has changed.
 *
 * @module
 */

import { RECORD, RECORD_SIZE } from "../codec/constants.ts";
import { RuleTable } from "../codec/table.ts";

/**
 * The table in force with an edit done to it: without the rules that are in `base` and not in `edited`, and with those
 * that are in `edited` and not in `base`, at its end. The result is as if the edits had been made one after the other.
 */
export function rebase(base: RuleTable, edited: RuleTable, current: RuleTable): RuleTable {
  const before = keysOf(base);
  const after = keysOf(edited);
  const kept = [...keysOf(current)].filter(([key]) => after.has(key) || !before.has(key));
  const present = new Set(kept.map(([key]) => key));
  const added = [...after].filter(([key]) => !before.has(key) && !present.has(key));
  const records = new Uint8Array((kept.length + added.length) * RECORD_SIZE);
  [...kept, ...added].forEach(([, record], index) => records.set(record, index * RECORD_SIZE));
  return RuleTable.ofRecords(records);
}

/** Records by what identifies a rule: everything up to its status. */
function keysOf(table: RuleTable): Map<string, Uint8Array> {
  const records = table.records();
  const keys = new Map<string, Uint8Array>();
  for (let at = 0; at < records.length; at += RECORD_SIZE) {
    const record = records.subarray(at, at + RECORD_SIZE);
    keys.set(String.fromCharCode(...record.subarray(0, RECORD.STATUS)), record);
  }
  return keys;
}
