/** The assertions that the tests use, with types; see std_assert.d.ts. */
// @ts-types="./std_assert.d.ts"
export { assert } from "@std/assert/assert.js";
// @ts-types="./std_assert.d.ts"
export { assertEquals } from "@std/assert/equals.js";
// @ts-types="./std_assert.d.ts"
export { assertNotEquals } from "@std/assert/not_equals.js";
// @ts-types="./std_assert.d.ts"
export { assertStrictEquals } from "@std/assert/strict_equals.js";
// @ts-types="./std_assert.d.ts"
export { assertExists } from "@std/assert/exists.js";
// @ts-types="./std_assert.d.ts"
export { assertGreater } from "@std/assert/greater.js";
// @ts-types="./std_assert.d.ts"
export { assertGreaterOrEqual } from "@std/assert/greater_or_equal.js";
// @ts-types="./std_assert.d.ts"
export { assertLess } from "@std/assert/less.js";
// @ts-types="./std_assert.d.ts"
export { assertLessOrEqual } from "@std/assert/less_or_equal.js";
// @ts-types="./std_assert.d.ts"
export { assertMatch } from "@std/assert/match.js";
// @ts-types="./std_assert.d.ts"
export { assertStringIncludes } from "@std/assert/string_includes.js";
// @ts-types="./std_assert.d.ts"
export { assertObjectMatch } from "@std/assert/object_match.js";
// @ts-types="./std_assert.d.ts"
export { assertInstanceOf } from "@std/assert/instance_of.js";
// @ts-types="./std_assert.d.ts"
export { assertThrows } from "@std/assert/throws.js";
// @ts-types="./std_assert.d.ts"
export { assertRejects } from "@std/assert/rejects.js";
// @ts-types="./std_assert.d.ts"
export { fail } from "@std/assert/fail.js";
