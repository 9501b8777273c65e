/**
 * Which of 65,536 ports are taken: a bitmap with two summaries, so that asking about a range takes a few steps however
 * long it is, and taking the same long range over and over costs no more than the first time.
 *
 *     bits      1024 words   bit p: port p is taken
 *     any         16 words   bit w: word w of `bits` isn't 0
 *     full        16 words   bit w: word w of `bits` has all its bits set
 *
 * @module
 */

const BITS_SIZE: i32 = 8192;
const SUMMARY_SIZE: i32 = 128;
const ANY: usize = BITS_SIZE;
const FULL: usize = BITS_SIZE + SUMMARY_SIZE;

/** Bytes that one occupancy takes; all zero when no port is taken. */
export const OCCUPANCY_SIZE: i32 = BITS_SIZE + 2 * SUMMARY_SIZE;

/** All bits of a word from bit `first & 63` on. */
function bitsFrom(first: i32): u64 {
  return ~(<u64> 0) << (first & 63);
}

/** All bits of a word up to bit `last & 63`. */
function bitsTo(last: i32): u64 {
  return ~(<u64> 0) >> (63 - (last & 63));
}

function wordAt(words: usize, index: i32): usize {
  return words + (<usize> index << 3);
}

/** Whether any bit from `first` to `last` is set. */
function anyBit(words: usize, first: i32, last: i32): bool {
  const end = last >> 6;
  for (let word = first >> 6; word <= end; word++) {
    let bits = load<u64>(wordAt(words, word));
    if (word == first >> 6) bits &= bitsFrom(first);
    if (word == end) bits &= bitsTo(last);
    if (bits != 0) return true;
  }
  return false;
}

/** Whether a port from `first` to `last` is taken. */
export function isTaken(at: usize, first: i32, last: i32): bool {
  const start = first >> 6;
  const end = last >> 6;
  if (start == end) return (load<u64>(wordAt(at, start)) & bitsFrom(first) & bitsTo(last)) != 0;
  if ((load<u64>(wordAt(at, start)) & bitsFrom(first)) != 0) return true;
  if ((load<u64>(wordAt(at, end)) & bitsTo(last)) != 0) return true;
  return end - start > 1 && anyBit(at + ANY, start + 1, end - 1);
}

/** Takes the ports from `first` to `last`. */
export function take(at: usize, first: i32, last: i32): void {
  const start = first >> 6;
  const end = last >> 6;
  if (start == end) {
    takeBits(at, start, bitsFrom(first) & bitsTo(last));
    return;
  }
  takeBits(at, start, bitsFrom(first));
  takeBits(at, end, bitsTo(last));
  if (end - start > 1) takeWords(at, start + 1, end - 1);
}

function takeBits(at: usize, word: i32, mask: u64): void {
  const bits = load<u64>(wordAt(at, word)) | mask;
  store<u64>(wordAt(at, word), bits);
  const summary = wordAt(at, word >> 6);
  const bit = (<u64> 1) << (word & 63);
  store<u64>(summary, load<u64>(summary, ANY) | bit, ANY);
  if (bits == ~(<u64> 0)) store<u64>(summary, load<u64>(summary, FULL) | bit, FULL);
}

/** Fills the words from `first` to `last`, touching only those that aren't full yet. */
function takeWords(at: usize, first: i32, last: i32): void {
  const end = last >> 6;
  for (let group = first >> 6; group <= end; group++) {
    const summary = wordAt(at, group);
    let missing = ~load<u64>(summary, FULL);
    if (group == first >> 6) missing &= bitsFrom(first);
    if (group == end) missing &= bitsTo(last);
    store<u64>(summary, load<u64>(summary, ANY) | missing, ANY);
    store<u64>(summary, load<u64>(summary, FULL) | missing, FULL);
    while (missing != 0) {
      store<u64>(wordAt(at, (group << 6) + <i32> ctz(missing)), ~(<u64> 0));
      missing &= missing - 1;
    }
  }
}
