/**
 * The committed tables in a file, so that a server comes back with them.
 *
 * Theory of operation. A state is written to a new file beside the old one, brought to the disk, and then renamed over
 * it: whenever the machine or the program stops, the path holds one whole state or the other. Writes are made one at a
 * time and always of the newest state; states that were overtaken while one was written are never written at all.
 *
 * The format, all integers big-endian: the magic `pesto:t` and a zero byte; version u32 (1); revision u64; count of pifs
 * u32; for each pif its name (128 bytes, zero-padded), rule count u32, and records of 64 bytes as in PROTOCOL.md with
 * status 0; at the end the SHA-256 of everything before. A file that isn't exactly that is refused and left as it is.
 *
 * @module
 */

import { PIF_NAME_SIZE, RECORD, RECORD_SIZE, RECORDS_PER_FRAME } from "../codec/constants.ts";
import { PestoError } from "../codec/errors.ts";
import { RuleTable } from "../codec/table.ts";
import { Slices } from "./slices.ts";

const MAGIC = new TextEncoder().encode("pesto:t\0");
const VERSION = 1;
/** Magic, version, revision, count of pifs. */
const HEAD_SIZE = 24;
const DIGEST_SIZE = 32;

/** What is kept: tables by the names of their pifs, since ids may be given out anew. */
export interface State {
  readonly revision: bigint;
  readonly tables: ReadonlyMap<string, RuleTable>;
}

/**
 * Reads a state; `undefined` if there is no file.
 *
 * @throws {PestoError} (as a rejection) with the code `state-file` if the file can't be read or isn't a whole state
 */
export async function readState(path: string): Promise<State | undefined> {
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await Deno.readFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw failure("read", path, cause instanceof Error ? cause.message : String(cause), cause);
  }
  const body = bytes.subarray(0, Math.max(0, bytes.length - DIGEST_SIZE));
  if (!startsWith(bytes, MAGIC)) {
    throw failure("read", path, "it isn't a state file of pesto; move it away to start without");
  }
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  if (!startsWith(bytes.subarray(body.length), digest)) {
    throw failure("read", path, "it is damaged; restore it, or move it away to start without");
  }
  const fields = new DataView(body.buffer, body.byteOffset, body.byteLength);
  if (fields.getUint32(8) !== VERSION) {
    throw failure("read", path, `it has version ${fields.getUint32(8)}, and must have ${VERSION}`);
  }
  const tables = new Map<string, RuleTable>();
  let at = HEAD_SIZE;
  for (let left = fields.getUint32(20); left > 0; left--) {
    const name = new TextDecoder().decode(body.subarray(at, at + PIF_NAME_SIZE)).replace(/\0*$/, "");
    const size = fields.getUint32(at + PIF_NAME_SIZE) * RECORD_SIZE;
    at += PIF_NAME_SIZE + 4;
    tables.set(name, RuleTable.ofRecords(body.subarray(at, at + size)));
    at += size;
  }
  return { revision: fields.getBigUint64(12), tables };
}

/** Writes states to one path. */
export class StateFile {
  readonly #path: string;
  #next: HeldState | undefined;
  #writing: Promise<void> | undefined;

  /** Nothing is written before {@linkcode write}. */
  constructor(path: string) {
    this.#path = path;
  }

  /**
   * Resolves when this state, or a newer one, is on the disk. The tables are held until then, and may be disposed of at
   * once.
   *
   * @throws {PestoError} (as a rejection) with the code `state-file` if it can't be written; the old file is as it was
   */
  async write(state: State): Promise<void> {
    this.#next?.[Symbol.dispose]();
    this.#next = new HeldState(state);
    while (this.#next !== undefined || this.#writing !== undefined) {
      this.#writing ??= this.#writeNext();
      await this.#writing;
    }
  }

  async #writeNext(): Promise<void> {
    using state = this.#next;
    this.#next = undefined;
    try {
      if (state !== undefined) await replaceFile(this.#path, await encode(state));
    } finally {
      this.#writing = undefined;
    }
  }
}

/** A state with tables of its own. */
class HeldState implements State, Disposable {
  readonly revision: bigint;
  readonly tables: ReadonlyMap<string, RuleTable>;

  constructor({ revision, tables }: State) {
    this.revision = revision;
    this.tables = new Map([...tables].map(([name, table]) => [name, table.share()]));
  }

  [Symbol.dispose](): void {
    for (const table of this.tables.values()) table[Symbol.dispose]();
  }
}

/** The file of a state, but for its digest; made in slices. */
async function encode({ revision, tables }: State): Promise<Uint8Array<ArrayBuffer>> {
  const slices = new Slices();
  const size = [...tables.values()].reduce(
    (sum, { length }) => sum + PIF_NAME_SIZE + 4 + length * RECORD_SIZE,
    HEAD_SIZE,
  );
  const bytes = new Uint8Array(size);
  const fields = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  fields.setUint32(8, VERSION);
  fields.setBigUint64(12, revision);
  fields.setUint32(20, tables.size);
  let at = HEAD_SIZE;
  for (const [name, table] of tables) {
    bytes.set(new TextEncoder().encode(name), at);
    fields.setUint32(at + PIF_NAME_SIZE, table.length);
    at += PIF_NAME_SIZE + 4;
    for (let from = 0; from < table.length; from += RECORDS_PER_FRAME) {
      const to = Math.min(from + RECORDS_PER_FRAME, table.length);
      table.copyRecords(from, to, bytes.subarray(at));
      for (let rule = from; rule < to; rule++, at += RECORD_SIZE) fields.setBigUint64(at + RECORD.STATUS, 0n);
      if (slices.over()) await slices.next();
    }
  }
  return bytes;
}

async function replaceFile(path: string, body: Uint8Array<ArrayBuffer>): Promise<void> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", body));
  const beside = `${path}.${Deno.pid}`;
  try {
    {
      using file = await Deno.open(beside, { write: true, create: true, truncate: true, mode: 0o600 });
      await writeAll(file, body);
      await writeAll(file, digest);
      await file.sync();
    }
    await Deno.rename(beside, path);
  } catch (cause) {
    await Deno.remove(beside).catch(() => {});
    throw failure("write", path, cause instanceof Error ? cause.message : String(cause), cause);
  }
  await syncFolder(path);
}

/** Brings the new name to the disk, too; some file systems can't, and need nothing of the kind. */
async function syncFolder(path: string): Promise<void> {
  try {
    using folder = await Deno.open(path.includes("/") ? path.replace(/\/[^/]*$/, "/") : ".");
    await folder.sync();
  } catch {
    // The file itself is whole either way.
  }
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let sent = 0; sent < bytes.length;) sent += await file.write(bytes.subarray(sent));
}

function startsWith(bytes: Uint8Array, start: Uint8Array): boolean {
  return bytes.length >= start.length && start.every((byte, index) => byte === bytes[index]);
}

function failure(what: "read" | "write", path: string, reason: string, cause?: unknown): PestoError {
  return new PestoError("state-file", `Can't ${what} the state file "${path}": ${reason}`, { cause });
}
