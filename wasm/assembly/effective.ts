/**
 * Rows of an effective table: what the rules of one pif want from the kernel now. A row is a rule with its target filled
 * in; for a scan rule there is one for each row of its ports that are in use in the target. In place of the status, which
 * no row has, stands where it came from.
 *
 * @module
 */

import { ADDRESS_SIZE, isUnspecifiedAt } from "./address";
import { IP_PROTOCOL, RECORD, RECORD_SIZE, ROW, RULE_FLAG, RULE_STATUS } from "./layout";
import { recordAt, shiftOf } from "./records";
import { portAt } from "./text";

/** Bytes of a bitmap over all ports; that for UDP follows that for TCP. */
const BITMAP_SIZE: usize = 8192;

/**
 * How many rows these rules take.
 *
 * @param ports bitmaps of the ports in use, 0 for none
 */
export function countRows(records: usize, count: i32, ports: usize): i32 {
  let rows = 0;
  for (let i = 0; i < count; i++) {
    const rule = recordAt(records, i);
    rows += isScan(rule) ? scan(rule, ports, 0) : 1;
  }
  return rows;
}

/**
 * Writes the rows of these rules to `into`; their number.
 *
 * @param first index of the first of the rules in its table
 * @param table which table that is
 * @param target 16 bytes for rules without a target, 0 to leave these as they are
 * @param ports as for `countRows`
 */
export function writeRows(
  records: usize,
  count: i32,
  first: u32,
  table: u32,
  target: usize,
  ports: usize,
  into: usize,
): i32 {
  let row = into;
  for (let i = 0; i < count; i++) {
    const rule = recordAt(records, i);
    const start = row;
    if (isScan(rule)) {
      row += <usize> scan(rule, ports, row) * RECORD_SIZE;
    } else {
      memory.copy(row, rule, RECORD.STATUS);
      row += RECORD_SIZE;
    }
    for (let at = start; at < row; at += RECORD_SIZE) {
      if (target != 0 && isUnspecifiedAt(at + RECORD.TARGET)) memory.copy(at + RECORD.TARGET, target, ADDRESS_SIZE);
      store<u32>(at, first + i, ROW.RULE);
      store<u32>(at, table, ROW.TABLE);
    }
  }
  return <i32> ((row - into) / RECORD_SIZE);
}

/**
 * Gives the rules of a table the status that they have when each row has its sockets: waiting for a scan rule without a
 * row, bound for all others.
 *
 * @param rows of an effective table, `rowCount` of which may be of this table
 * @param table which of the tables it is
 */
export function noteStatus(records: usize, count: i32, rows: usize, rowCount: i32, table: u32): void {
  for (let i = 0; i < count; i++) {
    const rule = recordAt(records, i);
    setStatus(rule, isScan(rule) ? RULE_STATUS.WAITING : RULE_STATUS.BOUND);
  }
  for (let i = 0; i < rowCount; i++) {
    const row = recordAt(rows, i);
    if (load<u32>(row, ROW.TABLE) == table) setStatus(recordAt(records, load<u32>(row, ROW.RULE)), RULE_STATUS.BOUND);
  }
}

/** Sets the status, without failed ports. */
function setStatus(rule: usize, status: u32): void {
  store<u32>(rule, bswap(status << 16), RECORD.STATUS);
}

function isScan(rule: usize): bool {
  return (load<u8>(rule, RECORD.FLAGS) & RULE_FLAG.SCAN) != 0;
}

/** How many rows of ports a scan rule has in use; written to `into` unless that is 0. */
function scan(rule: usize, ports: usize, into: usize): i32 {
  if (ports == 0) return 0;
  const bitmap = load<u8>(rule, RECORD.PROTOCOL) == IP_PROTOCOL.UDP ? ports + BITMAP_SIZE : ports;
  const shift = shiftOf(rule);
  const last = portAt(rule, RECORD.LAST);
  let rows = 0;
  for (let port = portAt(rule, RECORD.FIRST); port <= last; port++) {
    if (!isUsed(bitmap, port + shift)) continue;
    const start = port;
    while (port < last && isUsed(bitmap, port + 1 + shift)) port++;
    if (into != 0) {
      const row = recordAt(into, rows);
      memory.copy(row, rule, RECORD.STATUS);
      store<u16>(row, bswap(<u16> start), RECORD.FIRST);
      store<u16>(row, bswap(<u16> port), RECORD.LAST);
      store<u16>(row, bswap(<u16> (start + shift)), RECORD.TARGET_PORT);
    }
    rows++;
  }
  return rows;
}

function isUsed(bitmap: usize, port: i32): bool {
  return (load<u8>(bitmap + (port >> 3)) & (1 << (port & 7))) != 0;
}
