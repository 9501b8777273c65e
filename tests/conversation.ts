/**
 * Whole conversations through a dialect: events to the bytes that its encoders make of them, and bytes, cut anywhere,
 * to events.
 *
 * @module
 */

import type { ClientDialect, Decoder, PifTable, Report, ServerDialect } from "../codec/dialect.ts";
import { RuleTable } from "../codec/table.ts";
import type { ClientEvent, RuleFailure, ServerEvent } from "../codec/types.ts";
import { concat } from "./bytes.ts";

/** The chunks that the encoders make of a client's events; the first must be `update`, or the only one a decision. */
export function speakAsClient(dialect: ClientDialect, events: readonly ClientEvent[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  const queue = [...events];
  const update = queue.shift();
  if (update?.kind === "commit" || update?.kind === "rollback") {
    if (queue.length > 0) throw new TypeError(`Can't speak: nothing follows "${update.kind}"`);
    return [dialect.settle(update.kind)];
  }
  if (update?.kind !== "update") throw new TypeError("Can't speak: an update or a decision must come first");
  using held = new DisposableStack();
  const tables = [];
  for (let event = queue[0]; event?.kind === "table"; event = queue[0]) {
    queue.shift();
    tables.push({ pif: event.pif, table: held.use(takeRules(queue)) });
  }
  queue.shift();
  chunks.push(...dialect.update(update.header, tables));
  for (const { kind } of queue) {
    if (kind !== "apply" && kind !== "commit" && kind !== "rollback") throw new TypeError(`Can't speak: "${kind}"`);
    chunks.push(dialect.signal(kind));
  }
  return chunks;
}

/** The chunks that the encoders make of a server's events; at least those of the greeting must be among them. */
export function speakAsServer(dialect: ServerDialect, events: readonly ServerEvent[]): Uint8Array[] {
  const queue = [...events];
  const hello = queue.shift();
  if (hello?.kind !== "hello") throw new TypeError("Can't speak: a server's events begin with a hello");
  using held = new DisposableStack();
  const pifs: PifTable[] = [];
  for (let event = queue[0]; event?.kind === "pif"; event = queue[0]) {
    queue.shift();
    pifs.push({ header: event.pif, table: held.use(takeRules(queue)), failures: takePorts(queue) });
  }
  queue.shift();
  const chunks = [...dialect.greeting(hello.hello, pifs)];
  for (let event = queue.shift(); event !== undefined; event = queue.shift()) {
    switch (event.kind) {
      case "accepted":
        chunks.push(dialect.accepted());
        break;
      case "rejected":
        chunks.push(dialect.rejected(event.verdict));
        break;
      case "result":
        chunks.push(...dialect.report(takeReport(event, queue, held)));
        break;
      default:
        throw new TypeError(`Can't speak: "${event.kind}" can't stand here`);
    }
  }
  return chunks;
}

/** The events of bytes that come in these pieces. Each piece is overwritten afterwards: events must not refer to it. */
export function hear<Event>(decoder: Decoder<Event>, pieces: Iterable<Uint8Array>): Event[] {
  const events: Event[] = [];
  for (const piece of pieces) {
    const lent = piece.slice();
    events.push(...decoder.push(lent));
    lent.fill(0xee);
  }
  return events;
}

/** The bytes one by one. */
export function* singly(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at++) yield bytes.slice(at, at + 1);
}

function takeRules(queue: { kind: string; records?: Uint8Array }[]): RuleTable {
  const frames: Uint8Array[] = [];
  for (let event = queue[0]; event?.kind === "rules" && event.records !== undefined; event = queue[0]) {
    frames.push(event.records);
    queue.shift();
  }
  return RuleTable.ofRecords(concat(frames));
}

function takePorts(queue: ServerEvent[]): RuleFailure[] {
  const failures: RuleFailure[] = [];
  for (let event = queue[0]; event?.kind === "ports"; event = queue[0]) {
    failures.push(event.failure);
    queue.shift();
  }
  return failures;
}

function takeReport(
  { verdict }: ServerEvent & { kind: "result" },
  queue: ServerEvent[],
  held: DisposableStack,
): Report {
  const tables = [];
  const failures = [];
  for (let event = queue.shift(); event !== undefined && event.kind !== "reported"; event = queue.shift()) {
    if (event.kind === "table") tables.push({ pif: event.pif, table: held.use(takeRules(queue)) });
    else if (event.kind === "ports") failures.push(event.failure);
    else throw new TypeError(`Can't speak: "${event.kind}" can't stand in a report`);
  }
  return { verdict, tables, failures };
}
