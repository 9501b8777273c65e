/**
 * What a control socket is made of: something that listens, and the connections of its clients. `linux/` has the one that
 * knows who its clients are, `portable/` the one that works anywhere.
 *
 * @module
 */

import type { Connection } from "../codec/channel.ts";
import { Episode } from "./episode.ts";

/** A client's process, as the kernel knew it when it connected. Where a namespace hides a user or process, it says so. */
export interface Peer {
  /** Effective user; 65534 for one that this user namespace doesn't know. */
  readonly uid: number;
  /** Effective group, as above. */
  readonly gid: number;
  /** Process; 0 for one that this process namespace doesn't show. */
  readonly pid: number;
}

/**
 * A client's connection. Once the other side has gone, `write` rejects with `Deno.errors.BrokenPipe`; `read` rejects with
 * `Deno.errors.ConnectionReset` if bytes for it were lost by that. What is written before `close` arrives.
 */
export interface ControlConnection extends Connection {
  /** Absent where the system can't be asked. */
  readonly peer?: Peer;
}

/**
 * A listening UNIX socket. Iterating it gives its clients as they come, and ends when it is closed; whoever takes one
 * closes its connection. Disposing of it closes it, once they have, and resolves when the system has all of it back.
 */
export interface ControlListener extends AsyncIterable<ControlConnection>, AsyncDisposable {
  /** Effective user of this process; absent where connections don't say whose they are. */
  readonly ownUid?: number;
  /** Lets no further client in. Its connections go on. Harmless when repeated. */
  close(): void;
}

/** Makes a socket file at a path and listens there, at once. Throws what the system says, for people. */
export type Listen = (path: string) => ControlListener;

/** What is said when clients can't be let in at a path, for want of file descriptors or memory. */
export function shortage(log: (message: string) => void, path: string): Episode {
  return new Episode(log, `Can't let more clients in at "${path}"`);
}
