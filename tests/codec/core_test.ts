import { ALL_CAPABILITIES, FRAME, IP_PROTOCOL } from "../../codec/constants.ts";
import { Core, core } from "../../codec/core.ts";
import { CoreError } from "../../codec/errors.ts";
import { recordOf } from "../../codec/record.ts";
import { assert, assertEquals, assertInstanceOf, assertLess, assertStrictEquals, assertThrows } from "../assert.ts";
import { tcpRule } from "../rules.ts";

Deno.test("core() is one instance, and starts without any permission", { permissions: "none" }, () => {
  assertStrictEquals(core(), core());
  assertEquals(core().raw.payloadMinimum(FRAME.HELLO), 40);
});

Deno.test("bytes and view cover the memory after it has grown", () => {
  const own = new Core();
  const before = own.bytes.length;
  const pointer = own.raw.allocate(before);
  own.bytes[pointer + before - 1] = 7;
  assertEquals(own.view.getUint8(pointer + before - 1), 7);
  assert(own.bytes.length > before);
  assertStrictEquals(own.bytes, own.bytes);
});

Deno.test("allocate() takes what free() gave back", () => {
  const own = new Core();
  own.raw.free(own.raw.allocate(1_000_000));
  const { length } = own.bytes;
  for (let round = 0; round < 100; round++) own.raw.free(own.raw.allocate(1_000_000));
  assertEquals(own.bytes.length, length);
});

Deno.test("reallocate() keeps the block's content", () => {
  const own = new Core();
  const pointer = own.raw.allocate(64);
  own.bytes.fill(9, pointer, pointer + 64);
  // A block behind it, so that it can't grow where it is.
  own.raw.allocate(64);
  const moved = own.raw.reallocate(pointer, 100_000);
  assert(own.bytes.subarray(moved, moved + 64).every((byte) => byte === 9));
});

Deno.test("an abort in the core is a CoreError that says where", () => {
  const own = new Core();
  const error = assertThrows(() => own.raw.allocate(0x7fffffff), CoreError, "The core stopped: Allocation too large (");
  assertEquals(error.code, "internal");
});

Deno.test("a trap in the core is a CoreError with its cause", () => {
  const own = new Core();
  const error = assertThrows(
    () => own.raw.checkRecords(0xfffffff0, 1, false, own.scratch),
    CoreError,
    "The core stopped: checkRecords failed",
  );
  assertInstanceOf(error.cause, WebAssembly.RuntimeError);
});

Deno.test("an array that the core returns stays what it is when the core goes on", () => {
  const own = new Core();
  const parse = (text: string) => own.bound.parseSpecifier(text, IP_PROTOCOL.TCP, ALL_CAPABILITIES, 1, 1, false);
  const first = parse("127.0.0.1/80");
  const copy = first.slice();
  for (let round = 0; round < 5000; round++) parse("2001:db8::1/81");
  assertEquals(first, copy);
});

Deno.test("strings that crossed over are collected, and those in use are not", () => {
  const own = new Core();
  own.bytes.set(recordOf(tcpRule(80, 8080)), own.scratch);
  for (let round = 0; round < 100_000; round++) {
    assertEquals(own.bound.ruleTextAt(own.scratch), "TCP [127.0.0.1]:80  =>  8080");
  }
  // Each of these calls leaves some hundred bytes.
  assertLess(own.bytes.length, 4 * 2 ** 20);
});
