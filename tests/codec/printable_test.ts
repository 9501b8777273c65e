import { printable, shortened } from "../../codec/printable.ts";
import { assertEquals } from "../assert.ts";

Deno.test("printable() replaces what would reach a terminal as a command", () => {
  assertEquals(printable("a\x1b[31m\r\n\u202eb\u2028\ud800"), "a\ufffd[31m\ufffd\ufffd\ufffdb\ufffd\ufffd");
});

Deno.test("printable() leaves letters of any script alone", () => {
  assertEquals(printable("HOST é 網 😀"), "HOST é 網 😀");
});

Deno.test("shortened() counts code points and ends in an ellipsis", () => {
  assertEquals(shortened("abc", 3), "abc");
  assertEquals(shortened("abcd", 3), "ab…");
  assertEquals(shortened("😀😀😀😀", 4), "😀😀😀😀");
  assertEquals(shortened("😀😀😀😀😀", 4), "😀😀😀…");
});
