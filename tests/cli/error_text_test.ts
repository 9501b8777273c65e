import { UsageError } from "../../cli/arguments.ts";
import { errorMessage } from "../../cli/error_text.ts";
import { OutputError } from "../../cli/output.ts";
import { UpdateError } from "../../client.ts";
import { PestoError } from "../../codec/errors.ts";
import { assertEquals, assertStringIncludes } from "../assert.ts";

Deno.test("errorMessage() is the sentence alone where an error may be expected", () => {
  const expected = [
    new PestoError("unreachable", "words"),
    new UsageError("words"),
    new OutputError("words"),
    new RangeError("words"),
    new SyntaxError("words"),
  ];
  assertEquals(expected.map(errorMessage), expected.map(() => "words"));
});

Deno.test("errorMessage() shows where a fault of the program lies", () => {
  for (const fault of [new TypeError("words"), new Error("words")]) {
    assertStringIncludes(errorMessage(fault), "words\n    at ");
  }
  assertEquals(errorMessage("thrown"), "thrown");
});

Deno.test("errorMessage() keeps a server's sentence on its line", () => {
  const counts = { revision: 1n, kept: 0, opened: 0, retired: 0, failed: 0, rebound: 0, rules: [], failures: [] };
  const error = new UpdateError({ ...counts, outcome: "busy", code: "busy", sentence: "wait\nDone\x1b[1A" });
  assertEquals(errorMessage(error), "wait\ufffdDone\ufffd[1A");
});
