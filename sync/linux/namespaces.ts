/**
 * Network namespaces.
 *
 * Theory of operation. A socket belongs for ever to the namespace that its thread was in when it was made. So a thread
 * enters a namespace for the call of `socket()` alone, and is back before anything else can run on it: there is no
 * `await` in between, and the way back is in a `finally`. Calls that aren't `nonblocking` run on the thread that calls
 * them; the runtime's other threads stay where they are.
 *
 * A namespace is held by a file descriptor, so it stays the same one even if its name is given to another.
 *
 * @module
 */

import { PestoError } from "../../codec/errors.ts";
import { errorText, type SystemError } from "../errno.ts";
import { C, cString, lastError, type Libc } from "./libc.ts";

/** The namespace of the thread that asks, which needn't be the process's first one. */
const OWN = "/proc/thread-self/ns/net";
/** Exit status when the way back from a namespace is barred; 70 is EX_SOFTWARE of sysexits.h. */
const EXIT_LOST = 70;
/** What to do about the errors that are most likely. */
const ADVICE: Readonly<Record<string, string>> = {
  EPERM: "it takes the capability CAP_SYS_ADMIN over that namespace",
  EACCES: "it takes the capability CAP_SYS_ADMIN over that namespace",
  ENOENT: "a namespace is named by a file, as /run/netns/NAME or /proc/PID/ns/net",
  EINVAL: "a namespace is named by a file, as /run/netns/NAME or /proc/PID/ns/net",
};

/** A namespace to make sockets in. */
export class Namespace implements Disposable {
  readonly #libc: Libc;
  readonly #path: string;
  readonly #home: number;
  readonly #inside: number;
  #disposed = false;

  /**
   * Opens the namespace, and tries to enter it.
   *
   * @param path as `/run/netns/NAME` or `/proc/PID/ns/net`
   * @throws {PestoError} with the system's error as its code
   */
  constructor(libc: Libc, path: string) {
    this.#libc = libc;
    this.#path = path;
    this.#inside = this.#open(path);
    try {
      this.#home = this.#open(OWN);
    } catch (error) {
      libc.call.close(this.#inside);
      throw error;
    }
    try {
      // Whoever may enter may still be barred from the way back: that is found out before.
      if (libc.call.setns(this.#home, C.CLONE_NEWNET) < 0) throw this.#failure(lastError(libc));
      this.within(() => {}, (error) => {
        throw this.#failure(error);
      });
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * The result of something synchronous that is done in the namespace, or of `barred` if it can't be entered. Failures of
   * what is done must be told apart by the result: `errno` is no longer that of the last call in there.
   */
  within<Result>(work: () => Result, barred: (error: SystemError) => Result): Result {
    const { call } = this.#libc;
    if (call.setns(this.#inside, C.CLONE_NEWNET) < 0) return barred(lastError(this.#libc));
    try {
      return work();
    } finally {
      // A thread that stayed in there would bind the host's next rules in the wrong place: rather stop than go on.
      if (call.setns(this.#home, C.CLONE_NEWNET) < 0) Deno.exit(EXIT_LOST);
    }
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#libc.call.close(this.#inside);
    this.#libc.call.close(this.#home);
  }

  #open(path: string): number {
    const descriptor = this.#libc.call.open(cString(path), C.O_RDONLY | C.O_CLOEXEC);
    if (descriptor < 0) throw this.#failure(lastError(this.#libc));
    return descriptor;
  }

  #failure(error: SystemError): PestoError {
    const advice = ADVICE[error.name];
    const more = advice === undefined ? "" : `; ${advice}`;
    return new PestoError(error.name, `Can't enter network namespace "${this.#path}": ${errorText(error)}${more}`);
  }
}
