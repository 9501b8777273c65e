import { errorText, systemError, systemErrorOf, systemErrorOfNumber } from "../../sync/errno.ts";
import { assertEquals } from "../assert.ts";

Deno.test("systemError() knows an error by its name", () => {
  assertEquals(systemError("EADDRINUSE"), { name: "EADDRINUSE", errno: 98, text: "address in use" });
});

Deno.test("systemErrorOfNumber() knows an error by its Linux number and names others after theirs", () => {
  assertEquals(systemErrorOfNumber(13), systemError("EACCES"));
  assertEquals(systemErrorOfNumber(4095), { name: "E4095", errno: 4095, text: "error number 4095" });
});

Deno.test("systemErrorOf() tells what the runtime threw by its code, or else by its kind", () => {
  assertEquals(systemErrorOf(Object.assign(new Error("any text"), { code: "EMFILE" })), systemError("EMFILE"));
  assertEquals(systemErrorOf(new Deno.errors.NotCapable("any text")), systemError("EACCES"));
  for (const unknown of [new Error("any text"), Object.assign(new Error(), { code: "toString" }), "text", undefined]) {
    assertEquals(systemErrorOf(unknown), systemError("EIO"));
  }
});

Deno.test("errorText() gives text and name", () => {
  assertEquals(errorText(systemError("EACCES")), "permission denied (EACCES)");
});
