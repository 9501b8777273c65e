import { FRAME, MAX_SENTENCE } from "../../codec/constants.ts";
import type { Decoder } from "../../codec/dialect.ts";
import { ProtocolError } from "../../codec/errors.ts";
import { nativeClient, nativeServer } from "../../codec/native.ts";
import { RuleTable } from "../../codec/table.ts";
import type { Hello, RuleFailure, UpdateHeader, Verdict } from "../../codec/types.ts";
import { assert, assertEquals, assertLessOrEqual, assertStrictEquals, assertThrows } from "../assert.ts";
import { concat } from "../bytes.ts";
import { tcpRule } from "../rules.ts";

const LIMITS = { maxPifs: 2, maxRules: 3000 };

const HELLO: Hello = {
  version: 1,
  minCompat: 1,
  features: 63,
  revision: 2n ** 63n,
  maxPifs: 2,
  maxRules: 3000,
  maxSockets: 10,
  transactionSeconds: 30,
  holdSeconds: 600,
};

const UPDATE: UpdateHeader = {
  version: 1,
  mode: "staged",
  base: 7n,
  rollBackUndelivered: true,
  holdSeconds: 5,
  pifCount: 1,
};

const VERDICT: Verdict = {
  outcome: "done",
  code: "none",
  revision: 8n,
  kept: 1,
  opened: 2,
  retired: 3,
  failed: 4,
  rebound: 5,
  sentence: "",
};

function joined(chunks: Iterable<Uint8Array>): Uint8Array {
  return concat([...chunks]);
}

function frame(type: number, payload: readonly number[] = [], length = payload.length): Uint8Array {
  const bytes = new Uint8Array(8 + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, type);
  view.setUint32(4, length);
  bytes.set(payload, 8);
  return bytes;
}

function sentUpdate(table: RuleTable): Uint8Array {
  return joined(nativeClient.update(UPDATE, [{ pif: 1, table }]));
}

/** The fault in these bytes, once the events before it have been given. */
function faultOf(decoder: Decoder<unknown>, bytes: Uint8Array): ProtocolError {
  return assertThrows(() => {
    decoder.push(bytes);
    decoder.push(new Uint8Array(0));
  }, ProtocolError);
}

/** What a fault in a client's bytes is called. */
function clientFault(...parts: Uint8Array[]): ProtocolError {
  return faultOf(nativeServer.decoder(LIMITS), joined(parts));
}

function magicAndUpdate(): Uint8Array {
  return sentUpdate(RuleTable.of([])).subarray(0, 8 + 8 + 24);
}

Deno.test("update() splits a table into frames of at most 64 KiB, which the decoder hands on one by one", () => {
  using table = RuleTable.of(Array.from({ length: 2500 }, (_, index) => tcpRule(index + 1, 80)));
  const chunks = [...nativeClient.update(UPDATE, [{ pif: 1, table }])];
  for (const chunk of chunks) assertLessOrEqual(chunk.length, 8 + 65536);
  const events = nativeServer.decoder(LIMITS).push(joined(chunks));
  assertEquals(events.map(({ kind }) => kind), ["update", "table", "rules", "rules", "rules", "end"]);
  const records = joined(events.flatMap((event) => event.kind === "rules" ? [event.records] : []));
  assertEquals(records, table.records());
});

Deno.test("update() doesn't send a server's status back to it", () => {
  using table = RuleTable.of([tcpRule(80, 80), tcpRule(81, 81)]);
  const clean = sentUpdate(table);
  table.setAllStatus("failed");
  assertEquals(sentUpdate(table), clean);
});

Deno.test("update() announces the tables that it is given", () => {
  const bytes = joined(nativeClient.update({ ...UPDATE, pifCount: 9 }, []));
  const [update] = nativeServer.decoder(LIMITS).push(bytes);
  assertEquals(update, { kind: "update", header: { ...UPDATE, pifCount: 0 } });
});

Deno.test("settle() says with the first frame what becomes of another client's table", () => {
  for (const signal of ["commit", "rollback"] as const) {
    const bytes = nativeClient.settle(signal);
    assertEquals(bytes.length, 8 + 8, "The magic and one frame");
    assertEquals(nativeServer.decoder(LIMITS).push(bytes), [{ kind: signal }]);
  }
});

Deno.test("greeting() tells of the tables as they are", () => {
  using table = RuleTable.of([tcpRule(80, 80)]);
  table.setStatus(0, "failed", 1);
  const header = { id: 1, name: "HOST", capabilities: 15 };
  const failure = { pif: 1, rule: 0, ports: [{ first: 80, last: 80, errno: 98 }] };
  const events = nativeClient.decoder().push(
    joined(nativeServer.greeting(HELLO, [{ header, table, failures: [failure] }])),
  );
  assertEquals(events, [
    { kind: "hello", hello: HELLO },
    { kind: "pif", pif: { ...header, ruleCount: 1, runCount: 1 } },
    { kind: "rules", pif: 1, records: table.records() },
    { kind: "ports", failure },
    { kind: "listed" },
  ]);
});

Deno.test("rejected() cuts a sentence that is too long between two characters", () => {
  const greeting = joined(nativeServer.greeting(HELLO, []));
  const sentence = "€".repeat(1000);
  const rejected = nativeServer.rejected({ ...VERDICT, outcome: "rejected", code: "conflict", sentence });
  const [, , event] = nativeClient.decoder().push(joined([greeting, rejected]));
  assert(event?.kind === "rejected");
  assertEquals(event.verdict.sentence, "€".repeat(Math.floor(MAX_SENTENCE / 3)));
});

Deno.test("rejected() and report() refuse each other's outcomes", () => {
  assertThrows(
    () => nativeServer.rejected(VERDICT),
    RangeError,
    `Can't encode the outcome "done" as REJECTED: it belongs into the other frame`,
  );
  assertThrows(
    () => [...nativeServer.report({ verdict: { ...VERDICT, outcome: "busy" }, tables: [], failures: [] })],
    RangeError,
    `Can't encode the outcome "busy" as RESULT: it belongs into the other frame`,
  );
});

Deno.test("the encoders refuse what a field can't hold", () => {
  const greet = (name: string) =>
    joined(nativeServer.greeting(HELLO, [{
      header: { id: 1, name, capabilities: 0 },
      table: RuleTable.of([]),
      failures: [],
    }]));
  const text = "it must be 1 to 127 bytes without a zero byte";
  assertThrows(() => greet(""), RangeError, `Can't encode the pif name "": ${text}`);
  assertThrows(() => greet("€".repeat(43)), RangeError, text);
  greet("€".repeat(42));
  assertThrows(
    () => joined(nativeServer.greeting({ ...HELLO, maxRules: 2 ** 32 }, [])),
    RangeError,
    "Can't encode 4294967296: it must be a whole number from 0 to 4294967295",
  );
  assertThrows(
    () => joined(nativeServer.greeting({ ...HELLO, revision: 2n ** 64n }, [])),
    RangeError,
    "Can't encode 18446744073709551616: it must be from 0 to 2^64 - 1",
  );
});

Deno.test("report() spreads the failed ports of one rule over frames", () => {
  const ports = Array.from({ length: 9000 }, (_, index) => ({ first: 2 * index + 1, last: 2 * index + 1, errno: 98 }));
  const chunks = [...nativeServer.report({ verdict: VERDICT, tables: [], failures: [{ pif: 1, rule: 3, ports }] })];
  assertEquals(chunks.map(({ length }) => length), [8 + 48, 8 + 65536, 8 + 8 + 8 * 809, 8]);
  const events = nativeClient.decoder().push(joined([...nativeServer.greeting(HELLO, []), ...chunks]));
  assertEquals(events.flatMap((event) => event.kind === "ports" ? event.failure.ports : []), ports);
});

Deno.test("greeting() takes no more chunks for a port of each of 65,535 rules than their bytes need", () => {
  using table = RuleTable.of(Array.from({ length: 65535 }, (_, index) => tcpRule(index + 1, 80)));
  const failures = Array.from({ length: 65535 }, (_, rule) => ({
    pif: 1,
    rule,
    ports: [{ first: rule + 1, last: rule + 1, errno: rule % 2 + 1 }],
  }));
  const header = { id: 1, name: "HOST", capabilities: 15 };
  const chunks = [...nativeServer.greeting(HELLO, [{ header, table, failures }])];
  for (const chunk of chunks) assertLessOrEqual(chunk.length, 8 + 65536);
  // Magic, HELLO, PIF and END; 64 frames of records; and 24 bytes for each of the ports.
  assertEquals(chunks.length, 4 + 64 + Math.ceil(65535 / Math.floor((8 + 65536) / 24)));
  const decoder = nativeClient.decoder();
  const events = chunks.flatMap((chunk) => decoder.push(chunk));
  assertEquals(events.flatMap((event) => event.kind === "ports" ? [event.failure] : []), failures);
});

Deno.test("push() says what is wrong with the ports of a listed pif", () => {
  using table = RuleTable.of([tcpRule(80, 80)]);
  const ports = [{ first: 80, last: 80, errno: 98 }];
  const listing = (failure: RuleFailure, change: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes) => {
    const pif = { header: { id: 1, name: "HOST", capabilities: 15 }, table, failures: [failure] };
    const greeting = change(joined(nativeServer.greeting(HELLO, [pif])));
    return faultOf(nativeClient.decoder(), greeting).message;
  };
  const runCount = (count: number) => (bytes: Uint8Array) => {
    bytes[8 + 48 + 8 + 15] = count;
    return bytes;
  };
  const fine = { pif: 1, rule: 0, ports };
  const text = "Can't take the failed ports of pif 1";
  assertEquals(listing({ ...fine, pif: 2 }), "Can't take PORTS: its pif id is 2, it must be 1, which is being listed");
  assertEquals(listing({ ...fine, rule: 1 }), "Can't take PORTS: it is about rule 1, the table of pif 1 has 1");
  assertEquals(listing(fine, runCount(2)), `${text}: there are only 1 runs, 2 were announced`);
  assertEquals(
    listing({ ...fine, ports: [...ports, ...ports] }, runCount(1)),
    `${text}: there are 2 runs, 1 were announced`,
  );
});

Deno.test("push() gives records that stay the receiver's", () => {
  using table = RuleTable.of([tcpRule(80, 80)]);
  const bytes = sentUpdate(table);
  const [, , rules] = nativeServer.decoder(LIMITS).push(bytes);
  bytes.fill(0);
  assert(rules?.kind === "rules");
  assertEquals(rules.records, table.records());
});

Deno.test("push() says what is wrong with a client's bytes", () => {
  const start = magicAndUpdate();
  const table = frame(FRAME.TABLE, [0, 0, 0, 1, 0, 0, 0, 2]);
  const cases: [string, ...Uint8Array[]][] = [
    [`Can't talk to this client: it must begin with "pesto:c" and a zero byte`, new TextEncoder().encode("GET /")],
    ["Can't read a frame of type 0x0099: there is no such type", start, frame(0x99)],
    [
      "Can't read a frame of RULES: its payload has 65 bytes, it must have 64 to 65536 in steps of 64",
      ...[start, table, frame(FRAME.RULES, [], 65)],
    ],
    ["Can't take APPLY: UPDATE or COMMIT or ROLLBACK must come here", start.subarray(0, 8), frame(FRAME.APPLY)],
    ["Can't take COMMIT: the conversation is over", nativeClient.settle("commit"), frame(FRAME.COMMIT)],
    ["Can't take UPDATE: the conversation is over", nativeClient.settle("rollback"), start.subarray(8)],
    ["Can't take APPLY: TABLE must come here", start, frame(FRAME.APPLY)],
    ["Can't take COMMIT: RULES must come here", start, table, frame(FRAME.COMMIT)],
    [
      "Can't take the table of pif 1: it has only 0 rules, it was announced with 2",
      ...[start, table, frame(FRAME.END)],
    ],
    [
      "Can't take the table of pif 1: it has 3 rules, it was announced with 2",
      ...[start, table, frame(FRAME.RULES, [], 192)],
    ],
    [
      "Can't take rule 1 of pif 1: the last 8 bytes of its record must be zero",
      ...[start, table, frame(FRAME.RULES, [...new Array(120).fill(0), 1, 0, 0, 0, 0, 0, 0, 0])],
    ],
    [
      "Can't take the table of pif 1: it has 3001 rules, it may have 3000",
      ...[start, frame(FRAME.TABLE, [0, 0, 0, 1, 0, 0, 11, 185])],
    ],
    ["Can't take TABLE: its pif id is 0, it must be 1 to 255", start, frame(FRAME.TABLE, [0, 0, 0, 0, 0, 0, 0, 0])],
  ];
  for (const [text, ...parts] of cases) assertEquals(clientFault(...parts).message, text);
});

Deno.test("push() refuses records of a server that couldn't be shown", () => {
  using table = RuleTable.of([tcpRule(80, 80)]);
  const header = { id: 1, name: "HOST", capabilities: 15 };
  const greeting = joined(nativeServer.greeting(HELLO, [{ header, table, failures: [] }]));
  const at = greeting.length - 8 - 64;
  for (const [offset, value] of [[54, 132], [55, 8], [57, 5], [32, 32], [47, 65]] as const) {
    const changed = greeting.slice();
    changed[at + offset] = value;
    const error = faultOf(nativeClient.decoder(), changed);
    assertEquals(error.code, "bad-field");
    assertEquals(error.message, "Can't take rule 0 of pif 1: a field of its record has a value that it can't have");
  }
});

Deno.test("push() throws the same error again once it has thrown", () => {
  const decoder = nativeServer.decoder(LIMITS);
  const error = assertThrows(() => decoder.push(new Uint8Array(1)), ProtocolError);
  assertStrictEquals(assertThrows(() => decoder.push(magicAndUpdate())), error);
  assertStrictEquals(assertThrows(() => decoder.finish()), error);
});

Deno.test("finish() says in the middle of what the other side hung up", () => {
  using table = RuleTable.of([tcpRule(80, 80)]);
  const bytes = sentUpdate(table);
  const cut = (length: number) => () => {
    const decoder = nativeServer.decoder(LIMITS);
    decoder.push(bytes.subarray(0, length));
    decoder.finish();
  };
  cut(0)();
  assertThrows(cut(3), ProtocolError, "Can't go on: the client hung up in the middle of its magic");
  cut(8)();
  assertThrows(cut(20), ProtocolError, "Can't go on: the client hung up in the middle of a frame");
  assertThrows(cut(40 + 16), ProtocolError, "Can't go on: the client hung up in the middle of the table of pif 1");
  cut(bytes.length)();
});
