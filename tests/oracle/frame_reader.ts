/**
 * Frames out of a whole byte array, for the oracle's decoder.
 *
 * @module
 */

import type { Code } from "../../codec/types.ts";
import { TYPE } from "./frames.ts";

/** The bytes break the protocol. */
export class Broken extends Error {
  readonly code: Code;
  constructor(code: Code) {
    super(code);
    this.code = code;
  }
}

/** The bytes end before the conversation does. */
export class Incomplete extends Error {}

/** A frame that may stand where it stands; its payload is read field by field. */
export interface ReadFrame {
  readonly type: number;
  readonly length: number;
  readonly payload: Fields;
}

const LENGTHS: ReadonlyMap<number, (length: number) => boolean> = new Map([
  [TYPE.HELLO, (length: number) => length === 40],
  [TYPE.PIF, (length: number) => length === 160],
  [TYPE.RULES, (length: number) => length >= 64 && length <= 65536 && length % 64 === 0],
  [TYPE.END, (length: number) => length === 0],
  [TYPE.TABLE, (length: number) => length === 8],
  [TYPE.PORTS, (length: number) => length >= 16 && length <= 65536 && length % 8 === 0],
  [TYPE.UPDATE, (length: number) => length === 24],
  [TYPE.APPLY, (length: number) => length === 0],
  [TYPE.COMMIT, (length: number) => length === 0],
  [TYPE.ROLLBACK, (length: number) => length === 0],
  [TYPE.ACCEPTED, (length: number) => length === 0],
  [TYPE.REJECTED, (length: number) => length >= 48 && length <= 1072],
  [TYPE.RESULT, (length: number) => length >= 48 && length <= 1072],
]);

/** Big-endian fields in a row. */
export class Fields {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** How many bytes haven't been read. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** The next `count` bytes. */
  take(count: number): Uint8Array {
    if (count > this.left) throw new Incomplete();
    this.#at += count;
    return this.#bytes.slice(this.#at - count, this.#at);
  }

  /** The next number of so many bytes, at most 4. */
  number(size: 1 | 2 | 4): number {
    return this.take(size).reduce((sum, byte) => sum * 256 + byte, 0);
  }

  /** The next number of so many bytes. */
  big(size: 8 | 16): bigint {
    return this.take(size).reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  }

  /** The next bytes, which must be zero. */
  zero(size: number): void {
    if (this.take(size).some((byte) => byte !== 0)) throw new Broken("reserved-bytes");
  }
}

/** Reads a side's bytes from the start. */
export class FrameReader {
  readonly #fields: Fields;
  #waiting: { type: number; length: number } | undefined;

  constructor(bytes: Uint8Array) {
    this.#fields = new Fields(bytes);
  }

  /** The magic, which is wrong from the first byte on that is. */
  magic(expected: readonly number[]): void {
    for (const byte of expected) {
      if (this.#fields.number(1) !== byte) throw new Broken("bad-magic");
    }
  }

  /** The type of the next frame, which stays the next. */
  peek(): number {
    if (this.#waiting === undefined) {
      const type = this.#fields.number(2);
      const zero = this.#fields.number(2);
      const length = this.#fields.number(4);
      const fits = LENGTHS.get(type);
      if (fits === undefined) throw new Broken("unknown-frame");
      if (zero !== 0) throw new Broken("reserved-bytes");
      if (!fits(length)) throw new Broken("frame-length");
      this.#waiting = { type, length };
    }
    return this.#waiting.type;
  }

  /** Payload bytes of the next frame. */
  peekLength(): number {
    this.peek();
    return this.#waiting?.length ?? 0;
  }

  /** The next frame, which must be of this type. */
  expect(type: number): Fields {
    if (this.peek() !== type) throw new Broken("unexpected-frame");
    const payload = new Fields(this.#fields.take(this.peekLength()));
    this.#waiting = undefined;
    return payload;
  }

  /** No frame may follow. */
  end(): void {
    this.peek();
    throw new Broken("unexpected-frame");
  }
}
