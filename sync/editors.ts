/**
 * Who may change rules. Whoever may connect to a control socket, which the mode of its file decides, may look.
 *
 * @module
 */

import { printable } from "../codec/printable.ts";
import type { Peer } from "./control_listener.ts";
import { readSystemFile } from "./linux/system_file.ts";
import { Refusal } from "./refusal.ts";

/**
 * Users that may change rules, beside root and the one that the server runs as: none (`"owner"`), those with these numeric
 * ids, or all that may connect (`"anyone"`).
 */
export type MayUpdate = "owner" | "anyone" | readonly number[];

const ROOT = 0;
/** The greatest user id; the one above it means "none". */
export const MAX_UID = 0xffff_fffe;

/**
 * Looks at an option before it is used.
 *
 * @throws {RangeError} if one of the ids can't be one
 */
export function checkMayUpdate(mayUpdate: MayUpdate): void {
  if (typeof mayUpdate === "string") return;
  for (const uid of mayUpdate) {
    if (Number.isInteger(uid) && uid >= 0 && uid <= MAX_UID) continue;
    throw new RangeError(`Can't let user "${uid}" change rules: it must be a whole number from 0 to ${MAX_UID}`);
  }
}

/** Those who may change rules through one control socket. */
export class Editors {
  /** Absent for everybody. */
  readonly #uids: ReadonlySet<number> | undefined;

  /** @param ownUid effective user of the server; absent where it can't be told which user a client is */
  constructor(mayUpdate: MayUpdate, ownUid: number | undefined) {
    if (mayUpdate === "anyone" || ownUid === undefined) return;
    this.#uids = new Set([ROOT, ownUid, ...mayUpdate === "owner" ? [] : mayUpdate]);
  }

  /** @throws {Refusal} if this client may only look */
  demand(peer: Peer | undefined): void {
    if (this.#uids === undefined || (peer !== undefined && this.#uids.has(peer.uid))) return;
    const uids = [...this.#uids].toSorted((a, b) => a - b);
    const last = uids.pop();
    const those = uids.length === 0 ? `user ${last}` : `users ${uids.join(", ")} and ${last}`;
    throw new Refusal(
      "rejected",
      "permission",
      `Can't change the rules as user "${peer?.uid}": only ${those} may, others may look`,
    );
  }
}

/** One client, as far as it wants to change rules. */
export class Editor {
  readonly #editors: Editors;
  readonly #peer: Peer | undefined;
  #byline: string | undefined;

  /** `peer` is absent where the system can't be asked. */
  constructor(editors: Editors, peer: Peer | undefined) {
    this.#editors = editors;
    this.#peer = peer;
  }

  /** Who it is, for the end of a line in the log, as ` (by uid 1000, pid 1234, pesto)`; empty if that isn't known. */
  get byline(): string {
    return this.#byline ??= byline(this.#peer);
  }

  /** @throws {Refusal} if it may only look */
  demand(): void {
    // Looked up while its process is there: many a client doesn't wait for an answer.
    void this.byline;
    this.#editors.demand(this.#peer);
  }
}

function byline(peer: Peer | undefined): string {
  if (peer === undefined) return "";
  const name = processName(peer.pid);
  const parts = [`uid ${peer.uid}`, ...peer.pid > 0 ? [`pid ${peer.pid}`] : [], ...name === undefined ? [] : [name]];
  return ` (by ${parts.join(", ")})`;
}

/** What the kernel calls a process, in at most 15 bytes; undefined if it has ended, or is hidden. */
function processName(pid: number): string | undefined {
  if (pid <= 0) return undefined;
  try {
    return printable(readSystemFile(`/proc/${pid}/comm`).trimEnd());
  } catch {
    return undefined;
  }
}
