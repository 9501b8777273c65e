/**
 * The client's side of a control socket: connect, look, update.
 *
 * Theory of operation. The server's first bytes tell the dialect. One connection is one transaction. `connect` reads the listing; a session that is disposed of
 * after that has only looked. `update` and `check` send tables and read the answer, after which the session is used up:
 * the server has closed it.
 *
 *     listed ── update(), check(), stage() ─▶ used up
 *        └────── dispose ───────────────────▶ closed
 *
 * A staged update goes on from there, and takes the connection with it:
 *
 *     accepted ── apply() ─▶ applied ── commit(), rollback() ─▶ settled
 *         └─ dispose: discarded  └─ dispose: rolled back
 *
 * A released server never answers. It drops a table that it doesn't like, and takes any other; a second look, which it
 * grants only when it is done with the first client, tells which of the two it was.
 *
 * @module
 */

import { Channel, gathered, interruptible } from "./codec/channel.ts";
import { RECORD, RECORD_SIZE, VERSION } from "./codec/constants.ts";
import { core } from "./codec/core.ts";
import { DeadlineError, Deadlines } from "./codec/deadlines.ts";
import type { ClientDialect, TableUpdate } from "./codec/dialect.ts";
import { PestoError, ProtocolError } from "./codec/errors.ts";
import { ServerDecoder } from "./codec/detect.ts";
import { type ListedPif, type Listing, readListing } from "./codec/listing.ts";
import { RuleTable } from "./codec/table.ts";
import type { Hello, Rule, ServerEvent, UpdateHeader, UpdateMode } from "./codec/types.ts";
import { type Answer, brokenOff, readAnswer, UpdateError, type UpdateResult } from "./codec/update_result.ts";

export type { ListedPif, Listing } from "./codec/listing.ts";
export { type ReportedPorts, type ReportedRule, UpdateError, type UpdateResult } from "./codec/update_result.ts";

/** How to connect. */
export interface ConnectOptions {
  /** Gives up when aborted, with its reason. */
  readonly signal?: AbortSignal;
  /** Seconds that the server may take for its next bytes; 60 if absent. */
  readonly timeoutSeconds?: number;
}

/** New tables by the name of their pif. Pifs that aren't named keep their rules. */
export type TableEdits = Readonly<Record<string, Iterable<Rule>>>;

/** How tables are to be taken. */
export interface UpdateOptions {
  /** Replace whatever is in force, even if it was changed since it was listed. */
  readonly anyBase?: boolean;
  /** Have the server roll back if it can't deliver the result. */
  readonly rollBackUndelivered?: boolean;
}

/** How tables are to be staged. */
export interface StageOptions {
  /** Replace whatever is in force, even if it was changed since it was listed. */
  readonly anyBase?: boolean;
  /** Seconds that the applied tables wait for their commit before they are rolled back; the server's limit if absent. */
  readonly holdSeconds?: number;
}

/**
 * Connects to a control socket and reads what is listed there.
 *
 * @throws {PestoError} (as a rejection) with the code `unreachable` if nobody listens at `path`
 * @throws {DeadlineError} (as a rejection) if it takes too long, also because of others that wait there
 * @throws {ProtocolError} (as a rejection) if whoever listens there doesn't speak the protocol
 *
 * @example A transaction
 * ```ts
 * import { connect, serve } from "./mod.ts";
 *
 * const path = `${await Deno.makeTempDir()}/control`;
 * await using server = await serve({ path });
 * using session = await connect(path, { timeoutSeconds: 5 });
 * console.log(session.pifs.map(({ name, rules }) => `${name}: ${rules.length}`)); // [ "HOST: 0" ]
 * ```
 */
export async function connect(path: string, options: ConnectOptions = {}): Promise<Session> {
  const decoder = new ServerDecoder();
  using cleanup = new DisposableStack();
  const seconds = options.timeoutSeconds ?? 60;
  // One conversation is a handful of steps, and each has its own limit: the sum needs none.
  const deadlines = cleanup.use(new Deadlines(LONG_SECONDS, seconds, options.signal ?? new AbortController().signal));
  const connecting = deadlines.step((signal) => connectTo(path, signal));
  // Making the core takes as long as a small server needs for its greeting, and that is another process.
  core();
  const connection = await connecting;
  const channel = cleanup.use(new Channel<ServerEvent>(connection, decoder));
  const listing = await readListing(() => deadlines.step((signal) => channel.next(signal)));
  const again = () => look(path, options);
  const session = new Session(decoder.dialect, channel, deadlines, listing, again);
  cleanup.move();
  return session;
}

/**
 * Reads what is listed at a control socket, and hangs up.
 *
 * @throws {PestoError} and {ProtocolError} as {@linkcode connect}
 *
 * @example The rules behind a control socket
 * ```ts
 * import { look, ruleText, serve } from "./mod.ts";
 *
 * const path = `${await Deno.makeTempDir()}/control`;
 * await using server = await serve({ path });
 * for (const { name, rules } of (await look(path)).pifs) console.log(name, rules.map(ruleText)); // HOST []
 * ```
 */
export async function look(path: string, options: ConnectOptions = {}): Promise<Listing> {
  using session = await connect(path, options);
  return { hello: session.hello, pifs: session.pifs };
}

/**
 * Milliseconds between attempts to connect where too many others wait: doubled from one to the other. Not measured: a
 * server empties its backlog in a few, a stopped one should not be asked for nothing.
 */
const SHORTEST_WAIT = 2;
const LONGEST_WAIT = 100;

/** The longest that a timer can be set to, in seconds: 2^31 ms. */
const LONG_SECONDS = 2_147_483;

/**
 * One transaction with a server, made by {@linkcode connect}. Disposing of it hangs up.
 *
 * @example One session, one update
 * ```ts
 * import { connect, serve } from "./mod.ts";
 *
 * const path = `${await Deno.makeTempDir()}/control`;
 * await using server = await serve({ path });
 * using session = await connect(path);
 * const { revision } = await session.update({ HOST: [] });
 * console.log(session.hello.revision < revision); // true
 * ```
 */
export class Session implements Listing, Disposable {
  /** Version, revision and limits of the server. */
  readonly hello: Hello;
  /** In the order in which the server lists them. */
  readonly pifs: readonly ListedPif[];
  readonly #dialect: ClientDialect;
  readonly #channel: Channel<ServerEvent>;
  readonly #deadlines: Deadlines;
  readonly #lookAgain: () => Promise<Listing>;
  #usedUp = false;

  /** Takes the channel and the deadlines over; `lookAgain` reads the listing once more. */
  constructor(
    dialect: ClientDialect,
    channel: Channel<ServerEvent>,
    deadlines: Deadlines,
    listing: Listing,
    lookAgain: () => Promise<Listing>,
  ) {
    this.hello = listing.hello;
    this.pifs = listing.pifs;
    this.#dialect = dialect;
    this.#channel = channel;
    this.#deadlines = deadlines;
    this.#lookAgain = lookAgain;
  }

  /** What the server speaks, and which version of it. */
  get dialect(): { readonly name: "native" | "passt"; readonly version: number } {
    const { name, version } = this.#dialect;
    return { name, version };
  }

  /**
   * Replaces tables, all or nothing: if a rule that isn't weak can't have its sockets, the old tables are in force again.
   *
   * @throws {UpdateError} (as a rejection) if the outcome isn't `done`
   * @throws {PestoError} (as a rejection) with the code `unknown-pif`, before anything is sent
   * @throws {TypeError} (as a rejection) if the session is used up
   *
   * @example Adding a rule to those that are there
   * ```ts
   * import { connect, parseSpecifier, serve } from "./mod.ts";
   *
   * const path = `${await Deno.makeTempDir()}/control`;
   * await using server = await serve({ path });
   * using session = await connect(path);
   * const added = parseSpecifier("127.0.0.28/28081:80", { protocol: "tcp" });
   * const present = session.pifs.find(({ name }) => name === "HOST")?.rules ?? [];
   * const { opened } = await session.update({ HOST: [...present, ...added.kind === "rules" ? added.rules : []] });
   * console.log(opened); // 1
   * ```
   */
  async update(tables: TableEdits, options: UpdateOptions = {}): Promise<UpdateResult> {
    const result = await this.#transact("one-shot", tables, options);
    if (result.outcome !== "done") throw new UpdateError(result);
    return result;
  }

  /**
   * Begins an update in steps: has the tables validated, and touches nothing yet. The session is used up by it.
   *
   * @throws {UpdateError} (as a rejection) if the server refuses the tables
   * @throws {PestoError} and {TypeError} (as rejections) as {@linkcode update}
   *
   * @example Keeping what was applied only if nothing has failed
   * ```ts
   * import { connect, parseSpecifier, serve } from "./mod.ts";
   *
   * const path = `${await Deno.makeTempDir()}/control`;
   * await using server = await serve({ path });
   * using session = await connect(path);
   * const wanted = parseSpecifier("127.0.0.28/28087:80", { protocol: "tcp" });
   * await using update = await session.stage({ HOST: wanted.kind === "rules" ? wanted.rules : [] });
   * const { failed } = await update.apply();
   * // Whoever leaves without a commit has the old table back.
   * if (failed === 0) console.log((await update.commit()).revision); // 2n
   * ```
   */
  async stage(tables: TableEdits, options: StageOptions = {}): Promise<StagedUpdate> {
    using prepared = this.#prepare("staged", tables, options);
    using cleanup = new DisposableStack();
    cleanup.use(this.#hangUp());
    await this.#sendAll(prepared.chunks);
    const answer = await this.#readAnswer();
    if (answer.kind === "result") throw new UpdateError(answer.result);
    cleanup.move();
    return new StagedUpdate({
      signal: (signal) => this.#sendAll([this.#dialect.signal(signal)]),
      within: (wait) => this.#deadlines.step((signal) => interruptible(wait, signal)),
      result: async () => {
        const answer = await this.#readAnswer(this.#deadlines.transaction);
        if (answer.kind === "result") return answer.result;
        throw new ProtocolError("unexpected-frame", "Can't read the result: the server accepted the tables once more");
      },
      hangUp: () => this.#hangUp()[Symbol.dispose](),
    });
  }

  /**
   * Finds out what {@linkcode update} would do, with the binds tried on spare sockets; changes nothing. The result's
   * outcome says whether it would work; it is not thrown.
   *
   * @throws {PestoError} and {TypeError} (as rejections) as {@linkcode update}
   *
   * @example Asking first
   * ```ts
   * import { connect, parseSpecifier, serve } from "./mod.ts";
   *
   * const path = `${await Deno.makeTempDir()}/control`;
   * await using server = await serve({ path });
   * using session = await connect(path);
   * const wanted = parseSpecifier("192.0.2.1/28082", { protocol: "tcp" });
   * const { outcome, sentence } = await session.check({ HOST: wanted.kind === "rules" ? wanted.rules : [] });
   * // This machine doesn't have the address: the update would be rolled back.
   * console.log(outcome, sentence);
   * ```
   */
  check(tables: TableEdits, options: UpdateOptions = {}): Promise<UpdateResult> {
    return this.#transact("check", tables, options);
  }

  /**
   * Decides about the tables that another client has applied and holds. The result's outcome says what came of it; it is
   * not thrown.
   *
   * @throws {TypeError} (as a rejection) if the session is used up
   */
  async settle(decision: "commit" | "rollback"): Promise<UpdateResult> {
    if (this.#usedUp) throw new TypeError("Can't settle: the session is used up, and each takes one update");
    this.#usedUp = true;
    using _connection = this.#hangUp();
    return await this.#ask([this.#dialect.settle(decision)]);
  }

  /** Hangs up. */
  [Symbol.dispose](): void {
    this.#usedUp = true;
    this.#channel[Symbol.dispose]();
    this.#deadlines[Symbol.dispose]();
  }

  async #transact(mode: "one-shot" | "check", edits: TableEdits, options: UpdateOptions): Promise<UpdateResult> {
    using prepared = this.#prepare(mode, edits, options);
    using _connection = this.#hangUp();
    return this.#dialect.answers
      ? await this.#ask(prepared.chunks)
      : await this.#tell(prepared.chunks, prepared.updates);
  }

  /** Everything that can go wrong before anything is sent. Disposing of it frees the tables. */
  #prepare(mode: UpdateMode, edits: TableEdits, options: StageOptions & UpdateOptions): Prepared {
    if (this.#usedUp) throw new TypeError("Can't update: the session is used up, and each takes one update");
    using tables = new DisposableStack();
    const updates = this.#completed(edits).map(([name, rules]): TableUpdate => ({
      pif: this.#pifNamed(name).id,
      table: tables.use(RuleTable.of(rules)),
    }));
    const header = this.#header(mode, updates.length, options);
    const expressible = this.#dialect.expressible(header, updates, this.pifs);
    if (expressible.kind === "inexpressible") throw new PestoError(expressible.code, expressible.message);
    this.#usedUp = true;
    const held = tables.move();
    return {
      updates,
      chunks: this.#dialect.update(header, updates),
      [Symbol.dispose]: () => held.dispose(),
    };
  }

  /** Hangs up when it is disposed of. */
  #hangUp(): Disposable {
    return { [Symbol.dispose]: () => this[Symbol.dispose]() };
  }

  /** The edits, and where the dialect wants all tables in one update, the others as they are, in the listing's order. */
  #completed(edits: TableEdits): [string, Iterable<Rule>][] {
    for (const name of Object.keys(edits)) this.#pifNamed(name);
    if (!this.#dialect.namesAllPifs) return Object.entries(edits);
    return this.pifs.map(({ name, rules }) => [name, edits[name] ?? rules]);
  }

  /** Sends an update and reads what became of it. */
  async #ask(chunks: Iterable<Uint8Array>): Promise<UpdateResult> {
    // The server may refuse, and close, while the tables are still being sent.
    const sent = this.#sendAll(chunks);
    const answer = this.#readAnswer();
    answer.catch(() => {});
    await sent;
    const settled = await answer;
    if (settled.kind === "result") return settled.result;
    throw new ProtocolError(
      "unexpected-frame",
      "Can't take \"accepted\" from the server: the update isn't a staged one",
    );
  }

  /** Sends what the server is ready to take; what it says when it isn't tells more than the broken pipe. */
  async #sendAll(chunks: Iterable<Uint8Array>): Promise<void> {
    try {
      await this.#send(chunks);
    } catch (error) {
      if (!isBroken(error)) throw error;
    }
  }

  /** Sends an update to a server that won't say what became of it, and looks. */
  async #tell(chunks: Iterable<Uint8Array>, updates: readonly TableUpdate[]): Promise<UpdateResult> {
    await this.#sendAll(chunks);
    this.#channel[Symbol.dispose]();
    const { hello: { revision }, pifs } = await this.#lookAgain();
    const nothing = { revision, kept: 0, opened: 0, retired: 0, failed: 0, rebound: 0, rules: [], failures: [] };
    const rulesOf = (pif: number) => pifs.find(({ id }) => id === pif)?.rules ?? [];
    if (updates.every(({ pif, table }) => isSameTable(table, rulesOf(pif)))) {
      return { ...nothing, outcome: "done", code: "none", sentence: "" };
    }
    const unchanged = this.pifs.every(({ id, rules }) => {
      using before = RuleTable.of(rules);
      return isSameTable(before, rulesOf(id));
    });
    return unchanged
      ? {
        ...nothing,
        outcome: "rejected",
        code: "refused",
        sentence: "Can't update the table: the server refused it, and doesn't say why",
      }
      : {
        ...nothing,
        outcome: "stale",
        code: "stale-revision",
        sentence: "Can't tell whether the table was updated: another client has changed it at the same time",
      };
  }

  #header(mode: UpdateMode, pifCount: number, options: StageOptions & UpdateOptions): UpdateHeader {
    const header = {
      version: VERSION,
      mode,
      rollBackUndelivered: options.rollBackUndelivered ?? false,
      holdSeconds: options.holdSeconds ?? 0,
      pifCount,
    };
    return options.anyBase ? header : { ...header, base: this.hello.revision };
  }

  async #send(chunks: Iterable<Uint8Array>): Promise<void> {
    for (const chunk of gathered(chunks)) await this.#deadlines.step((signal) => this.#channel.send([chunk], signal));
  }

  /** The first event of a report may take as long as `patience` says, if given. */
  #readAnswer(patience?: AbortSignal): Promise<Answer> {
    return readAnswer((first) => this.#nextEvent(first ? patience : undefined), (id) => this.#pifName(id));
  }

  async #nextEvent(patience: AbortSignal | undefined): Promise<ServerEvent | undefined> {
    try {
      if (patience !== undefined) return await this.#channel.next(patience);
      return await this.#deadlines.step((signal) => this.#channel.next(signal));
    } catch (cause) {
      throw isBroken(cause) ? brokenOff(cause) : cause;
    }
  }

  #pifNamed(name: string): ListedPif {
    const pif = this.pifs.find((pif) => pif.name === name);
    if (pif !== undefined) return pif;
    const known = this.pifs.map(({ name }) => `"${name}"`).join(", ");
    throw new PestoError("unknown-pif", `Can't update pif "${name}": the server has ${known || "none"}`);
  }

  #pifName(id: number): string {
    return this.pifs.find((pif) => pif.id === id)?.name ?? String(id);
  }
}

/** An update that is ready to be sent. */
interface Prepared extends Disposable {
  readonly updates: readonly TableUpdate[];
  readonly chunks: Iterable<Uint8Array>;
}

/** What a staged update needs of its connection. */
interface StagedConnection {
  signal(signal: "apply" | "commit" | "rollback"): Promise<void>;
  /** The next result, however long it takes. Only one may be waited for at a time. */
  result(): Promise<UpdateResult>;
  /** The same promise, for as long as one step may take. */
  within<T>(wait: Promise<T>): Promise<T>;
  hangUp(): void;
}

/**
 * An update in steps, made by {@linkcode Session.stage}: its tables are valid, and nothing is touched yet. Disposing of it
 * before a commit leaves, or brings back, the old tables.
 */
export class StagedUpdate implements AsyncDisposable {
  readonly #connection: StagedConnection;
  /** What the server says last, waited for once, whoever wants to know it. */
  #end: Promise<UpdateResult> | undefined;
  #state: "accepted" | "applied" | "settled" = "accepted";

  /** Takes the connection over. */
  constructor(connection: StagedConnection) {
    this.#connection = connection;
  }

  /**
   * Brings the sockets to the new tables. The result says which have failed, if any: its outcome is `done` all the same,
   * and whether that is good enough is the caller's to decide.
   *
   * @throws {UpdateError} (as a rejection) if the server refuses, being busy or the table stale by now
   */
  async apply(): Promise<UpdateResult> {
    this.#demand("accepted", "apply");
    await this.#connection.signal("apply");
    const result = await this.#connection.within(this.#connection.result());
    if (result.outcome === "done") {
      this.#state = "applied";
      return result;
    }
    this.#settle();
    throw new UpdateError(result);
  }

  /**
   * Keeps the new tables.
   *
   * @throws {UpdateError} (as a rejection) if it is too late, and the old tables are in force again
   */
  async commit(): Promise<UpdateResult> {
    const result = await this.#decide("commit");
    if (result.outcome !== "done") throw new UpdateError(result);
    return result;
  }

  /** Brings the old tables back. The result's outcome is `rolled-back`, or `rollback-incomplete` if ports were lost. */
  rollback(): Promise<UpdateResult> {
    return this.#decide("rollback");
  }

  /**
   * What came of the applied tables when somebody else decides about them, or time is up: resolves when that has happened,
   * and the update is settled then. Wait for it beside whatever else may decide.
   */
  async settled(): Promise<UpdateResult> {
    this.#demand("applied", "wait");
    const result = await this.#awaitEnd();
    this.#settle();
    return result;
  }

  /** Rolls back what was applied and not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#state === "applied") await this.rollback();
    } catch {
      // Whoever can't be told rolls back because of the hang-up.
    } finally {
      this.#settle();
    }
  }

  async #decide(signal: "commit" | "rollback"): Promise<UpdateResult> {
    // Somebody else may have decided a moment before: what the server has said is what happened.
    if (this.#state === "settled" && this.#end !== undefined) return await this.#end;
    this.#demand("applied", signal);
    try {
      await this.#connection.signal(signal);
      return await this.#connection.within(this.#awaitEnd());
    } finally {
      this.#settle();
    }
  }

  #awaitEnd(): Promise<UpdateResult> {
    return this.#end ??= this.#connection.result();
  }

  #demand(state: "accepted" | "applied", what: string): void {
    if (this.#state === state) return;
    throw new TypeError(`Can't ${what}: the update is ${this.#state}, and must be ${state}`);
  }

  #settle(): void {
    this.#state = "settled";
    this.#connection.hangUp();
  }
}

/**
 * Decides about the tables that another client has applied and holds: {@linkcode StagedUpdate.settled} tells it there.
 *
 * @throws {UpdateError} (as a rejection) with the code `nothing-held` if no applied tables wait, or if they could not be
 * committed
 * @throws {PestoError} and {ProtocolError} (as rejections) as {@linkcode connect}
 *
 * @example
 * ```ts
 * import { connect, serve, settle } from "./mod.ts";
 *
 * await using server = await serve({ path: `${await Deno.makeTempDir()}/control` });
 * using session = await connect(server.path);
 * await using update = await session.stage({ HOST: [] });
 * await update.apply();
 * const [here, there] = await Promise.all([update.settled(), settle(server.path, "commit")]);
 * console.log(here.outcome, there.outcome, server.revision);
 * ```
 */
export async function settle(
  path: string,
  decision: "commit" | "rollback",
  options: ConnectOptions = {},
): Promise<UpdateResult> {
  using session = await connect(path, options);
  const result = await session.settle(decision);
  if (result.outcome === (decision === "commit" ? "done" : "rolled-back")) return result;
  throw new UpdateError(result);
}

/** Connects; as long as there is no room among those who wait to be let in, it waits for some. */
async function connectTo(path: string, signal: AbortSignal): Promise<Deno.Conn> {
  for (let wait = SHORTEST_WAIT;; wait = Math.min(2 * wait, LONGEST_WAIT)) {
    try {
      return await Deno.connect({ transport: "unix", path });
    } catch (cause) {
      if (!(cause instanceof Deno.errors.WouldBlock)) {
        const reason = reasonOf(cause, path);
        throw new PestoError("unreachable", `Can't connect to the control socket "${path}": ${reason}`, { cause });
      }
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, wait);
    try {
      await interruptible(promise, signal);
    } catch (error) {
      if (!(error instanceof DeadlineError)) throw error;
      throw new DeadlineError(error.code, `Can't connect to the control socket "${path}": too many others wait there`);
    } finally {
      clearTimeout(timer);
    }
  }
}

function reasonOf(error: unknown, path: string): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "this user may not connect to it";
  if (error instanceof Deno.errors.ConnectionRefused) {
    return isSocket(path) ? "nobody listens there" : "it is no socket";
  }
  // What the system says of a path beyond the 107 bytes that an address has room for.
  if (new TextEncoder().encode(path).length > 107) {
    return "it is longer than the 107 bytes that a socket's path may have";
  }
  return error instanceof Error ? error.message : String(error);
}

function isSocket(path: string): boolean {
  try {
    return Deno.statSync(path).isSocket ?? false;
  } catch {
    return false;
  }
}

/** Whether a table has these rules in this order, whatever their status. */
function isSameTable(table: RuleTable, rules: readonly Rule[]): boolean {
  using other = RuleTable.of(rules);
  if (other.length !== table.length) return false;
  const [a, b] = [table.records(), other.records()];
  return a.every((byte, index) => index % RECORD_SIZE >= RECORD.STATUS || byte === b[index]);
}

function isBroken(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset;
}
