/** Types for the part of npm:deno-std/bytes that the tests use; the package has none. */
export function concat(buffers: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
