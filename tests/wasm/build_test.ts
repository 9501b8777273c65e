/** What is committed is one core; `deno task wasm:check` says whether it is that of the sources. */

import { CORE_BASE64 } from "../../wasm/core.ts";
import { assertEquals } from "../assert.ts";

Deno.test("wasm/core.ts embeds wasm/core.wasm", async () => {
  const binary = await Deno.readFile(new URL("../../wasm/core.wasm", import.meta.url));
  assertEquals(Uint8Array.from(atob(CORE_BASE64), (character) => character.charCodeAt(0)), binary);
});
