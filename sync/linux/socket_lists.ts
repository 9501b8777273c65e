/**
 * The kernel's lists of sockets of another network namespace.
 *
 * @module
 */

import { PestoError } from "../../codec/errors.ts";
import { errorText } from "../errno.ts";
import type { ListReader } from "../listening_ports.ts";
import { openLibc } from "./libc.ts";
import { Namespace } from "./namespaces.ts";
import { readSystemFile } from "./system_file.ts";

/**
 * Reads the lists of the namespace at `path`.
 *
 * @throws {PestoError} from each read, with the system's error as its code, if the namespace can't be entered
 */
export function namespaceReader(path: string): ListReader {
  return (file) => {
    using libc = openLibc();
    using namespace = new Namespace(libc, path);
    return namespace.within<string | undefined>(() => readIfThere(file), (error) => {
      throw new PestoError(error.name, `Can't read "${file}" in network namespace "${path}": ${errorText(error)}`);
    });
  };
}

function readIfThere(file: string): string | undefined {
  try {
    return readSystemFile(file);
  } catch (error) {
    if (error instanceof PestoError && error.code === "ENOENT") return undefined;
    throw error;
  }
}
