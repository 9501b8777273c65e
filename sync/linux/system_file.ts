/**
 * Files of `/proc` and `/sys`, for which Deno wants `--allow-all` while the C library doesn't mind.
 *
 * @module
 */

import { PestoError } from "../../codec/errors.ts";
import { PIECE } from "../kernel_file.ts";
import { C, cString, lastError, type Libc, openLibc, systemFailure } from "./libc.ts";

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
  const descriptor = openSystemFile(libc, path);
  try {
    return readAll(libc, descriptor, path);
  } finally {
    libc.call.close(descriptor);
  }
}

/**
 * Opens a file of the kernel's for reading.
 *
 * @throws {PestoError} with the system's error as its code, as `ENOENT`
 */
export function openSystemFile(libc: Libc, path: string): number {
  const descriptor = libc.call.open(cString(path), C.O_RDONLY | C.O_CLOEXEC);
  if (descriptor < 0) throw systemFailure(`Can't read "${path}"`, lastError(libc));
  return descriptor;
}

/**
 * Reads the next bytes of an open file, which the kernel may take long to write: another thread waits for them. Resolves to
 * how many, 0 at the end.
 *
 * @param path for the error's sentence
 * @throws {PestoError} (as a rejection) with the code `internal` if it can't be read
 */
export async function readAside(
  libc: Libc,
  descriptor: number,
  path: string,
  into: Uint8Array<ArrayBuffer>,
): Promise<number> {
  const length = await libc.call.read_aside(descriptor, into, BigInt(into.length));
  // Which error it was, only the other thread knows.
  if (length < 0) throw new PestoError("internal", `Can't read "${path}": the system gave an error`);
  return length;
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
