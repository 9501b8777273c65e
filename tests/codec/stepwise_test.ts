/** The engine below the released dialect's decoders, with a script of three fields. */

import { ProtocolError } from "../../codec/errors.ts";
import { type Script, StepwiseDecoder } from "../../codec/stepwise.ts";
import { assertEquals, assertStrictEquals, assertThrows } from "../assert.ts";

/** Fields of 2, 3 and 1 bytes over and over; a field that begins with 0xff is refused. */
function* script(emit: (event: string) => void): Script {
  for (;;) {
    for (const bytes of [2, 3, 1]) {
      const field = yield { bytes, mayEnd: bytes === 3 };
      if (field[0] === 0xff) throw new ProtocolError("bad-field", "Can't read a field: it begins with 0xff");
      emit(field.join(" "));
    }
  }
}

const decoder = () => new StepwiseDecoder<string>("client", "its fields", script);
const bytes = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

Deno.test("push() gives the script its fields, however the bytes are cut", () => {
  for (let first = 0; first <= bytes.length; first++) {
    for (let second = first; second <= bytes.length; second++) {
      const one = decoder();
      const pieces = [bytes.slice(0, first), bytes.slice(first, second), bytes.slice(second)];
      assertEquals(pieces.flatMap((piece) => one.push(piece)), ["1 2", "3 4 5", "6", "7 8"]);
    }
  }
});

Deno.test("push() returns the events of its own bytes, each with the last byte of its field", () => {
  const one = decoder();
  assertEquals(Array.from(bytes, (byte) => one.push(Uint8Array.of(byte))), [
    ...[[], ["1 2"]],
    ...[[], [], ["3 4 5"]],
    ...[["6"]],
    ...[[], ["7 8"]],
  ]);
});

Deno.test("push() keeps no piece: what is done with its bytes afterwards doesn't matter", () => {
  const one = decoder();
  const piece = Uint8Array.of(1);
  one.push(piece);
  piece[0] = 9;
  assertEquals(one.push(Uint8Array.of(2)), ["1 2"]);
});

Deno.test("push() is dead once the script has thrown", () => {
  const one = decoder();
  const error = assertThrows(() => one.push(Uint8Array.of(1, 2, 0xff, 4, 5, 6)), ProtocolError, "begins with 0xff");
  assertStrictEquals(assertThrows(() => one.push(bytes)), error);
  assertStrictEquals(assertThrows(() => one.finish()), error);
});

Deno.test("finish() allows the end only where the script does, and never inside a field", () => {
  for (let length = 0; length <= bytes.length; length++) {
    const one = decoder();
    one.push(bytes.subarray(0, length));
    if (length === 2 || length === 8) {
      one.finish();
    } else {
      const error = assertThrows(() => one.finish(), ProtocolError);
      assertEquals(error.code, "truncated");
      assertEquals(error.message, "Can't go on: the client hung up in the middle of its fields");
    }
  }
});
