/** The released dialect against the recordings of released programs: every byte understood, and every byte made again. */

import { concat } from "../bytes.ts";
import type { PifTable } from "../../codec/dialect.ts";
import { tableText } from "../../codec/format.ts";
import { passtClient, passtServer } from "../../codec/passt.ts";
import type { PasstVersion } from "../../codec/passt_record.ts";
import { RuleTable } from "../../codec/table.ts";
import type { ClientEvent, Hello, Rule, ServerEvent, UpdateHeader } from "../../codec/types.ts";
import { assert, assertEquals, assertThrows } from "../assert.ts";
import { hear, singly, speakAsClient, speakAsServer } from "../conversation.ts";
import { fromHex, toHex } from "../hex.ts";
import { listedPifs, recordings, sentTables } from "../recordings.ts";

const LIMITS = { maxPifs: 255, maxRules: 65535 };
/** Short enough to be cut at every offset. */
const SHORT = 700;

/** What one side sent in an exchange, once for each different one. */
interface Sent {
  readonly name: string;
  readonly version: PasstVersion;
  readonly hex: string;
}

const [listings, updates] = [new Map<string, Sent>(), new Map<string, Sent>()];
for (const { file, exchanges } of recordings()) {
  for (const { args, server_sent, client_sent, listed_after } of exchanges) {
    const { version } = listedPifs(server_sent);
    assert(version === 1 || version === 2);
    const name = `${file} ${args.join(" ")}`;
    for (const hex of [server_sent, listed_after]) listings.set(hex, { name, version, hex });
    if (client_sent !== "") updates.set(`${version} ${client_sent}`, { name, version, hex: client_sent });
  }
}

Deno.test("the recordings hold both versions, and updates in both", () => {
  for (const sent of [listings, updates]) {
    for (const version of [1, 2]) assert([...sent.values()].some((one) => one.version === version));
  }
});

Deno.test("passtClient() understands every recorded listing", () => {
  for (const { name, version, hex } of listings.values()) {
    const events = listing(version, fromHex(hex));
    assertEquals(pifsOf(events), listedPifs(hex).pifs, name);
    assertEquals(events.at(-1), { kind: "listed" }, name);
    const [hello] = events;
    assert(hello?.kind === "hello");
    const { features, revision, maxRules, maxSockets } = hello.hello;
    assertEquals(hello.hello.version, version);
    assertEquals([features, maxRules, maxSockets], [2, 255, 5 * 65536], "One-shot only");
    assertEquals(revision, 0n);
  }
});

Deno.test("passtServer() understands every recorded update", () => {
  for (const { name, version, hex } of updates.values()) {
    const events = update(version, fromHex(hex));
    assertEquals(events[0], {
      kind: "update",
      header: { version, mode: "one-shot", rollBackUndelivered: false, holdSeconds: 0, pifCount: 0 },
    });
    assertEquals(tablesOf(events), sentTables(hex, version), name);
    assertEquals(events.at(-1), { kind: "end" }, name);
  }
});

Deno.test("the decoders give the same events however the bytes are cut", () => {
  for (const { decoder, bytes, name } of everythingSent()) {
    const whole = hear<unknown>(decoder(), [bytes]);
    const single = decoder();
    assertEquals<unknown>(hear<unknown>(single, singly(bytes)), whole, name);
    single.finish();
    // A prime as the step, so that the cuts of the long ones fall into every field.
    for (let cut = 0; cut <= bytes.length; cut += bytes.length <= SHORT ? 1 : 7) {
      const heard = hear<unknown>(decoder(), [bytes.slice(0, cut), new Uint8Array(0), bytes.slice(cut)]);
      assertEquals<unknown>(heard, whole, `${name}, cut after ${cut} bytes`);
    }
  }
});

Deno.test("a recorded listing is printed as the released client prints it", () => {
  let printed = 0;
  for (const { exchanges } of recordings()) {
    for (const { args, exit, stdout, server_sent, listed_after, shown_after } of exchanges) {
      const [before, after] = [server_sent, listed_after].map((hex) => {
        const { version } = listedPifs(hex);
        return pifsOf(listing(version === 1 ? 1 : 2, fromHex(hex))).map(({ name, rules }) => tableText(name, rules))
          .join("");
      });
      assertEquals(`passt/pasta configuration (PATH)\n${after}`, shown_after, args.join(" "));
      if (exit !== 0 || stdout === "") continue;
      const expected = args.length === 0
        ? `passt/pasta configuration (PATH)\n${before}`
        : `Previous configuration (PATH)\n${before}Updated configuration (PATH)\n${after}`;
      assertEquals(expected, stdout, args.join(" "));
      printed++;
    }
  }
  assert(printed > 10);
});

Deno.test("greeting() makes every recorded listing again, to the byte", () => {
  for (const { name, version, hex } of listings.values()) {
    assertEquals(toHex(concat(speakAsServer(passtServer(version), listing(version, fromHex(hex))))), hex, name);
  }
});

Deno.test("update() makes every recorded update again, to the byte", () => {
  for (const { name, version, hex } of updates.values()) {
    assertEquals(toHex(concat(speakAsClient(passtClient(version), update(version, fromHex(hex))))), hex, name);
  }
});

Deno.test("what a recorded client sent makes the listing that followed", () => {
  let applied = 0;
  for (const { file, exchanges } of recordings()) {
    for (const { args, exit, server_sent, client_sent, listed_after } of exchanges) {
      if (exit !== 0 || client_sent === "") continue;
      const version = listedPifs(server_sent).version === 1 ? 1 : 2;
      const sent = update(version, fromHex(client_sent));
      const named = sent.flatMap((event) => event.kind === "table" ? [event.pif] : []);
      const replaced = listing(version, fromHex(server_sent)).flatMap((event): ServerEvent[] => {
        if (event.kind === "rules") return [];
        if (event.kind !== "pif") return [event];
        assert(named.includes(event.pif.id), "Today's client names all pifs");
        return [event, ...sent.filter((one) => one.kind === "rules" && one.pif === event.pif.id) as ServerEvent[]];
      });
      assertEquals(toHex(concat(speakAsServer(passtServer(version), replaced))), listed_after, `${file} ${args}`);
      applied++;
    }
  }
  assert(applied > 30);
});

Deno.test("a server of the released dialect answers nothing", () => {
  const dialect = passtServer(2);
  const verdict = {
    ...{ outcome: "rejected", code: "conflict", revision: 3n, sentence: "No" } as const,
    ...{ kept: 0, opened: 0, retired: 0, failed: 0, rebound: 0 },
  };
  assertEquals(dialect.accepted().length, 0);
  assertEquals(dialect.rejected(verdict).length, 0);
  assertEquals([...dialect.report({ verdict, tables: [], failures: [] })], []);
  assertEquals(dialect.answers, false);
});

Deno.test("shown() says which tables a version can't list, and greeting() lists them as far as it can", () => {
  const plain = [rule({ firstPort: 1 }), rule({ firstPort: 2, address: "*" }), rule({ firstPort: 3, protocol: "udp" })];
  const ownFamily = rule({ firstPort: 4, target: "10.0.0.1" });
  const otherFamily = rule({ firstPort: 5, target: "fd00::1" });
  const dualStack = rule({ firstPort: 6, address: "*", target: "10.0.0.1" });
  const many = Array.from({ length: 1300 }, (_, index) => rule({ firstPort: index + 1, interface: "eth0" }));
  const mixed = many.map((one, index) => index % 10 === 0 ? one : { ...one, target: "10.0.0.1" });
  const cases: [version: PasstVersion, rules: Rule[], listed: Rule[]][] = [
    [1, [], []],
    [1, plain, plain],
    [2, plain, plain],
    [1, [ownFamily, ...plain], plain],
    [2, [ownFamily, ...plain], [ownFamily, ...plain]],
    [2, [otherFamily, plain[0] ?? ownFamily, dualStack, ownFamily], [plain[0] ?? ownFamily, ownFamily]],
    [1, many.slice(0, 255), many.slice(0, 255)],
    [2, many.slice(0, 256), many.slice(0, 255)],
    [2, many, many.slice(0, 255)],
    [1, mixed, mixed.filter(({ target }) => target === undefined)],
  ];
  for (const [version, rules, expected] of cases) {
    using table = RuleTable.of(rules);
    table.setAllStatus("bound");
    const shown = passtServer(version).shown(table);
    assertEquals(shown.kind, rules.length === expected.length ? "whole" : "part");
    const pif = { header: { id: 7, name: "brücke", capabilities: 0x1ff }, table, failures: [] };
    const events = listing(version, concat([...passtServer(version).greeting(HELLO, [pif])]));
    assertEquals(pifsOf(events), [{ id: 7, name: "brücke", capabilities: 0x3f, rules: expected }]);
    if (shown.kind === "whole") continue;
    using echoed = RuleTable.of(expected);
    assertEquals(shown.records, echoed.records(), "What a client sends that leaves the table alone");
  }
});

Deno.test("greeting() refuses a pif name that the field can't hold", () => {
  using table = RuleTable.of([]);
  const greet = (name: string) => {
    const pif: PifTable = { header: { id: 1, name, capabilities: 0 }, table, failures: [] };
    return concat([...passtServer(1).greeting(HELLO, [pif])]);
  };
  assertEquals(listedPifs(toHex(greet("é".repeat(63)))).pifs[0]?.name, "é".repeat(63));
  for (const name of ["", "x".repeat(128), "é".repeat(64), "a\0b"]) assertThrows(() => greet(name), RangeError);
  assertThrows(
    () => greet(""),
    RangeError,
    'Can\'t encode the pif name "": it must be 1 to 127 bytes without a zero byte',
  );
});

Deno.test("expressible() refuses what a version has no words for, and update() sends none of it", () => {
  const pifs = [{ id: 1, name: "HOST" }, { id: 3, name: "SPLICE" }];
  const rules = Array.from({ length: 256 }, (_, index) => rule({ firstPort: index + 1 }));
  const targeted = [rule({ firstPort: 79 }), rule({ firstPort: 80, target: "10.0.0.1", targetPort: 8080 })];
  const crossed = [rule({ firstPort: 80, address: "*", target: "10.0.0.1" })];
  const cases: [PasstVersion, Partial<UpdateHeader>, Rule[], string, object][] = [
    [2, {}, rules, "too-many-rules", {
      message: 'Can\'t send the table of pif "SPLICE": it has 256 rules, and version 2 of the released protocol has ' +
        "room for 255",
      pif: 3,
    }],
    [1, {}, targeted, "target-unsupported", {
      message: 'Can\'t send rule "TCP [127.0.0.1]:80  =>  10.0.0.1:8080" of pif "SPLICE": it has a target address, ' +
        "and version 1 of the released protocol has none",
      pif: 3,
      rule: 1,
    }],
    [2, {}, crossed, "target-unsupported", {
      message: 'Can\'t send rule "TCP [*]:80  =>  10.0.0.1:80" of pif "SPLICE": it has a target address, and version ' +
        "2 of the released protocol has only those of the rule's own family",
      pif: 3,
      rule: 0,
    }],
    ...([{ mode: "staged" }, { mode: "check" }, { holdSeconds: 9 }, { rollBackUndelivered: true }] as const).map(
      (more): [PasstVersion, Partial<UpdateHeader>, Rule[], string, object] => [2, more, [], "mode-unsupported", {
        message: "Can't send such an update: version 2 of the released protocol only has ones that are applied at " +
          "once and kept",
      }],
    ),
  ];
  for (const [version, more, rules, code, details] of cases) {
    using table = RuleTable.of(rules);
    using empty = RuleTable.of([]);
    const [header, tables] = [{ ...HEADER, ...more }, [{ pif: 1, table: empty }, { pif: 3, table }]];
    const dialect = passtClient(version);
    assertEquals<unknown>(dialect.expressible(header, tables, pifs), { kind: "inexpressible", code, ...details });
    assertThrows(() => dialect.update(header, tables), RangeError);
  }
  using targets = RuleTable.of(targeted);
  using full = RuleTable.of(rules.slice(1));
  for (const [version, table] of [[2, targets], [1, full]] as const) {
    assertEquals(passtClient(version).expressible(HEADER, [{ pif: 1, table }], pifs), { kind: "expressible" });
  }
});

Deno.test("signal() and settle() refuse: the released dialect has no second step", () => {
  const signal = assertThrows(() => passtClient(1).signal("commit"), TypeError);
  assertEquals(signal.message, 'Can\'t send "commit": version 1 of the released protocol only has whole tables');
  const settle = assertThrows(() => passtClient(2).settle("rollback"), TypeError);
  assertEquals(settle.message, 'Can\'t send "rollback": version 2 of the released protocol only has whole tables');
});

const HEADER: UpdateHeader = {
  version: 2,
  mode: "one-shot",
  base: 0n,
  rollBackUndelivered: false,
  holdSeconds: 0,
  pifCount: 2,
};

const HELLO: Hello = {
  ...{ version: 1, minCompat: 1, features: 31, revision: 8n, maxPifs: 255, maxRules: 65535, maxSockets: 327680 },
  ...{ transactionSeconds: 60, holdSeconds: 60 },
};

function rule(more: Partial<Rule> & { firstPort: number }): Rule {
  const { firstPort } = more;
  const rest = { lastPort: firstPort, targetPort: firstPort, weak: false, scan: false };
  return { protocol: "tcp", address: "127.0.0.1", ...rest, ...more };
}

function* everythingSent() {
  for (const { name, version, hex } of listings.values()) {
    yield { name, bytes: fromHex(hex), decoder: () => passtClient(version).decoder() };
  }
  for (const { name, version, hex } of updates.values()) {
    yield { name, bytes: fromHex(hex), decoder: () => passtServer(version).decoder(LIMITS) };
  }
}

function listing(version: PasstVersion, bytes: Uint8Array): ServerEvent[] {
  const decoder = passtClient(version).decoder();
  const events = decoder.push(bytes);
  decoder.finish();
  return events;
}

function update(version: PasstVersion, bytes: Uint8Array): ClientEvent[] {
  const decoder = passtServer(version).decoder(LIMITS);
  const events = decoder.push(bytes);
  decoder.finish();
  return events;
}

function rulesOf(records: Uint8Array): Rule[] {
  using table = RuleTable.ofRecords(records);
  assert(table.listedRules().every(({ status, failedPorts }) => status === "unset" && failedPorts === 0));
  return table.rules();
}

function pifsOf(events: readonly ServerEvent[]) {
  return events.flatMap((event) => {
    if (event.kind !== "pif") return [];
    const { ruleCount, runCount, ...pif } = event.pif;
    const rules = events.flatMap((one) => one.kind === "rules" && one.pif === pif.id ? rulesOf(one.records) : []);
    assertEquals([rules.length, 0], [ruleCount, runCount]);
    return [{ ...pif, rules }];
  });
}

function tablesOf(events: readonly ClientEvent[]): Map<number, Rule[]> {
  const tables = new Map<number, Rule[]>();
  for (const event of events) {
    if (event.kind === "table") tables.set(event.pif, []);
    if (event.kind === "rules") tables.set(event.pif, rulesOf(event.records));
  }
  return tables;
}
