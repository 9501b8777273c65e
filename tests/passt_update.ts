/** What a released client sends. */

import { passtClient } from "../codec/passt.ts";
import { RuleTable } from "../codec/table.ts";
import type { Rule } from "../codec/types.ts";
import { concat } from "./bytes.ts";

/** The bytes of a released client's update of HOST. */
export function passtUpdate(rules: readonly Rule[]): Uint8Array {
  using table = RuleTable.of(rules);
  const header = { version: 2, mode: "one-shot", rollBackUndelivered: false, holdSeconds: 0, pifCount: 1 } as const;
  return concat([...passtClient(2).update(header, [{ pif: 1, table }])]);
}
