/**
 * A control socket's listener over Deno's own sockets, which don't say whose a connection is.
 *
 * @module
 */

import { type ControlConnection, type ControlListener, shortage } from "../control_listener.ts";
import { errorText, systemErrorOf } from "../errno.ts";
import { BACK_OFF, type Episode } from "../episode.ts";

/** Listens at a path; `log` is told when clients can't be let in for a while. */
export function listenPortably(path: string, log: (message: string) => void = () => {}): ControlListener {
  return new PortableControlListener(path, log);
}

class PortableControlListener implements ControlListener {
  readonly #listener: Deno.UnixListener;
  readonly #failing: Episode;
  #open = true;

  constructor(path: string, log: (message: string) => void) {
    this.#listener = Deno.listen({ transport: "unix", path });
    this.#failing = shortage(log, path);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<ControlConnection> {
    while (this.#open) {
      const connection = await this.#accept();
      if (connection !== undefined) yield connection;
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#listener.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  /** The next client; undefined if there may be one later, or none any more. */
  async #accept(): Promise<ControlConnection | undefined> {
    try {
      const connection = await this.#listener.accept();
      this.#failing.end();
      return connection;
    } catch (error) {
      if (!this.#open) return undefined;
      // For want of file descriptors or memory, most likely.
      this.#failing.begin(errorText(systemErrorOf(error)));
      await new Promise((resolve) => setTimeout(resolve, BACK_OFF));
      return undefined;
    }
  }
}
