/**
 * Files of `/proc` and `/sys`, for which Deno wants `--allow-all` while the C library doesn't mind.
 *
 * @module
 */

import { C, cString, lastError, type Libc, openLibc, systemFailure } from "./libc.ts";

/** Bytes per read: more than the kernel hands out at once. */
const PIECE = 65536;

/** Where all of them are read to, one after the other: to make it took as long as to read a short file. */
let piece: Uint8Array<ArrayBuffer> | undefined;

/**
 * The whole text of a file of the kernel's.
 *
 * @throws {PestoError} with the system's error as its code, as `ENOENT`
 * @throws {Deno.errors.NotCapable} without the permission to use FFI
 */
export function readSystemFile(path: string): string {
  using libc = openLibc();
  const descriptor = libc.call.open(cString(path), C.O_RDONLY | C.O_CLOEXEC);
  if (descriptor < 0) throw systemFailure(`Can't read "${path}"`, lastError(libc));
  try {
    return readAll(libc, descriptor, path);
  } finally {
    libc.call.close(descriptor);
  }
}

function readAll(libc: Libc, descriptor: number, path: string): string {
  const into = piece ??= new Uint8Array(new ArrayBuffer(PIECE));
  const decoder = new TextDecoder();
  let text = "";
  for (;;) {
    const length = libc.call.read(descriptor, into, BigInt(PIECE));
    if (length < 0) throw systemFailure(`Can't read "${path}"`, lastError(libc));
    if (length === 0) return text + decoder.decode();
    text += decoder.decode(into.subarray(0, length), { stream: true });
  }
}
