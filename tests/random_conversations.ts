/**
 * Random conversations of the native dialect, as events: what either side may say, with fields from all over their
 * range.
 *
 * @module
 */

import type {
  ClientEvent,
  Code,
  FailedPorts,
  PifHeader,
  RuleFailure,
  ServerEvent,
  UpdateMode,
  Verdict,
} from "../codec/types.ts";
import { CODES } from "./oracle/frames.ts";
import { type RawRecord, recordOf, writeRecords } from "./oracle/record.ts";
import { CROWDED, type Random, randomRule } from "./random.ts";

const RECORDS_IN_A_FRAME = 1024;
const TEXTS = ["HOST", "SPLICE", "x", "brücke", "接口", "a b/c%d", "🦀", "é".repeat(63), "n".repeat(127)] as const;

/** A client's whole conversation: from the update on, or the decision on another client's table. */
export function randomClientEvents(random: Random, mostRules: number): ClientEvent[] {
  if (random.chance(5)) return [{ kind: random.pick(["commit", "rollback"]) }];
  const pifs = random.shuffle([1, 2, 3, 4, 100, 255]).slice(0, random.between(0, 4));
  const mode: UpdateMode = random.pick(["staged", "staged", "one-shot", "check"]);
  const base = random.chance(30) ? {} : { base: random.u64() };
  const events: ClientEvent[] = [{
    kind: "update",
    header: {
      version: 1,
      mode,
      ...base,
      rollBackUndelivered: random.chance(50),
      holdSeconds: random.pick([0, 1, 600, 0xffffffff]),
      pifCount: pifs.length,
    },
  }];
  for (const pif of pifs) {
    const records = randomRecords(random, random.between(0, mostRules), false);
    events.push({ kind: "table", pif, ruleCount: records.length }, ...framesOf(pif, records));
  }
  events.push({ kind: "end" });
  if (mode === "staged") events.push({ kind: "apply" }, { kind: random.pick(["commit", "rollback"]) });
  return events;
}

/** A server's whole conversation, from the greeting on. */
export function randomServerEvents(random: Random, mostRules: number): ServerEvent[] {
  const events: ServerEvent[] = [{
    kind: "hello",
    hello: {
      version: 1,
      minCompat: 1,
      features: random.between(0, 63),
      revision: random.u64(),
      maxPifs: 255,
      maxRules: 65535,
      maxSockets: random.next(),
      transactionSeconds: random.next(),
      holdSeconds: random.next(),
    },
  }];
  for (const id of random.shuffle([1, 2, 3, 200]).slice(0, random.between(0, 3))) {
    const records = randomRecords(random, random.between(0, mostRules), true);
    const target = random.pick([undefined, "127.0.0.1", "::1", "fd00::2", "0.0.0.0", "2001:db8:0:1:1:1:1:1"]);
    const failures: RuleFailure[] = records.flatMap((_, rule) =>
      random.chance(30) ? [{ pif: id, rule, ports: randomPorts(random) }] : []
    );
    const pif: PifHeader = {
      id,
      name: `${random.pick(TEXTS).slice(0, 60)}${id}`,
      capabilities: random.between(0, 0x1ff),
      ...(target === undefined ? {} : { defaultTarget: target }),
      ruleCount: records.length,
      runCount: failures.reduce((sum, { ports }) => sum + ports.length, 0),
    };
    events.push({ kind: "pif", pif }, ...framesOf(id, records));
    for (const failure of failures) events.push({ kind: "ports", failure });
  }
  events.push({ kind: "listed" });
  switch (random.between(0, 4)) {
    case 0:
      break;
    case 1:
      events.push({ kind: "rejected", verdict: randomVerdict(random, true) });
      break;
    case 2:
      events.push({ kind: "accepted" }, { kind: "rejected", verdict: randomVerdict(random, true) });
      break;
    case 3:
      events.push(...randomReport(random, mostRules));
      break;
    default:
      events.push({ kind: "accepted" }, ...randomReport(random, mostRules), ...randomReport(random, mostRules));
  }
  return events;
}

function randomReport(random: Random, mostRules: number): ServerEvent[] {
  const events: ServerEvent[] = [{ kind: "result", verdict: randomVerdict(random, false) }];
  for (const pif of random.shuffle([1, 3, 255]).slice(0, random.between(0, 2))) {
    const records = randomRecords(random, random.between(0, mostRules), true);
    events.push({ kind: "table", pif, ruleCount: records.length }, ...framesOf(pif, records));
  }
  for (let count = random.between(0, 3); count > 0; count--) {
    const failure = { pif: random.pick([1, 3]), rule: random.between(0, 65534), ports: randomPorts(random) };
    events.push({ kind: "ports", failure });
  }
  events.push({ kind: "reported" });
  return events;
}

function randomPorts(random: Random): FailedPorts[] {
  return Array.from({ length: random.between(1, 5) }, () => {
    const first = random.between(1, 65535);
    return { first, last: random.between(first, 65535), errno: random.pick([1, 13, 98, 99, 65535]) };
  });
}

function randomVerdict(random: Random, rejected: boolean): Verdict {
  const outcome = rejected
    ? random.pick(["rejected", "stale", "busy", "timed-out", "protocol-error"] as const)
    : random.pick(["done", "rolled-back", "rollback-incomplete"] as const);
  const code: Code = outcome === "done" ? "none" : random.pick([...CODES.values()].slice(1));
  return {
    outcome,
    code,
    ...(random.chance(50) ? {} : { pif: random.between(1, 255) }),
    ...(random.chance(50) ? {} : { rule: random.between(0, 65534) }),
    ...(random.chance(70) ? {} : { otherRule: random.between(0, 65534) }),
    ...(random.chance(70) ? {} : { otherPif: random.between(1, 255) }),
    revision: random.u64(),
    kept: random.next(),
    opened: random.next(),
    retired: random.next(),
    failed: random.next(),
    rebound: random.next(),
    sentence: random.chance(30) ? "" : random.pick([...TEXTS, "é".repeat(512), "Can't bind: in use (EADDRINUSE)"]),
  };
}

function randomRecords(random: Random, count: number, listed: boolean): RawRecord[] {
  return Array.from({ length: count }, () => {
    const record = recordOf(randomRule(random, CROWDED));
    return listed ? { ...record, status: random.between(0, 4), failed: random.between(0, 9) } : record;
  });
}

/** The `rules` events of a table: full frames, and a last one with the rest. */
function framesOf(pif: number, records: readonly RawRecord[]): { kind: "rules"; pif: number; records: Uint8Array }[] {
  const frames = [];
  for (let at = 0; at < records.length; at += RECORDS_IN_A_FRAME) {
    const some = records.slice(at, at + RECORDS_IN_A_FRAME);
    frames.push({ kind: "rules" as const, pif, records: writeRecords(some) });
  }
  return frames;
}
