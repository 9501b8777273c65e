/**
 * The client's side of a control socket: connect, look, update.
 *
 * Theory of operation. The server's first bytes tell the dialect. One connection is one transaction. `connect` reads the listing; a session that is disposed of
 * after that has only looked. `update` and `check` send tables and read the answer, after which the session is used up:
 * the server has closed it.
 *
 *     listed ── update(), check() ─▶ used up
 *        └────── dispose ──────────▶ closed
 *
 * A released server never answers. It drops a table that it doesn't like, and takes any other; a second look, which it
 * grants only when it is done with the first client, tells which of the two it was.
 *
 * @module
 */

import { Channel } from "./codec/channel.ts";
import { RECORD, RECORD_SIZE, VERSION } from "./codec/constants.ts";
import { Deadlines } from "./codec/deadlines.ts";
import type { ClientDialect, TableUpdate } from "./codec/dialect.ts";
import { PestoError, ProtocolError } from "./codec/errors.ts";
import { ServerDecoder } from "./codec/detect.ts";
import { RuleTable } from "./codec/table.ts";
import type {
  FailedPorts,
  Hello,
  ListedRule,
  PifHeader,
  Rule,
  ServerEvent,
  UpdateHeader,
  UpdateMode,
  Verdict,
} from "./codec/types.ts";

/** How to connect. */
export interface ConnectOptions {
  /** Gives up when aborted, with its reason. */
  readonly signal?: AbortSignal;
  /** Seconds that the server may take for its next bytes; 60 if absent. */
  readonly timeoutSeconds?: number;
}

/** A pif as a server lists it. */
export interface ListedPif {
  /** 1 to 255. */
  readonly id: number;
  /** What options call it, as HOST. */
  readonly name: string;
  /** Bits of {@linkcode CAPABILITY}. */
  readonly capabilities: number;
  /** Where rules without a target of their own go. */
  readonly defaultTarget?: string;
  /** In the order of its table. */
  readonly rules: readonly ListedRule[];
}

/** What a server says of itself, and its rules. */
export interface Listing {
  /** Version, revision and limits. */
  readonly hello: Hello;
  /** In the order in which the server lists them. */
  readonly pifs: readonly ListedPif[];
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

/** A rule that has not got all of its sockets. */
export interface ReportedRule {
  /** Name of its pif. */
  readonly pif: string;
  /** The rule, with its status. */
  readonly rule: ListedRule;
}

/** Ports of one rule that have no socket. */
export interface ReportedPorts {
  /** Name of its pif. */
  readonly pif: string;
  /** Index of the rule in that pif's table. */
  readonly rule: number;
  /** In ascending order. */
  readonly ports: readonly FailedPorts[];
}

/** What a server did with an update, or would do. */
export interface UpdateResult extends Verdict {
  /** The rules whose status is not fine. */
  readonly rules: readonly ReportedRule[];
  /** The ports that have no socket. */
  readonly failures: readonly ReportedPorts[];
}

/** An update that the server didn't carry out. `code` is the result's. */
export class UpdateError extends PestoError {
  /** Name of the class. */
  override readonly name = "UpdateError";
  /** What the server said. */
  readonly result: UpdateResult;
  /** Takes the code and the sentence from the result. */
  constructor(result: UpdateResult) {
    super(result.code, result.sentence);
    this.result = result;
  }
}

/**
 * Connects to a control socket and reads what is listed there.
 *
 * @throws {PestoError} (as a rejection) with the code `unreachable` if nobody listens at `path`
 * @throws {ProtocolError} (as a rejection) if whoever listens there doesn't speak the protocol
 */
export async function connect(path: string, options: ConnectOptions = {}): Promise<Session> {
  const connection = await connectTo(path);
  const decoder = new ServerDecoder();
  using cleanup = new DisposableStack();
  const channel = cleanup.use(new Channel<ServerEvent>(connection, decoder));
  const seconds = options.timeoutSeconds ?? 60;
  // One conversation is a handful of steps, and each has its own limit: the sum needs none.
  const deadlines = cleanup.use(new Deadlines(LONG_SECONDS, seconds, options.signal ?? new AbortController().signal));
  const listing = await readListing(channel, deadlines);
  const again = () => look(path, options);
  const session = new Session(decoder.dialect, channel, deadlines, listing, again);
  cleanup.move();
  return session;
}

/**
 * Reads what is listed at a control socket, and hangs up.
 *
 * @throws {PestoError} and {ProtocolError} as {@linkcode connect}
 */
export async function look(path: string, options: ConnectOptions = {}): Promise<Listing> {
  using session = await connect(path, options);
  return { hello: session.hello, pifs: session.pifs };
}

/** The longest that a timer can be set to, in seconds: 2^31 ms. */
const LONG_SECONDS = 2_147_483;

/** One transaction with a server, made by {@linkcode connect}. Disposing of it hangs up. */
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
   */
  async update(tables: TableEdits, options: UpdateOptions = {}): Promise<UpdateResult> {
    const result = await this.#transact("one-shot", tables, options);
    if (result.outcome !== "done") throw new UpdateError(result);
    return result;
  }

  /**
   * Finds out what {@linkcode update} would do, with the binds tried on spare sockets; changes nothing. The result's
   * outcome says whether it would work; it is not thrown.
   *
   * @throws {PestoError} and {TypeError} (as rejections) as {@linkcode update}
   */
  check(tables: TableEdits, options: UpdateOptions = {}): Promise<UpdateResult> {
    return this.#transact("check", tables, options);
  }

  /** Hangs up. */
  [Symbol.dispose](): void {
    this.#usedUp = true;
    this.#channel[Symbol.dispose]();
    this.#deadlines[Symbol.dispose]();
  }

  async #transact(mode: UpdateMode, edits: TableEdits, options: UpdateOptions): Promise<UpdateResult> {
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
    try {
      const chunks = this.#dialect.update(header, updates);
      return this.#dialect.answers ? await this.#ask(chunks) : await this.#tell(chunks, updates);
    } finally {
      this[Symbol.dispose]();
    }
  }

  /** The edits, and where the dialect wants all tables in one update, the others as they are, in the listing's order. */
  #completed(edits: TableEdits): [string, Iterable<Rule>][] {
    for (const name of Object.keys(edits)) this.#pifNamed(name);
    if (!this.#dialect.namesAllPifs) return Object.entries(edits);
    return this.pifs.map(({ name, rules }) => [name, edits[name] ?? rules]);
  }

  /** Sends an update and reads what became of it. */
  async #ask(chunks: Iterable<Uint8Array>): Promise<UpdateResult> {
    // The server may refuse, and close, while the tables are still being sent: its answer says more than the broken pipe.
    const sent = this.#send(chunks);
    const answer = this.#readAnswer();
    answer.catch(() => {});
    try {
      await sent;
    } catch (error) {
      if (!isBroken(error)) throw error;
    }
    return await answer;
  }

  /** Sends an update to a server that won't say what became of it, and looks. */
  async #tell(chunks: Iterable<Uint8Array>, updates: readonly TableUpdate[]): Promise<UpdateResult> {
    try {
      await this.#send(chunks);
    } catch (error) {
      if (!isBroken(error)) throw error;
    }
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

  #header(mode: UpdateMode, pifCount: number, options: UpdateOptions): UpdateHeader {
    const header = {
      version: VERSION,
      mode,
      rollBackUndelivered: options.rollBackUndelivered ?? false,
      holdSeconds: 0,
      pifCount,
    };
    return options.anyBase ? header : { ...header, base: this.hello.revision };
  }

  async #send(chunks: Iterable<Uint8Array>): Promise<void> {
    for (const chunk of chunks) await this.#deadlines.step((signal) => this.#channel.send([chunk], signal));
  }

  /** Reads up to the end of a report, or to a refusal. */
  async #readAnswer(): Promise<UpdateResult> {
    let verdict: Verdict | undefined;
    const rules: ReportedRule[] = [];
    const failures: ReportedPorts[] = [];
    for (;;) {
      const event = await this.#deadlines.step((signal) => this.#channel.next(signal));
      switch (event?.kind) {
        case undefined:
          throw new ProtocolError("truncated", "Can't read the result: the server hung up before it was complete");
        case "rejected":
          return { ...event.verdict, rules, failures };
        case "result":
          verdict = event.verdict;
          break;
        case "rules": {
          using table = RuleTable.ofRecords(event.records);
          const pif = this.#pifName(event.pif);
          rules.push(...table.listedRules().map((rule) => ({ pif, rule })));
          break;
        }
        case "ports":
          failures.push({ ...event.failure, pif: this.#pifName(event.failure.pif) });
          break;
        case "reported":
          if (verdict === undefined) throw unexpected(event);
          return { ...verdict, rules, failures };
        case "table":
          break;
        case "hello":
        case "pif":
        case "listed":
        case "accepted":
          throw unexpected(event);
        default:
          event satisfies never;
      }
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

async function connectTo(path: string): Promise<Deno.Conn> {
  try {
    return await Deno.connect({ transport: "unix", path });
  } catch (cause) {
    throw new PestoError("unreachable", `Can't connect to the control socket "${path}": ${reasonOf(cause)}`, { cause });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such file";
  if (error instanceof Deno.errors.ConnectionRefused) return "nobody listens there";
  return error instanceof Error ? error.message : String(error);
}

async function readListing(channel: Channel<ServerEvent>, deadlines: Deadlines): Promise<Listing> {
  let hello: Hello | undefined;
  const pifs: { header: PifHeader; rules: ListedRule[] }[] = [];
  for (;;) {
    const event = await deadlines.step((signal) => channel.next(signal));
    switch (event?.kind) {
      case undefined:
        throw new ProtocolError("truncated", "Can't read the listing: the server hung up before it was complete");
      case "rejected":
        throw new UpdateError({ ...event.verdict, rules: [], failures: [] });
      case "hello":
        hello = event.hello;
        break;
      case "pif":
        pifs.push({ header: event.pif, rules: [] });
        break;
      case "rules": {
        using table = RuleTable.ofRecords(event.records);
        pifs.at(-1)?.rules.push(...table.listedRules());
        break;
      }
      case "listed":
        if (hello === undefined) throw unexpected(event);
        return {
          hello,
          pifs: pifs.map(({ header: { ruleCount: _, ...header }, rules }) => ({ ...header, rules })),
        };
      case "accepted":
      case "result":
      case "table":
      case "ports":
      case "reported":
        throw unexpected(event);
      default:
        event satisfies never;
    }
  }
}

/** Whether a table has these rules in this order, whatever their status. */
function isSameTable(table: RuleTable, rules: readonly Rule[]): boolean {
  using other = RuleTable.of(rules);
  if (other.length !== table.length) return false;
  const [a, b] = [table.records(), other.records()];
  return a.every((byte, index) => index % RECORD_SIZE >= RECORD.STATUS || byte === b[index]);
}

function unexpected(event: ServerEvent): ProtocolError {
  return new ProtocolError("unexpected-frame", `Can't take "${event.kind}" from the server: it has no place there`);
}

function isBroken(error: unknown): boolean {
  return error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset;
}
