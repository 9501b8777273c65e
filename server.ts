/**
 * The control server: it shows the rule tables to whoever connects to its control socket, and swaps them in
 * transactions.
 *
 * Theory of operation. Every connection is one conversation, served beside all others:
 *
 *     greeting ─▶ receiving ─▶ (check) ─ trying ────────────────────────────────▶ reporting ─▶ closed
 *         │           ├─────▶ (one-shot) ─ applying ────────────────────────────▶ reporting
 *         │           └─────▶ (staged) ─ accepted ─ applying ─ applied ─ settling ─▶ reporting
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
 * all shadow tables together.
 *
 * @module
 */

import { canonicalAddress } from "./codec/address.ts";
import { Channel } from "./codec/channel.ts";
import {
  FEATURE,
  MAX_PIFS,
  MAX_RULES,
  MAX_SOCKETS,
  MIN_COMPAT,
  PIF_ID,
  RECORD_SIZE,
  VERSION,
} from "./codec/constants.ts";
import { DeadlineError, Deadlines } from "./codec/deadlines.ts";
import type { ServerDialect, TableUpdate } from "./codec/dialect.ts";
import { PestoError, ProtocolError, TableError } from "./codec/errors.ts";
import { faultText } from "./codec/format.ts";
import { nativeServer } from "./codec/native.ts";
import { RuleTable } from "./codec/table.ts";
import type { ClientEvent, Code, Outcome, Rule, UpdateHeader, Verdict } from "./codec/types.ts";
import type { Backend, BackendOptions } from "./sync/backend.ts";
import { ControlSocket } from "./sync/control_socket.ts";
import {
  type AppliedChange,
  type ChangeReport,
  Forwarder,
  type Pif,
  type Tables,
  type Validity,
} from "./sync/forwarder.ts";
import { localAddresses } from "./sync/local_addresses.ts";
import { portableBackend } from "./sync/portable.ts";
import { type Turn, Turns } from "./sync/turns.ts";

/** One more pif for a server: its name, and where rules without a target of their own go. */
export interface PifOptions {
  /** Any name but HOST, of at most 127 bytes. */
  readonly name: string;
  /** A numeric address. */
  readonly target: string;
}

/** What a server is made from. */
export interface ServeOptions {
  /** Where the control socket is to be. A dead socket there is replaced, a live one never. */
  readonly path: string;
  /** Default target of the pif HOST: a numeric address. `127.0.0.1` if absent. */
  readonly target?: string;
  /** Further pifs; HOST is always there. */
  readonly pifs?: readonly PifOptions[];
  /** Rules to start with, by pif name. */
  readonly rules?: Readonly<Record<string, Iterable<Rule>>>;
  /** Bounds of the relays. */
  readonly backend?: Omit<BackendOptions, "log">;
  /** Seconds that one conversation on the control socket may take; 60 if absent. */
  readonly transactionSeconds?: number;
  /** Seconds that a client may leave the server waiting for its next bytes; 10 if absent. */
  readonly readSeconds?: number;
  /** Told what an operator wants to know; one sentence each. */
  readonly log?: (message: string) => void;
}

/** Bytes that all tables being received may take together; a single one always may, whatever its size. */
const SHADOW_BYTES = 64 * 1024 * 1024;
/** Frame headers and fixed fields of one transaction are less than this many bytes, whatever its tables. */
const OVERHEAD_BYTES = 64 * 1024;
/** The most seconds that an applied table may wait for its commit. */
const HOLD_SECONDS = 3600;

/**
 * Starts a forwarder with its control server. It serves until it is disposed of.
 *
 * @throws {TableError} (as a rejection) if the rules to start with aren't valid
 * @throws {PestoError} (as a rejection) with the code `bind-failed` if they can't have their sockets, `in-use` if another
 * server is alive at `path`, or `control-socket` if the control socket can't be made
 */
export async function serve(options: ServeOptions): Promise<Server> {
  const backend = portableBackend({ ...options.backend, ...(options.log && { log: options.log }) });
  const forwarder = new Forwarder(pifsOf(options, backend), localAddresses());
  try {
    await startWith(forwarder, options.rules ?? {});
    return new Server(forwarder, await ControlSocket.claim(options.path), options);
  } catch (error) {
    await forwarder[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * A running forwarder with its control socket; {@linkcode serve} makes it. Disposing of it closes every socket and flow,
 * and removes the control socket.
 */
export class Server implements AsyncDisposable {
  /** Resolves when the server has stopped; rejects if its control socket failed. */
  readonly finished: Promise<void>;
  readonly #control: ControlSocket;
  readonly #shared: Shared;
  readonly #conversations = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  /** Takes the forwarder and the control socket over. */
  constructor(forwarder: Forwarder, control: ControlSocket, options: ServeOptions) {
    this.#control = control;
    this.#shared = {
      forwarder,
      turns: new Turns(),
      budget: new Budget(),
      transactionSeconds: options.transactionSeconds ?? 60,
      readSeconds: options.readSeconds ?? 10,
      stopping: this.#stopping.signal,
      log: options.log ?? (() => {}),
    };
    this.finished = this.#accept();
    this.finished.catch(() => {});
  }

  /** Path of the control socket. */
  get path(): string {
    return this.#control.path;
  }

  /** Grows with every committed table. */
  get revision(): bigint {
    return this.#shared.forwarder.revision;
  }

  /** Stops serving. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort(new DeadlineError("internal", "Can't go on with a transaction: the server is stopping"));
    this.#control[Symbol.dispose]();
    await Promise.allSettled([this.finished, ...this.#conversations]);
    await this.#shared.forwarder[Symbol.asyncDispose]();
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#control.listener) {
      const conversation = converse(connection, this.#shared);
      this.#conversations.add(conversation);
      conversation.finally(() => this.#conversations.delete(conversation));
    }
  }
}

/** What all conversations have in common. */
interface Shared {
  readonly forwarder: Forwarder;
  readonly turns: Turns;
  readonly budget: Budget;
  readonly transactionSeconds: number;
  readonly readSeconds: number;
  readonly stopping: AbortSignal;
  readonly log: (message: string) => void;
}

/** Says no to a client: nothing was touched, and the conversation ends. */
class Refusal extends Error {
  readonly outcome: Outcome;
  readonly code: Code;
  readonly details: Partial<Verdict>;
  constructor(outcome: Outcome, code: Code, sentence: string, details: Partial<Verdict> = {}) {
    super(sentence);
    this.outcome = outcome;
    this.code = code;
    this.details = details;
  }
}

async function converse(connection: Deno.Conn, shared: Shared): Promise<void> {
  using deadlines = new Deadlines(shared.transactionSeconds, shared.readSeconds, shared.stopping);
  using shadow = new Shadow(shared.budget);
  const dialect = nativeServer;
  const maxBytes = shared.forwarder.pifs.length * MAX_RULES * RECORD_SIZE + OVERHEAD_BYTES;
  using channel = new Channel<ClientEvent>(
    connection,
    dialect.decoder({ maxPifs: MAX_PIFS, maxRules: MAX_RULES }),
    maxBytes,
  );
  await new Conversation(shared, dialect, channel, deadlines, shadow).run();
}

class Conversation {
  readonly #forwarder: Forwarder;
  readonly #turns: Turns;
  readonly #log: (message: string) => void;
  readonly #transactionSeconds: number;
  readonly #dialect: ServerDialect;
  readonly #channel: Channel<ClientEvent>;
  readonly #deadlines: Deadlines;
  readonly #shadow: Shadow;

  constructor(
    shared: Shared,
    dialect: ServerDialect,
    channel: Channel<ClientEvent>,
    deadlines: Deadlines,
    shadow: Shadow,
  ) {
    this.#forwarder = shared.forwarder;
    this.#turns = shared.turns;
    this.#log = shared.log;
    this.#transactionSeconds = shared.transactionSeconds;
    this.#dialect = dialect;
    this.#channel = channel;
    this.#deadlines = deadlines;
    this.#shadow = shadow;
  }

  /** Never rejects: what goes wrong is the client's to hear, or the log's. */
  async run(): Promise<void> {
    try {
      await this.#greet();
      const header = await this.#receive();
      if (header === undefined) return;
      this.#validate();
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
    using listing = new DisposableStack();
    const pifs = this.#forwarder.pifs.map((pif) => {
      const { id, name, defaultTarget } = pif;
      const table = listing.use(this.#forwarder.table(id).share());
      const header = { id, name, capabilities: this.#forwarder.capabilities(pif), ruleCount: table.length };
      return { header: defaultTarget === undefined ? header : { ...header, defaultTarget }, table };
    });
    const hello = {
      version: VERSION,
      minCompat: MIN_COMPAT,
      features: FEATURE.STAGED | FEATURE.ONE_SHOT | FEATURE.CHECK | FEATURE.HOLD | FEATURE.ROLL_BACK_UNDELIVERED,
      revision: this.#forwarder.revision,
      maxPifs: MAX_PIFS,
      maxRules: MAX_RULES,
      maxSockets: MAX_SOCKETS,
      transactionSeconds: Math.ceil(this.#transactionSeconds),
      holdSeconds: HOLD_SECONDS,
    };
    for (const chunk of this.#dialect.greeting(hello, pifs)) {
      await this.#deadlines.step((signal) => this.#channel.send([chunk], signal));
    }
  }

  /** Reads a whole update into the shadow. Resolves to `undefined` if the client has hung up instead. */
  async #receive(): Promise<UpdateHeader | undefined> {
    let header: UpdateHeader | undefined;
    for (;;) {
      const event = await this.#deadlines.step((signal) => this.#channel.next(signal));
      switch (event?.kind) {
        case undefined:
          return undefined;
        case "update":
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
          return header;
        case "apply":
        case "commit":
        case "rollback":
          throw unexpected(event.kind.toUpperCase());
        default:
          event satisfies never;
      }
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
        await this.#report("done", change, tables, this.#forwarder.revision + 1n);
      } catch {
        return await this.#rollBack(change, tables);
      }
      return this.#commit(change);
    }
    this.#commit(change);
    await this.#report("done", change, tables);
  }

  async #staged(header: UpdateHeader): Promise<void> {
    await this.#deadlines.step((signal) => this.#channel.send([this.#dialect.accepted()], signal));
    if (await this.#channel.next(this.#deadlines.transaction) === undefined) return;
    using turn = await this.#takeTurn(header);
    const tables = this.#shadow.hand();
    const change = await this.#forwarder.apply(tables);
    let answer: ClientEvent | undefined;
    try {
      await this.#report(change.fault ? "rolled-back" : "done", change, tables);
      turn.waitForClient();
      const limit = header.holdSeconds > 0
        ? this.#deadlines.hold(Math.min(header.holdSeconds, HOLD_SECONDS))
        : this.#deadlines.transaction;
      answer = await this.#channel.next(limit);
    } catch (error) {
      this.#log(`Rolling back: ${error instanceof Error ? error.message : error}`);
    }
    if (answer?.kind !== "commit") return await this.#rollBack(change, tables);
    this.#commit(change);
    await this.#report("done", change, tables);
  }

  #commit(change: AppliedChange): void {
    const revision = change.commit();
    const { kept, opened, retired, failed } = change.counts;
    this.#log(`Revision ${revision}: ${kept} kept, ${opened} opened, ${retired} retired, ${failed} failed`);
  }

  /** Takes a change back and says so, if the client is still there to hear it. `tables` are those of the change. */
  async #rollBack(change: AppliedChange, tables: Tables): Promise<void> {
    using spared = new DisposableStack();
    // Rolling back frees the tables; the report still names rules of theirs.
    const copies = new Map([...tables].map(([pif, table]) => [pif, spared.use(table.share())]));
    const lost = await change.rollback();
    if (lost.length === 0) {
      this.#log("Rolled back a table");
      return await this.#report("rolled-back", change, copies);
    }
    for (const { message } of lost) this.#log(`Lost a socket in a rollback: ${message}`);
    const failed = lost.reduce((sum, { failedPorts }) => sum + failedPorts, 0);
    await this.#report(
      "rollback-incomplete",
      { counts: { ...change.counts, failed }, outcomes: lost, fault: true },
      new Map(),
    );
  }

  /** Sends a result. `tables` are those that the report's rules are in; those of other pifs are the active ones. */
  async #report(
    outcome: Outcome,
    report: ChangeReport,
    tables: Tables,
    revision = this.#forwarder.revision,
  ): Promise<void> {
    using stack = new DisposableStack();
    const updates = [...Map.groupBy(report.outcomes, ({ pif }) => pif)].map(([pif, outcomes]): TableUpdate => {
      const source = tables.get(pif) ?? this.#forwarder.table(pif);
      const table = stack.use(RuleTable.of(outcomes.map(({ rule }) => source.rule(rule))));
      outcomes.forEach(({ status, failedPorts }, index) => table.setStatus(index, status, failedPorts));
      return { pif, table };
    });
    const first = report.outcomes.find(({ fault }) => fault) ?? report.outcomes[0];
    const verdict: Verdict = {
      ...report.counts,
      outcome,
      code: codeOf(outcome),
      ...(first !== undefined && { pif: first.pif, rule: first.rule }),
      revision,
      sentence: first?.message ?? "",
    };
    const chunks = this.#dialect.report({ verdict, tables: updates, failures: report.outcomes });
    for (const chunk of chunks) await this.#deadlines.last((signal) => this.#channel.send([chunk], signal));
  }

  async #refuse(error: unknown): Promise<void> {
    if (isHangUp(error)) return;
    const refusal = refusalOf(error);
    this.#log(`Refused an update: ${refusal.message}`);
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

  #validate(): void {
    const validity = this.#forwarder.validate(this.#shadow.tables);
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
      return turn;
    } catch (error) {
      turn[Symbol.dispose]();
      throw error;
    }
  }
}

/** Memory for tables that are being received, shared by all clients. */
class Budget {
  #bytes = 0;

  /** @throws {Refusal} if there is no room now */
  take(bytes: number): void {
    if (this.#bytes > 0 && this.#bytes + bytes > SHADOW_BYTES) {
      throw new Refusal(
        "busy",
        "busy",
        `Can't receive a table: the tables of other clients take ${this.#bytes} of ${SHADOW_BYTES} bytes`,
      );
    }
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }
}

/** The tables of one update while they are received. */
class Shadow implements Disposable {
  readonly tables = new Map<number, RuleTable>();
  readonly #budget: Budget;
  #bytes = 0;
  #handed = false;

  constructor(budget: Budget) {
    this.#budget = budget;
  }

  begin(pif: number): void {
    this.tables.set(pif, RuleTable.of([]));
  }

  append(pif: number, records: Uint8Array): void {
    this.#budget.take(records.length);
    this.#bytes += records.length;
    this.tables.get(pif)?.append(records);
  }

  /** Gives the tables away: whoever takes them disposes of them. */
  hand(): Tables {
    this.#handed = true;
    return this.tables;
  }

  [Symbol.dispose](): void {
    this.#budget.give(this.#bytes);
    if (this.#handed) return;
    for (const table of this.tables.values()) table[Symbol.dispose]();
  }
}

function pifsOf({ target = "127.0.0.1", pifs = [] }: ServeOptions, backend: Backend): Pif[] {
  const all = [
    { id: PIF_ID.HOST as number, name: "HOST", target },
    ...pifs.map((pif, index) => ({ ...pif, id: PIF_ID.FIRST_OTHER + index })),
  ];
  for (const { name } of pifs) {
    if (all.filter((pif) => pif.name === name).length > 1) {
      throw new RangeError(`Can't add pif "${name}": there already is one of that name`);
    }
  }
  return all.map(({ id, name, target }) => ({
    id,
    name,
    backend,
    defaultTarget: canonicalAddress(target),
    sameNamespace: true,
  }));
}

/** Applies the rules that a server starts with; a server that can't serve them all doesn't start. */
async function startWith(forwarder: Forwarder, rules: Readonly<Record<string, Iterable<Rule>>>): Promise<void> {
  const tables = new Map(
    Object.entries(rules).map(([name, rules]) => {
      const pif = forwarder.pifs.find((pif) => pif.name === name);
      if (pif === undefined) throw new RangeError(`Can't start with rules for pif "${name}": there is no such pif`);
      return [pif.id, RuleTable.of(rules)];
    }),
  );
  const validity = forwarder.validate(tables);
  if (validity.kind === "invalid") {
    const { code, message, details } = invalidity(
      validity,
      (pif, rule) => (tables.get(pif) ?? forwarder.table(pif)).records(rule, rule + 1),
    );
    throw new TableError(code, message, { ...(details.rule !== undefined && { rule: details.rule }) });
  }
  const change = await forwarder.apply(tables);
  if (change.fault) {
    await change.rollback();
    const message = change.outcomes.find(({ fault }) => fault)?.message ?? "Can't start";
    throw new PestoError("bind-failed", message);
  }
  change.commit();
}

function invalidity(
  validity: Extract<Validity, { kind: "invalid" }>,
  recordOf: (pif: number, rule: number) => Uint8Array,
): Refusal {
  const { kind: _, code, pif, rule, otherRule, otherPif = pif } = validity;
  const other = otherRule === undefined ? undefined : recordOf(otherPif, otherRule);
  const sentence = faultText(code, rule === undefined ? undefined : recordOf(pif, rule), other);
  return new Refusal("rejected", code, sentence, {
    pif,
    ...(rule !== undefined && { rule }),
    ...(otherRule !== undefined && { otherRule, otherPif }),
  });
}

function codeOf(outcome: Outcome): Code {
  switch (outcome) {
    case "done":
      return "none";
    case "rollback-incomplete":
      return "rollback-incomplete";
    default:
      return "bind-failed";
  }
}

/** What to tell a client that has caused an error, or has met with one of the server's own. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (error instanceof ProtocolError) return new Refusal("protocol-error", error.code, error.message);
  if (error instanceof DeadlineError) return new Refusal("timed-out", error.code, error.message);
  if (error instanceof PestoError && error.code === "busy") return new Refusal("busy", "busy", error.message);
  return new Refusal(
    "rejected",
    "internal",
    `Can't go on with the update: ${error instanceof Error ? error.stack : error}`,
  );
}

function unexpected(frame: string): ProtocolError {
  return new ProtocolError("unexpected-frame", `Can't take ${frame}: no table is waiting for it`);
}

/** A client that went away in whatever way is nothing to log. */
function isHangUp(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset ||
    (error instanceof ProtocolError && error.code === "truncated");
}
