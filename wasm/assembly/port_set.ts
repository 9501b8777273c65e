/**
 * A set of ports as a bitmap, with searches that skip 64 ports at a time: a specifier may name the whole range thousands
 * of times.
 *
 * @module
 */

/** One more than the highest port; what the searches return when they find nothing. */
export const PORTS_END: i32 = 65536;

/** A set of ports from 0 to 65535. */
export class PortSet {
  private words: StaticArray<u64> = new StaticArray<u64>(PORTS_END / 64);

  /** Adds the ports from `first` to `last`, both included. */
  add(first: i32, last: i32): void {
    const words = this.words;
    const end = last >> 6;
    for (let word = first >> 6; word <= end; word++) {
      let bits = ~(<u64> 0);
      if (word == first >> 6) bits &= ~(<u64> 0) << (first & 63);
      if (word == end) bits &= ~(<u64> 0) >> (63 - (last & 63));
      words[word] |= bits;
    }
  }

  /** The first port in the set that isn't below `from`, or `PORTS_END`. */
  next(from: i32): i32 {
    return this.search(from, 0);
  }

  /** The first port not in the set that isn't below `from`, or `PORTS_END`. */
  nextAbsent(from: i32): i32 {
    return this.search(from, ~(<u64> 0));
  }

  /** Finds the first bit from `from` on that is set after an exclusive or with `flip`. */
  private search(from: i32, flip: u64): i32 {
    if (from >= PORTS_END) return PORTS_END;
    const words = this.words;
    let word = from >> 6;
    let bits = (words[word] ^ flip) & (~(<u64> 0) << (from & 63));
    while (bits == 0) {
      if (++word == words.length) return PORTS_END;
      bits = words[word] ^ flip;
    }
    return (word << 6) + <i32> ctz(bits);
  }
}
