/**
 * Telling whoever has started `pesto serve` when its sockets stand, in the two ways that supervisors know:
 *
 * - `--ready-fd N`, as s6 and others want it: a newline on a descriptor that they have opened, which is then closed.
 * - The environment variable NOTIFY_SOCKET, as systemd and container engines want it (sd_notify): READY=1 when the sockets
 *   stand, STOPPING=1 when it ends.
 *
 * What a supervisor can't be told is logged, and hinders nothing.
 *
 * @module
 */

import { PestoError } from "../codec/errors.ts";
import { givenDescriptor, linuxAvailable, sendDatagram, writeAndClose } from "../sync/linux.ts";
import { UsageError } from "./arguments.ts";
import { errorMessage } from "./error_text.ts";

/** The variable that names the socket of a supervisor. */
const NOTIFY_SOCKET = "NOTIFY_SOCKET";
/** Milliseconds between attempts when a supervisor is too busy to take a datagram, and after how many it is given up. */
const RETRY = 50;
const ATTEMPTS = 20;

/** Whoever has started the program. */
export class Supervisor {
  readonly #readyDescriptor: number | undefined;
  readonly #socket: string | undefined;
  readonly #log: (message: string) => void;

  /**
   * Finds out who wants to be told.
   *
   * @param readyDescriptor what `--ready-fd` says
   * @throws {UsageError} if that isn't a descriptor that the program was given, or it can't be used here
   */
  constructor(readyDescriptor: number | undefined, log: (message: string) => void) {
    if (readyDescriptor !== undefined) demandGiven(readyDescriptor);
    this.#readyDescriptor = readyDescriptor;
    this.#log = log;
    this.#socket = namedSocket();
  }

  /** The sockets stand. To be called once. Never rejects. */
  async ready(path: string): Promise<void> {
    if (this.#readyDescriptor !== undefined) {
      try {
        writeAndClose(this.#readyDescriptor, "\n");
      } catch (error) {
        this.#log(errorMessage(error));
      }
    }
    // Whatever the path has in it, the assignments are separated by newlines.
    await this.#notify(`READY=1\nSTATUS=Control socket ${JSON.stringify(path)}`);
  }

  /** The program is about to end. Never rejects. */
  async stopping(): Promise<void> {
    await this.#notify("STOPPING=1");
  }

  async #notify(text: string): Promise<void> {
    if (this.#socket === undefined) return;
    try {
      await send(this.#socket, text);
    } catch (error) {
      this.#log(`Can't tell the supervisor that ${NOTIFY_SOCKET} names: ${errorMessage(error)}`);
    }
  }
}

async function send(socket: string, text: string): Promise<void> {
  const available = linuxAvailable();
  if (available.kind === "unavailable") throw new PestoError("backend-unavailable", available.reason);
  for (let attempt = 1;; attempt++) {
    try {
      return sendDatagram(socket, text);
    } catch (error) {
      if (!(error instanceof PestoError && error.code === "EAGAIN") || attempt === ATTEMPTS) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY));
  }
}

function demandGiven(descriptor: number): void {
  const refused = (reason: string) => new UsageError(`Can't take "--ready-fd ${descriptor}": ${reason}`);
  const available = linuxAvailable();
  if (available.kind === "unavailable") throw refused(available.reason);
  const given = givenDescriptor(descriptor);
  switch (given) {
    case "writable":
      return;
    case "read-only":
      throw refused("it is open for reading, and must be for writing");
    case "not-given":
      throw refused("whoever starts the program must have opened it, and has not");
    default:
      given satisfies never;
  }
}

function namedSocket(): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: NOTIFY_SOCKET });
  return state === "granted" ? Deno.env.get(NOTIFY_SOCKET) || undefined : undefined;
}
