/**
 * A stand-in for a released server: it lists, takes what a client sends until that hangs up, never answers, and serves
 * one client at a time.
 *
 * @module
 */

import type { PifTable } from "../../codec/dialect.ts";
import { passtServer } from "../../codec/passt.ts";
import type { PasstVersion } from "../../codec/passt_record.ts";
import { RuleTable } from "../../codec/table.ts";
import type { Rule } from "../../codec/types.ts";
import { concat } from "../bytes.ts";
import { fromHex, toHex } from "../hex.ts";
import { listedPifs, sentTables } from "../recordings.ts";

/** What is listed next, given what was listed before and what the client then sent, in hexadecimal; empty to hang up. */
export type Answering = (listed: string, sent: string) => string;

/** A UNIX socket in a temporary folder; disposing of it removes both. */
export class ReleasedServer implements AsyncDisposable {
  readonly path: string;
  /** What each client sent, in hexadecimal, in order; those that are done. */
  readonly sent: string[] = [];
  /** Wakes up whoever waits for a client to be done. */
  #wake = Promise.withResolvers<void>();
  readonly #directory: string;
  readonly #listener: Deno.UnixListener;
  readonly #served: Promise<void>;

  private constructor(directory: string, listing: string, answering: Answering) {
    this.#directory = directory;
    this.path = `${directory}/control`;
    this.#listener = Deno.listen({ transport: "unix", path: this.path });
    this.#served = this.#serve(listing, answering);
  }

  /** One that lists these bytes, and after each client what `answering` says. */
  static async start(listing: string, answering: Answering): Promise<ReleasedServer> {
    return new ReleasedServer(await Deno.makeTempDir({ prefix: "pesto-released-" }), listing, answering);
  }

  /** What the first client sent, once it has hung up. */
  async firstSent(): Promise<string> {
    for (;;) {
      const [first] = this.sent;
      if (first !== undefined) return first;
      await this.#wake.promise;
    }
  }

  async #serve(first: string, answering: Answering): Promise<void> {
    let listing = first;
    for await (const connection of this.#listener) {
      const sent = await converse(connection, fromHex(listing));
      listing = answering(listing, sent);
      this.sent.push(sent);
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#served;
    await Deno.remove(this.#directory, { recursive: true });
  }
}

/** Sends the listing and collects what comes until the other side hangs up. */
async function converse(connection: Deno.Conn, listing: Uint8Array): Promise<string> {
  using _connection = connection;
  if (listing.length === 0) return "";
  let sent = "";
  try {
    await connection.write(listing);
    const buffer = new Uint8Array(65536);
    for (let size = await connection.read(buffer); size !== null; size = await connection.read(buffer)) {
      sent += toHex(buffer.subarray(0, size));
    }
  } catch (error) {
    // A client may hang up without having read everything.
    if (!(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return sent;
}

/** A pif of a stand-in. */
export interface ListedTable {
  readonly id: number;
  readonly name: string;
  readonly capabilities: number;
  readonly rules: readonly Rule[];
}

/** What a released server of that version lists, in hexadecimal. */
export function listingOf(version: PasstVersion, pifs: readonly ListedTable[]): string {
  using stack = new DisposableStack();
  const tables = pifs.map(({ id, name, capabilities, rules }): PifTable => ({
    header: { id, name, capabilities },
    table: stack.use(RuleTable.of(rules)),
    failures: [],
  }));
  const nothing = {
    version,
    minCompat: version,
    features: 0,
    revision: 0n,
    maxPifs: 0,
    maxRules: 0,
    maxSockets: 0,
    transactionSeconds: 0,
    holdSeconds: 0,
  };
  return toHex(concat([...passtServer(version).greeting(nothing, tables)]));
}

/** Takes every table that it is sent. */
export function taking(version: PasstVersion): Answering {
  return (listed, sent) => {
    if (sent === "") return listed;
    const tables = sentTables(sent, version);
    return listingOf(version, listedPifs(listed).pifs.map((pif) => ({ ...pif, rules: tables.get(pif.id) ?? [] })));
  };
}

/** Drops every table that it is sent. */
export function refusing(listed: string): string {
  return listed;
}
