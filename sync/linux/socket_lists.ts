/**
 * The kernel's lists of sockets of another network namespace.
 *
 * A list is of the namespace that it was opened in: only for that this thread enters it. Another thread reads it, because
 * the kernel goes through the connections of all namespaces for it.
 *
 * @module
 */

import { PestoError } from "../../codec/errors.ts";
import { errorText } from "../errno.ts";
import { readPieces } from "../kernel_file.ts";
import type { ListReader } from "../listening_ports.ts";
import { type Libc, openLibc } from "./libc.ts";
import { Namespace } from "./namespaces.ts";
import { openSystemFile, readAside } from "./system_file.ts";

/**
 * Reads the lists of the namespace at `path`.
 *
 * @throws {PestoError} (as a rejection) from each read, with the system's error as its code, if the namespace can't be
 * entered
 */
export function namespaceReader(path: string): ListReader {
  return async (file, enough) => {
    using libc = openLibc();
    const descriptor = openWithin(libc, path, file);
    if (descriptor === undefined) return undefined;
    try {
      return await readPieces((into) => readAside(libc, descriptor, file, into), enough);
    } finally {
      libc.call.close(descriptor);
    }
  };
}

function openWithin(libc: Libc, path: string, file: string): number | undefined {
  using namespace = new Namespace(libc, path);
  return namespace.within<number | undefined>(() => openIfThere(libc, file), (error) => {
    throw new PestoError(error.name, `Can't read "${file}" in network namespace "${path}": ${errorText(error)}`);
  });
}

function openIfThere(libc: Libc, file: string): number | undefined {
  try {
    return openSystemFile(libc, file);
  } catch (error) {
    if (error instanceof PestoError && error.code === "ENOENT") return undefined;
    throw error;
  }
}
