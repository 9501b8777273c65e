/**
 * Which backend carries the traffic, and which kind of listener the control sockets have.
 *
 * @module
 */

import { PestoError } from "../codec/errors.ts";
import type { Backend } from "./backend.ts";
import type { Listen } from "./control_listener.ts";
import { linuxAvailable, linuxBackendIfAvailable, type LinuxBackendOptions, listenOnLinux } from "./linux.ts";
import { listenPortably } from "./portable/control_listener.ts";
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

/**
 * How control sockets listen: the kind that goes with the backend that is asked for, or the best that works here.
 *
 * @param telling whether it must be one that says which user a client is
 * @throws {PestoError} with the code `backend-unavailable` if that doesn't work here
 */
export function controlListening(
  name: BackendName | undefined,
  telling: boolean,
  log: (message: string) => void,
): Listen {
  const available = linuxAvailable();
  if (name !== "portable" && available.kind === "available") return (path) => listenOnLinux(path, log);
  const reason = available.kind === "available"
    ? "the portable one doesn't say whose a connection is"
    : available.reason;
  if (telling) throw unavailable("tell the users of clients apart", reason);
  log(`Whoever may connect to the control socket may change the rules, and isn't named in the log: ${reason}`);
  return (path) => listenPortably(path, log);
}

function unavailable(what: string, reason: string): PestoError {
  return new PestoError("backend-unavailable", `Can't ${what}: it takes the backend "linux", and ${reason}`);
}
