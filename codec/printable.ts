/**
 * Text from elsewhere, made fit for a terminal.
 *
 * @module
 */

/** Nearly every text. Making the other expression takes 0.6 ms, for which a listing would have to wait. */
const PRINTABLE_ASCII = /^[ -~]*$/;

/** The text with U+FFFD for every code point that would move a cursor, break a line or turn text around. */
export function printable(text: string): string {
  if (PRINTABLE_ASCII.test(text)) return text;
  // Control and formatting characters, line separators, and halves of surrogate pairs.
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, "\ufffd");
}

/** A printable text of at most `length` code points, the last one an ellipsis if that isn't all. */
export function shortened(text: string, length: number): string {
  // A code point has at most two code units, so a long text needn't be taken apart as a whole.
  const points = [...printable(text.slice(0, 2 * length + 2))];
  return points.length <= length ? points.join("") : `${points.slice(0, length - 1).join("")}…`;
}
