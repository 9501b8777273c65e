/** What the tests do with bytes, with types; see std_bytes.d.ts. */
// @ts-types="./std_bytes.d.ts"
export { concat } from "@std/bytes/concat.js";
