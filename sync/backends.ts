/**
 * Which backend carries the traffic.
 *
 * @module
 */

import { PestoError } from "../codec/errors.ts";
import type { Backend } from "./backend.ts";
import { linuxBackendIfAvailable, type LinuxBackendOptions } from "./linux.ts";
import { portableBackend } from "./portable.ts";

/** The backends there are. */
export type BackendName = "linux" | "portable";

/**
 * A backend: the one that is asked for, or the best that works here.
 *
 * @throws {PestoError} with the code `backend-unavailable` if the one that is asked for, or that a namespace needs, doesn't
 * work here
 */
export function makeBackend(name: BackendName | undefined, options: LinuxBackendOptions): Backend {
  if (name === "portable") {
    const namespace = options.listenNamespace ?? options.connectNamespace;
    if (namespace !== undefined) throw unavailable(`enter network namespace "${namespace}"`, "the portable one can't");
    return portableBackend(options);
  }
  const linux = linuxBackendIfAvailable(options);
  if (linux.kind === "made") return linux.backend;
  const namespace = options.listenNamespace ?? options.connectNamespace;
  if (namespace !== undefined) throw unavailable(`enter network namespace "${namespace}"`, linux.reason);
  if (name === "linux") throw unavailable("serve", linux.reason);
  options.log?.(`Relaying over Deno's own sockets, which can do less: ${linux.reason}`);
  return portableBackend(options);
}

function unavailable(what: string, reason: string): PestoError {
  return new PestoError("backend-unavailable", `Can't ${what}: it takes the backend "linux", and ${reason}`);
}
