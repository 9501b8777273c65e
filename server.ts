/**
 * The control server: it shows the rule tables to whoever connects to its control socket, and swaps them in
 * transactions.
 *
 * Theory of operation. Every connection is one conversation, served beside all others:
 *
 *     greeting ─▶ receiving ─▶ (check) ─ trying ────────────────────────────────▶ reporting ─▶ closed
 *         │           ├─────▶ (one-shot) ─ applying ────────────────────────────▶ reporting
 *         │           └─────▶ (staged) ─ accepted ─ applying ─ applied ─ settling ─▶ reporting
 *         ├─ (COMMIT, ROLLBACK) ─ settling another's table ─▶ reporting
 *         └─ hung up: it only looked
 *
 * Up to `receiving` nothing but the connection's own shadow tables is touched. `trying` and everything from `applying`
 * on has the turn (`sync/turns.ts`). A hang-up before APPLY discards the shadow; between APPLY and COMMIT it rolls back;
 * after a one-shot table it changes nothing, unless the client asked for it.
 *
 * What may race: the table in force, between any two awaits. So the base revision is checked when an update begins, when
 * it is complete, and when it has the turn.
 *
 * Bounds: each read and write has a deadline and each conversation too, each client has a budget of bytes, and so have
 * all shadow tables together. A control socket talks with so many clients at a time (`sync/room.ts`), and all of them
 * together take no more steps than leave the event loop to relaying (`sync/pace.ts`).
 *
 * @module
 */

import { Channel, gathered } from "./codec/channel.ts";
import { FEATURE, MAX_PIFS, MAX_RULES, MAX_SOCKETS, MIN_COMPAT, RECORD_SIZE, VERSION } from "./codec/constants.ts";
import { DeadlineError, Deadlines } from "./codec/deadlines.ts";
import type { Report, ServerDialect } from "./codec/dialect.ts";
import { ProtocolError } from "./codec/errors.ts";
import { nativeServer } from "./codec/native.ts";
import { passtServer } from "./codec/passt.ts";
import { RuleTable } from "./codec/table.ts";
import type { ClientEvent, Outcome, Rule, UpdateHeader, Verdict } from "./codec/types.ts";
import { type Arrival, Arrivals } from "./sync/arrivals.ts";
import { composeReport } from "./sync/compose_report.ts";
import { controlListening } from "./sync/backends.ts";
import type { ControlConnection } from "./sync/control_listener.ts";
import { ControlSocket } from "./sync/control_socket.ts";
import { checkMayUpdate, Editor, Editors, type MayUpdate } from "./sync/editors.ts";
import { endpointText } from "./sync/endpoint.ts";
import { Exclusive } from "./sync/exclusive.ts";
import { type AppliedChange, type ChangeReport, Forwarder, type Tables } from "./sync/forwarder.ts";
import { type Decision, Held, type Holding } from "./sync/held.ts";
import { localAddresses } from "./sync/local_addresses.ts";
import { Pace, paced } from "./sync/pace.ts";
import { makePifs, type PifOptions, type PifsOptions } from "./sync/pifs.ts";
import { rebase } from "./sync/rebase.ts";
import { invalidity, Refusal, refusalOf } from "./sync/refusal.ts";
import { Room } from "./sync/room.ts";
import { Shadow, ShadowBudget } from "./sync/shadow.ts";
import { startTables, startWith, stateOf } from "./sync/start.ts";
import { readState, StateFile } from "./sync/state_file.ts";
import { type Turn, Turns } from "./sync/turns.ts";

export type { MayUpdate, PifOptions, PifsOptions };

/** What a server is made from. */
export interface ServeOptions extends Omit<PifsOptions, "log"> {
  /** Where the control socket is to be. A dead socket there is replaced, a live one never. */
  readonly path: string;
  /** Where another control socket is to be, for clients that speak the released programs' protocol. */
  readonly passtPath?: string;
  /** Which version of that protocol is spoken there: 2, the default, has target addresses; older clients know only 1. */
  readonly passtVersion?: 1 | 2;
  /**
   * Where committed tables are kept. If there is such a file, the server starts with the tables in it, for the pifs that it
   * names, and `rules` is for the others. A file that isn't one, or is damaged, is refused and left as it is.
   */
  readonly statePath?: string;
  /** Rules to start with, by pif name. */
  readonly rules?: Readonly<Record<string, Iterable<Rule>>>;
  /** Seconds that one conversation on the control socket may take; 60 if absent. */
  readonly transactionSeconds?: number;
  /** Seconds that a client may leave the server waiting for its next bytes; 10 if absent. */
  readonly readSeconds?: number;
  /**
   * How clients that edit at the same time are kept apart: `optimistic`, the default, serves them side by side and tells
   * all but the fastest that their base is stale; `exclusive` greets one only when the one before has gone.
   */
  readonly concurrency?: "optimistic" | "exclusive";
  /**
   * Which users may change rules, beside root and the one that the server runs as; `"owner"` if absent. Whoever else may
   * connect may look. Where the system doesn't say which user a client is, all that may connect may change rules, and a
   * list of users is refused.
   */
  readonly mayUpdate?: MayUpdate;
  /** Told what an operator wants to know; one sentence each. */
  readonly log?: (message: string) => void;
}

/** Bytes that all tables being received may take together; a single one always may, whatever its size. */
const SHADOW_BYTES = 64 * 1024 * 1024;
/** Frame headers and fixed fields of one transaction are less than this many bytes, whatever its tables. */
const OVERHEAD_BYTES = 64 * 1024;
/**
 * Clients that one control socket talks with at a time. 70 KB were measured for each that is silent, 72 MB for all of
 * them; and of the 20,000 files that a program may have where that was measured, two sockets take a tenth.
 */
const MAX_CLIENTS = 1024;
/** The most seconds that an applied table may wait for its commit. */
const HOLD_SECONDS = 3600;
/**
 * Milliseconds between two looks at what has changed around the server: which ports the targets of scan rules listen on
 * (the released servers look as often), and whether lost ports are free again.
 */
const TEND_INTERVAL = 1000;
const ALL_FEATURES = Object.values(FEATURE).reduce((bits, bit) => bits | bit, 0);

/**
 * Starts a forwarder with its control server. It serves until it is disposed of.
 *
 * @throws {RangeError} (as a rejection) if a number among the options is out of range
 * @throws {TableError} (as a rejection) if the rules to start with aren't valid
 * @throws {PestoError} (as a rejection) with the code `bind-failed` if they can't have their sockets, `in-use` if another
 * server is alive at `path`, or `control-socket` if the control socket can't be made
 *
 * @example A server with a rule to start with
 * ```ts
 * import { parseSpecifier, serve } from "./mod.ts";
 *
 * const start = parseSpecifier("127.0.0.28/28083:80", { protocol: "tcp" });
 * await using server = await serve({
 *   path: `${await Deno.makeTempDir()}/control`,
 *   rules: { HOST: start.kind === "rules" ? start.rules : [] },
 *   log: console.log,
 * });
 * console.log(server.revision); // 1n
 * ```
 */
export async function serve(options: ServeOptions): Promise<Server> {
  const { mayUpdate, log = () => {} } = options;
  if (mayUpdate !== undefined) checkMayUpdate(mayUpdate);
  const stored = options.statePath === undefined ? undefined : await readState(options.statePath);
  const addresses = localAddresses();
  const forwarder: Forwarder = new Forwarder(
    makePifs(options, addresses, (backend, socket) => forwarder.owns(backend, socket)),
    addresses,
    stored === undefined ? 0n : stored.revision - 1n,
  );
  await using started = new AsyncDisposableStack();
  started.use(forwarder);
  const listen = controlListening(options.backend, Array.isArray(mayUpdate), log);
  await startWith(forwarder, startTables(forwarder, options.rules ?? {}, stored), stored !== undefined, options.log);
  const stateFile = options.statePath === undefined ? undefined : new StateFile(options.statePath);
  await stateFile?.write(stateOf(forwarder));
  const controls = [{ dialect: nativeServer, socket: started.use(await ControlSocket.claim(options.path, listen)) }];
  if (options.passtPath !== undefined) {
    controls.push({
      dialect: passtServer(options.passtVersion ?? 2),
      socket: started.use(await ControlSocket.claim(options.passtPath, listen)),
    });
  }
  started.move();
  return new Server(forwarder, controls, options, stateFile);
}

/**
 * A running forwarder with its control socket; {@linkcode serve} makes it. Disposing of it closes every socket and flow,
 * and removes the control socket.
 *
 * @example Serving until told to stop
 * ```ts
 * import { serve } from "./mod.ts";
 *
 * const server = await serve({ path: `${await Deno.makeTempDir()}/control` });
 * console.log(server.path, server.revision);
 * await server[Symbol.asyncDispose]();
 * await server.finished;
 * ```
 */
export class Server implements AsyncDisposable {
  /** Resolves when the server has stopped; rejects if its control socket failed. */
  readonly finished: Promise<void>;
  readonly #controls: readonly Control[];
  readonly #shared: Shared;
  /** Conversations, and looks after sockets, that are under way. */
  readonly #work = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  #tending: ReturnType<typeof setInterval> | undefined;

  /** Takes the forwarder and the control sockets over; the first of them is the native one. */
  constructor(
    forwarder: Forwarder,
    controls: readonly Control[],
    options: ServeOptions,
    stateFile: StateFile | undefined,
  ) {
    this.#controls = controls;
    this.#shared = {
      forwarder,
      turns: new Turns(),
      pace: new Pace(),
      held: new Held(),
      budget: new ShadowBudget(SHADOW_BYTES),
      transactionSeconds: options.transactionSeconds ?? 60,
      readSeconds: options.readSeconds ?? 10,
      stateFile,
      exclusive: options.concurrency === "exclusive" ? new Exclusive() : undefined,
      mayUpdate: options.mayUpdate ?? "owner",
      stopping: this.#stopping.signal,
      log: options.log ?? (() => {}),
    };
    this.finished = Promise.all(controls.map((control) => this.#accept(control))).then(() => {});
    this.finished.catch(() => {});
    this.#tendIfNeeded();
  }

  /** Path of the control socket. */
  get path(): string {
    return this.#controls[0]?.socket.path ?? "";
  }

  /** How many rules are in force, in all tables. */
  get ruleCount(): number {
    const { forwarder } = this.#shared;
    return forwarder.pifs.reduce((sum, { id }) => sum + forwarder.table(id).length, 0);
  }

  /** Grows with every committed table. */
  get revision(): bigint {
    return this.#shared.forwarder.revision;
  }

  /** Stops serving. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new DeadlineError("internal", "Can't go on with a transaction: the server is stopping"));
    for (const { socket } of this.#controls) socket[Symbol.dispose]();
    clearInterval(this.#tending);
    // Until it has finished, whoever waits for a place still gets one, only to be told that it is over.
    await Promise.allSettled([this.finished]);
    await Promise.allSettled(this.#work);
    await Promise.all(this.#controls.map(({ socket }) => socket[Symbol.asyncDispose]()));
    await this.#shared.forwarder[Symbol.asyncDispose]();
  }

  async #accept({ dialect, socket }: Control): Promise<void> {
    const { pace, log, mayUpdate } = this.#shared;
    const arrivals = new Arrivals(pace);
    const editors = new Editors(mayUpdate, socket.listener.ownUid);
    const room = new Room(
      MAX_CLIENTS,
      log,
      `Can't talk with more clients on "${socket.path}": ${MAX_CLIENTS} are there, the most allowed; new ones wait`,
    );
    for await (const connection of socket.listener) {
      const place = await room.enter();
      await pace.step();
      const conversation = converse(connection, dialect, this.#shared, arrivals, editors);
      this.#track(conversation.finally(() => {
        place[Symbol.dispose]();
        this.#tendIfNeeded();
      }));
    }
  }

  /** Remembers what disposing must wait for. */
  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#work.delete(tracked));
    this.#work.add(tracked);
  }

  /** Looks after scan rules and lost ports while there are any, and not a moment longer. */
  #tendIfNeeded(): void {
    const { forwarder } = this.#shared;
    if ((forwarder.scans || forwarder.hasLost) && !this.#stopping.signal.aborted) {
      this.#tending ??= setInterval(() => this.#track(this.#tend()), TEND_INTERVAL);
    } else {
      clearInterval(this.#tending);
      this.#tending = undefined;
    }
  }

  async #tend(): Promise<void> {
    const { forwarder, turns, log } = this.#shared;
    // Whoever has the turn is changing sockets; the next look is a second away.
    if (turns.taken) return;
    try {
      using _turn = await turns.take();
      for (const endpoint of await forwarder.retryLost()) log(`Listening again on ${endpointText(endpoint)}`);
      if (forwarder.scans) await forwarder.rescan();
    } catch (error) {
      log(`Can't look after sockets: ${error instanceof Error ? error.message : error}`);
    }
    this.#tendIfNeeded();
  }
}

/** A control socket and what is spoken there. */
interface Control {
  readonly dialect: ServerDialect;
  readonly socket: ControlSocket;
}

/** What all conversations have in common. */
interface Shared {
  readonly forwarder: Forwarder;
  readonly turns: Turns;
  readonly pace: Pace;
  readonly held: Held;
  readonly budget: ShadowBudget;
  readonly transactionSeconds: number;
  readonly readSeconds: number;
  /** Where committed tables are kept. */
  readonly stateFile: StateFile | undefined;
  /** Present if clients are served one after the other. */
  readonly exclusive: Exclusive | undefined;
  readonly mayUpdate: MayUpdate;
  readonly stopping: AbortSignal;
  readonly log: (message: string) => void;
}

async function converse(
  connection: ControlConnection,
  dialect: ServerDialect,
  shared: Shared,
  arrivals: Arrivals,
  editors: Editors,
): Promise<void> {
  using arrival = arrivals.begin();
  using _place = await shared.exclusive?.enter();
  using deadlines = new Deadlines(shared.transactionSeconds, shared.readSeconds, shared.stopping);
  using shadow = new Shadow(shared.budget);
  const maxBytes = shared.forwarder.pifs.length * MAX_RULES * RECORD_SIZE + OVERHEAD_BYTES;
  using listed = new DisposableStack();
  using channel = new Channel<ClientEvent>(
    paced(connection, shared.pace),
    dialect.decoder({ maxPifs: MAX_PIFS, maxRules: MAX_RULES }),
    maxBytes,
  );
  // Whoever isn't answered looks again instead, and must find what it sent before.
  if (!dialect.answers) await arrivals.before(arrival);
  const editor = new Editor(editors, connection.peer);
  await new Conversation(shared, dialect, channel, deadlines, shadow, listed, arrival, editor).run();
}

class Conversation {
  readonly #forwarder: Forwarder;
  readonly #turns: Turns;
  readonly #held: Held;
  readonly #log: (message: string) => void;
  readonly #transactionSeconds: number;
  readonly #stateFile: StateFile | undefined;
  /** Nobody can settle another's table where nobody is greeted before the other has gone. */
  readonly #features: number;
  readonly #dialect: ServerDialect;
  readonly #channel: Channel<ClientEvent>;
  readonly #deadlines: Deadlines;
  readonly #shadow: Shadow;
  /** Holds the tables that were listed. */
  readonly #listed: DisposableStack;
  readonly #arrival: Arrival;
  readonly #editor: Editor;
  /** Whether the update is committed, so that nothing may roll it back. */
  #settled = false;
  #listedRevision = 0n;
  readonly #listedTables = new Map<number, RuleTable>();

  constructor(
    shared: Shared,
    dialect: ServerDialect,
    channel: Channel<ClientEvent>,
    deadlines: Deadlines,
    shadow: Shadow,
    listed: DisposableStack,
    arrival: Arrival,
    editor: Editor,
  ) {
    this.#forwarder = shared.forwarder;
    this.#turns = shared.turns;
    this.#held = shared.held;
    this.#log = shared.log;
    this.#transactionSeconds = shared.transactionSeconds;
    this.#stateFile = shared.stateFile;
    this.#features = shared.exclusive === undefined ? ALL_FEATURES : ALL_FEATURES & ~FEATURE.SETTLE;
    this.#dialect = dialect;
    this.#channel = channel;
    this.#deadlines = deadlines;
    this.#shadow = shadow;
    this.#listed = listed;
    this.#arrival = arrival;
    this.#editor = editor;
  }

  /** Never rejects: what goes wrong is the client's to hear, or the log's. */
  async run(): Promise<void> {
    try {
      await this.#greet();
      const header = await this.#receive();
      if (header === undefined) return;
      if (typeof header === "string") return await this.#settle(header);
      this.#dropWhatWasShownInPart();
      await this.#validate();
      switch (header.mode) {
        case "check":
          return await this.#check(header);
        case "one-shot":
          return await this.#oneShot(header);
        case "staged":
          return await this.#staged(header);
        default:
          header.mode satisfies never;
      }
    } catch (error) {
      await this.#refuse(error);
    }
  }

  async #greet(): Promise<void> {
    this.#listedRevision = this.#forwarder.revision;
    const pifs = this.#forwarder.pifs.map((pif) => {
      const { id, name, defaultTarget } = pif;
      const table = this.#listed.use(this.#forwarder.table(id).share());
      this.#listedTables.set(id, table);
      if (this.#dialect.shown(table).kind === "part") {
        this.#log(
          `Can't show all rules of pif "${name}" to a client: its protocol, "${this.#dialect.name}", can't say them`,
        );
      }
      const failures = this.#forwarder.failures(id);
      const header = { id, name, capabilities: this.#forwarder.capabilities(pif) };
      return { header: defaultTarget === undefined ? header : { ...header, defaultTarget }, table, failures };
    });
    const hello = {
      version: VERSION,
      minCompat: MIN_COMPAT,
      features: this.#features,
      revision: this.#forwarder.revision,
      maxPifs: MAX_PIFS,
      maxRules: MAX_RULES,
      maxSockets: MAX_SOCKETS,
      transactionSeconds: Math.ceil(this.#transactionSeconds),
      holdSeconds: HOLD_SECONDS,
    };
    for (const chunk of gathered(this.#dialect.greeting(hello, pifs))) {
      await this.#deadlines.step((signal) => this.#channel.send([chunk], signal));
    }
  }

  /**
   * Reads a whole update into the shadow, or the word about another client's table. Resolves to `undefined` if the client
   * has hung up instead.
   */
  async #receive(): Promise<UpdateHeader | Decision | undefined> {
    let header: UpdateHeader | undefined;
    for (;;) {
      const event = await this.#deadlines.step((signal) => this.#channel.next(signal));
      this.#arrival.events++;
      switch (event?.kind) {
        case undefined:
          return undefined;
        case "update":
          this.#editor.demand();
          header = event.header;
          this.#demandCurrent(header);
          break;
        case "table":
          this.#demandPif(event.pif);
          this.#shadow.begin(event.pif);
          break;
        case "rules":
          this.#shadow.append(event.pif, event.records);
          break;
        case "end":
          if (header === undefined) throw unexpected("END");
          this.#demandCurrent(header);
          this.#arrival.complete = true;
          return header;
        case "commit":
        case "rollback":
          if ((this.#features & FEATURE.SETTLE) === 0) throw unexpected(event.kind.toUpperCase());
          this.#editor.demand();
          return event.kind;
        case "apply":
          throw unexpected("APPLY");
        default:
          event satisfies never;
      }
    }
  }

  /**
   * A client that was shown a table in part sends that part back when it means to leave the table alone. Anything else
   * would lose rules that it knows nothing of.
   */
  #dropWhatWasShownInPart(): void {
    for (const [pif, table] of this.#shadow.tables) {
      const listed = this.#listedTables.get(pif);
      const shown = listed === undefined ? undefined : this.#dialect.shown(listed);
      if (shown?.kind !== "part") continue;
      const sent = table.records();
      if (sent.length !== shown.records.length || !sent.every((byte, index) => byte === shown.records[index])) {
        throw new Refusal(
          "rejected",
          "permission",
          `Can't replace the table of pif ${pif}: the client was shown only ${shown.records.length / RECORD_SIZE} ` +
            `of its ${listed?.length} rules`,
          { pif },
        );
      }
      this.#shadow.drop(pif);
    }
  }

  /** What was received is carried over to the table now in force, if its client couldn't say what it started from. */
  #rebase(): void {
    if (this.#dialect.answers || this.#forwarder.revision === this.#listedRevision) return;
    for (const [pif, edited] of [...this.#shadow.tables]) {
      const base = this.#listedTables.get(pif);
      if (base !== undefined) this.#shadow.replace(pif, rebase(base, edited, this.#forwarder.table(pif)));
    }
  }

  async #check(header: UpdateHeader): Promise<void> {
    using _turn = await this.#takeTurn(header);
    const report = await this.#forwarder.check(this.#shadow.tables);
    await this.#report(report.fault ? "rolled-back" : "done", report, this.#shadow.tables);
  }

  async #oneShot(header: UpdateHeader): Promise<void> {
    using _turn = await this.#takeTurn(header);
    let hungUp = false;
    if (header.rollBackUndelivered) this.#channel.hungUp().then(() => hungUp = true);
    const tables = this.#shadow.hand();
    const change = await this.#forwarder.apply(tables);
    if (change.fault || hungUp) return await this.#rollBack(change, tables);
    if (header.rollBackUndelivered) {
      try {
        await this.#report("done", change, tables, { revision: this.#forwarder.revision + 1n });
      } catch {
        return await this.#rollBack(change, tables);
      }
      return await this.#commit(change);
    }
    await this.#commit(change);
    await this.#report("done", change, tables);
  }

  async #staged(header: UpdateHeader): Promise<void> {
    await this.#deadlines.step((signal) => this.#channel.send([this.#dialect.accepted()], signal));
    if (await this.#channel.next(this.#deadlines.transaction) === undefined) return;
    using turn = await this.#takeTurn(header);
    const tables = this.#shadow.hand();
    const change = await this.#forwarder.apply(tables);
    using holding = this.#held.hold();
    let why: Partial<Verdict> = { code: "none", sentence: "" };
    try {
      await this.#report("done", change, tables, { code: change.fault ? "bind-failed" : "none" });
      turn.waitForClient();
      const limit = header.holdSeconds > 0
        ? this.#deadlines.hold(Math.min(header.holdSeconds, HOLD_SECONDS))
        : this.#deadlines.transaction;
      const own = this.#channel.next(limit).then((event) => event?.kind);
      const decision = await Promise.race([own, holding.elsewhere]);
      holding.close();
      if (decision === undefined) this.#log("Rolling back: the client hung up before it committed");
      if (decision === "commit") {
        await this.#commit(change);
        return await this.#report("done", change, tables, {}, holding);
      }
    } catch (error) {
      if (this.#settled) throw error;
      holding.close();
      const { code, message } = refusalOf(error);
      why = { code, sentence: message };
      this.#log(`Rolling back: ${message}`);
    }
    await this.#rollBack(change, tables, why, holding);
  }

  /** Decides about the table that another client has applied, and tells what came of it. */
  async #settle(decision: Decision): Promise<void> {
    const settled = this.#held.settle(decision);
    this.#log(`Told to ${decision} another client's table${this.#editor.byline}`);
    const report = await settled;
    using stack = new DisposableStack();
    for (const { table } of report.tables) stack.use(table);
    await this.#send(report);
  }

  /** Puts the new tables in force, and resolves when they are on the disk, too, if they are kept there. */
  async #commit(change: AppliedChange): Promise<void> {
    this.#settled = true;
    const revision = await change.commit();
    const { kept, opened, retired, failed } = change.counts;
    this.#log(
      `Revision ${revision}: ${kept} kept, ${opened} opened, ${retired} retired, ${failed} failed${this.#editor.byline}`,
    );
    try {
      await this.#stateFile?.write(stateOf(this.#forwarder));
    } catch (error) {
      // The tables are in force; that they won't survive is for the operator to mend.
      this.#log(error instanceof Error ? error.message : String(error));
    }
  }

  /** Takes a change back and says so, if the client is still there to hear it. `tables` are those of the change. */
  async #rollBack(
    change: AppliedChange,
    tables: Tables,
    why: Partial<Verdict> = {},
    holding?: Holding,
  ): Promise<void> {
    using spared = new DisposableStack();
    // Rolling back frees the tables; the report still names rules of theirs.
    const copies = new Map([...tables].map(([pif, table]) => [pif, spared.use(table.share())]));
    const lost = await change.rollback();
    if (lost.length === 0) {
      this.#log("Rolled back a table");
      return await this.#report("rolled-back", change, copies, why, holding);
    }
    for (const { error } of lost) this.#log(`Lost a socket in a rollback: ${error.message}`);
    const failed = lost.reduce((sum, { failedPorts }) => sum + failedPorts, 0);
    await this.#report(
      "rollback-incomplete",
      { counts: { ...change.counts, failed }, outcomes: lost, fault: true },
      new Map(),
      {},
      holding,
    );
  }

  /**
   * Sends a result, also to whoever else has decided about the table. `tables` are those that the report's rules are in;
   * those of other pifs are the active ones.
   */
  async #report(
    outcome: Outcome,
    report: ChangeReport,
    tables: Tables,
    overrides: Partial<Verdict> = {},
    holding?: Holding,
  ): Promise<void> {
    using whole = composeReport(this.#forwarder, outcome, report, tables, overrides);
    holding?.done(whole);
    await this.#send(whole);
  }

  async #send(report: Report): Promise<void> {
    for (const chunk of gathered(this.#dialect.report(report))) {
      await this.#deadlines.last((signal) => this.#channel.send([chunk], signal));
    }
  }

  async #refuse(error: unknown): Promise<void> {
    if (isHangUp(error)) return;
    const refusal = refusalOf(error);
    this.#log(`Refused an update: ${refusal.message}${this.#editor.byline}`);
    const verdict: Verdict = {
      ...{ kept: 0, opened: 0, retired: 0, failed: 0, rebound: 0, revision: this.#forwarder.revision },
      ...refusal.details,
      outcome: refusal.outcome,
      code: refusal.code,
      sentence: refusal.message,
    };
    try {
      await this.#deadlines.last((signal) => this.#channel.send([this.#dialect.rejected(verdict)], signal));
    } catch {
      // It has gone without waiting for the answer.
    }
  }

  async #validate(): Promise<void> {
    const validity = await this.#forwarder.validate(this.#shadow.tables);
    if (validity.kind === "valid") return;
    throw invalidity(
      validity,
      (pif, rule) => (this.#shadow.tables.get(pif) ?? this.#forwarder.table(pif)).records(rule, rule + 1),
    );
  }

  #demandPif(pif: number): void {
    const { pifs } = this.#forwarder;
    if (pifs.some(({ id }) => id === pif)) return;
    const known = pifs.map(({ id, name }) => `${id} (${name})`).join(", ");
    throw new Refusal("rejected", "unknown-pif", `Can't update pif "${pif}": this server has ${known}`, { pif });
  }

  #demandCurrent({ base }: UpdateHeader): void {
    const { revision } = this.#forwarder;
    if (base === undefined || base === revision) return;
    throw new Refusal(
      "stale",
      "stale-revision",
      `Can't update the table: it was edited from revision ${base}, and revision ${revision} is in force`,
    );
  }

  async #takeTurn(header: UpdateHeader): Promise<Turn> {
    const turn = await this.#turns.take();
    try {
      this.#demandCurrent(header);
      this.#rebase();
      // What else is in force may have changed since the table was found valid.
      if (this.#forwarder.revision !== this.#listedRevision) await this.#validate();
      return turn;
    } catch (error) {
      turn[Symbol.dispose]();
      throw error;
    }
  }
}

function unexpected(frame: string): ProtocolError {
  return new ProtocolError("unexpected-frame", `Can't take ${frame}: no table is waiting for it`);
}

/** A client that went away in whatever way is nothing to log. */
function isHangUp(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
    (error instanceof ProtocolError && error.code === "truncated");
}
