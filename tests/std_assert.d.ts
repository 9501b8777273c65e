/** Types for the parts of npm:deno-std/assert that the tests use; the package has none. */
export function assert(expression: unknown, message?: string): asserts expression;
export function assertEquals<T>(actual: T, expected: T, message?: string): void;
export function assertNotEquals<T>(actual: T, expected: T, message?: string): void;
export function assertStrictEquals<T>(actual: unknown, expected: T, message?: string): asserts actual is T;
export function assertExists<T>(actual: T, message?: string): asserts actual is NonNullable<T>;
export function assertGreater<T>(actual: T, expected: T, message?: string): void;
export function assertGreaterOrEqual<T>(actual: T, expected: T, message?: string): void;
export function assertLess<T>(actual: T, expected: T, message?: string): void;
export function assertLessOrEqual<T>(actual: T, expected: T, message?: string): void;
export function assertMatch(actual: string, expected: RegExp, message?: string): void;
export function assertStringIncludes(actual: string, expected: string, message?: string): void;
export function assertObjectMatch(actual: object, expected: object, message?: string): void;
// deno-lint-ignore no-explicit-any -- a constructor's parameters are of no interest here
type Constructor<T> = new (...args: any[]) => T;
export function assertInstanceOf<T>(actual: unknown, type: Constructor<T>, message?: string): asserts actual is T;
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  type?: Constructor<E>,
  includes?: string,
  message?: string,
): E;
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  type?: Constructor<E>,
  includes?: string,
  message?: string,
): Promise<E>;
export function fail(message?: string): never;
