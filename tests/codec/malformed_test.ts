/**
 * What the native decoders make of bytes that break the protocol: one ProtocolError with the right code, as soon as it
 * is certain, and nothing after it.
 *
 * @module
 */

import type { Decoder } from "../../codec/dialect.ts";
import { ProtocolError } from "../../codec/errors.ts";
import { nativeClient, nativeServer } from "../../codec/native.ts";
import type { ClientEvent, Code, ServerEvent } from "../../codec/types.ts";
import { assertEquals, assertGreater, assertLess, assertStrictEquals, assertThrows } from "../assert.ts";
import { singly } from "../conversation.ts";
import { type Malformed, malformedConversations } from "../malformed.ts";
import { decodeClient, type Decoded, decodeServer } from "../oracle/decode.ts";
import { encodeClient, encodeServer, frame, TYPE, u32 } from "../oracle/frames.ts";
import { Random } from "../random.ts";
import { randomClientEvents, randomServerEvents } from "../random_conversations.ts";

const LIMITS = { maxPifs: 255, maxRules: 65535 };
const CASES = malformedConversations();
const NOTHING = new Uint8Array(0);

for (const code of new Set(CASES.map((malformed) => malformed.code))) {
  const some = CASES.filter((malformed) => malformed.code === code);
  Deno.test(`push() throws ${code} in ${some.length} cases, and is dead afterwards`, () => {
    for (const malformed of some) {
      const { name, bytes } = malformed;
      const whole = decoderOf(malformed);
      const error = assertThrows(() => pushToTheEnd(whole, bytes), ProtocolError, undefined, name);
      assertEquals(error.code, code, name);
      assertStrictEquals(assertThrows(() => whole.push(new Uint8Array(0))), error, name);
      assertStrictEquals(assertThrows(() => whole.push(bytes)), error, name);
    }
  });
}

Deno.test("push() gives the events before the fault, however the bytes are cut, and throws after them", () => {
  for (const malformed of CASES) {
    const { name, sender, bytes } = malformed;
    const { events, fault } = listen(decoderOf(malformed), [bytes]);
    assertEquals<unknown>({ events, fault }, oracleSays(sender, bytes), name);
  }
});

Deno.test("push() gives the events before the fault and throws with the byte that makes it certain", () => {
  for (const malformed of CASES) {
    const { name, bytes } = malformed;
    const expected = oracleSays(malformed.sender, bytes);
    assertEquals(expected.fault, malformed.code, `The oracle on ${name}`);
    const { events, fault, consumed } = listen(decoderOf(malformed), singly(bytes));
    assertEquals<unknown>({ events, fault }, expected, name);
    assertEquals(consumed, certainFrom(malformed.sender, bytes), `Bytes until the fault of ${name}`);
  }
});

Deno.test("decoder() holds a client to the limits that it was given", () => {
  const update = (pifCount: number) =>
    encodeClient([{
      kind: "update",
      header: { version: 1, mode: "staged", base: 0n, rollBackUndelivered: false, holdSeconds: 0, pifCount },
    }]);
  const limits = { maxPifs: 3, maxRules: 20 };
  assertEquals(nativeServer.decoder(limits).push(update(3)).length, 1);
  const tooMany = assertThrows(() => nativeServer.decoder(limits).push(update(4)), ProtocolError);
  assertEquals(tooMany.code, "bad-field");

  const decoder = nativeServer.decoder(limits);
  decoder.push(update(3));
  assertEquals(decoder.push(frame(TYPE.TABLE, [...u32(1), ...u32(0)])).length, 1);
  assertEquals(decoder.push(frame(TYPE.TABLE, [...u32(2), ...u32(20)])).length, 1);
  const other = nativeServer.decoder(limits);
  other.push(update(3));
  const tooLong = assertThrows(() => other.push(frame(TYPE.TABLE, [...u32(2), ...u32(21)])), ProtocolError);
  assertEquals(tooLong.code, "too-many-rules");
});

Deno.test("finish() throws truncated inside a magic, a frame or a table, and nowhere else", () => {
  const random = new Random(11);
  for (const sender of ["client", "server"] as const) {
    for (let round = 0; round < 40; round++) {
      const { bytes, frameEnds, tableParts } = conversation(random, sender);
      for (let length = 0; length <= bytes.length; length++) {
        const decoder = decoderOf({ sender });
        decoder.push(bytes.slice(0, length));
        if (length === 0 || (frameEnds.has(length) && !tableParts.has(length))) {
          decoder.finish();
        } else {
          const error = assertThrows(() => decoder.finish(), ProtocolError, undefined, `${sender} ${length}`);
          assertEquals(error.code, "truncated");
        }
      }
    }
  }
});

Deno.test("push() takes no memory for what is only announced", () => {
  const update = encodeClient([
    {
      kind: "update",
      header: { version: 1, mode: "staged", base: 0n, rollBackUndelivered: false, holdSeconds: 0, pifCount: 1 },
    },
    { kind: "table", pif: 1, ruleCount: 65535 },
  ]);
  const firstByte = frame(TYPE.RULES, new Uint8Array(65536)).slice(0, 9);
  const before = Deno.memoryUsage();
  const decoders = Array.from({ length: 4000 }, () => {
    const decoder = nativeServer.decoder(LIMITS);
    assertEquals(decoder.push(update).length, 2);
    assertEquals(decoder.push(firstByte), []);
    return decoder;
  });
  const after = Deno.memoryUsage();
  // 4,000 tables of 65,535 records would be 16 GiB; 4,000 decoders with a frame each would be 256 MiB.
  assertLess(after.external + after.heapUsed - before.external - before.heapUsed, 300 * 2 ** 20);
  assertEquals(decoders.length, 4000);
});

Deno.test("push() makes of 20,000 mutated conversations what the oracle makes of them", () => {
  const random = new Random(12);
  const faults = new Map<Code | "none", number>();
  for (let round = 0; round < 20_000; round++) {
    const sender = random.pick(["client", "server"] as const);
    const whole = sender === "client"
      ? encodeClient(rearranged(random, randomClientEvents(random, 3)))
      : encodeServer(rearranged(random, randomServerEvents(random, 3)));
    const bytes = random.chance(20) ? whole : mutated(random, whole);
    const expected = oracleSays(sender, bytes);
    const { events, fault } = listen(decoderOf({ sender }), cutAnywhere(random, bytes));
    assertEquals(fault, expected.fault, `Round ${round}`);
    assertEquals<unknown>(events, expected.events, `Round ${round}`);
    faults.set(fault ?? "none", (faults.get(fault ?? "none") ?? 0) + 1);
  }
  for (const code of ["none", ...new Set(CASES.map((malformed) => malformed.code))] as const) {
    assertGreater(faults.get(code) ?? 0, 20, `Conversations with ${code}`);
  }
});

/** Pushes bytes, and asks for the fault that may lie behind their events. */
function pushToTheEnd(decoder: Decoder<unknown>, bytes: Uint8Array): void {
  decoder.push(bytes);
  decoder.push(NOTHING);
}

function decoderOf({ sender }: Pick<Malformed, "sender">): Decoder<unknown> {
  return sender === "client" ? nativeServer.decoder(LIMITS) : nativeClient.decoder();
}

function oracleSays(sender: Malformed["sender"], bytes: Uint8Array): Decoded<unknown> {
  return sender === "client" ? decodeClient(bytes, LIMITS) : decodeServer(bytes);
}

/** The events until the pieces end or a fault comes, and the bytes that were fed; anything but a ProtocolError escapes. */
function listen(decoder: Decoder<unknown>, pieces: Iterable<Uint8Array>): Decoded<unknown> & { consumed: number } {
  const events: unknown[] = [];
  let consumed = 0;
  for (const piece of pieces) {
    consumed += piece.length;
    try {
      events.push(...decoder.push(piece));
      assertEquals(decoder.push(NOTHING), []);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      assertStrictEquals(assertThrows(() => decoder.push(new Uint8Array(1))), error);
      return { events, fault: error.code, consumed };
    }
  }
  return { events, consumed };
}

/** The fewest bytes from the start that the oracle finds the fault in. */
function certainFrom(sender: Malformed["sender"], bytes: Uint8Array): number {
  // More bytes never mend a fault, so the place can be found by halving.
  let [fine, broken] = [0, bytes.length];
  while (broken - fine > 1) {
    const middle = (fine + broken) >> 1;
    if (oracleSays(sender, bytes.slice(0, middle)).fault === undefined) fine = middle;
    else broken = middle;
  }
  return broken;
}

/** A random conversation, where its magic and frames end, and which of those ends are inside a table. */
function conversation(
  random: Random,
  sender: Malformed["sender"],
): { bytes: Uint8Array; frameEnds: Set<number>; tableParts: Set<number> } {
  const clientEvents = randomClientEvents(random, 2);
  const serverEvents = randomServerEvents(random, 2);
  const events = sender === "client" ? clientEvents : serverEvents;
  const encode = (count: number) =>
    sender === "client" ? encodeClient(clientEvents.slice(0, count)) : encodeServer(serverEvents.slice(0, count));
  const frameEnds = new Set<number>();
  const tableParts = new Set<number>();
  let missing = 0;
  for (let index = 0; index <= events.length; index++) {
    const end = encode(index).length;
    frameEnds.add(end);
    missing = Math.max(0, missing + announced(events[index - 1]));
    if (missing > 0) tableParts.add(end);
  }
  return { bytes: encode(events.length), frameEnds, tableParts };
}

/** How many more records and runs of ports have to follow because of an event, or fewer. */
function announced(event: ClientEvent | ServerEvent | undefined): number {
  switch (event?.kind) {
    case "table":
      return event.ruleCount;
    case "pif":
      return event.pif.ruleCount + event.pif.runCount;
    case "rules":
      return -event.records.length / 64;
    case "ports":
      return -event.failure.ports.length;
    default:
      return 0;
  }
}

function* cutAnywhere(random: Random, bytes: Uint8Array): Iterable<Uint8Array> {
  const longest = random.pick([1, 20, 200, 5000]);
  for (let at = 0; at < bytes.length;) {
    const length = random.between(1, longest);
    yield bytes.slice(at, at + length);
    at += length;
  }
}

/** The events as they are, or with one missing, said twice, or in another's place. */
function rearranged<T>(random: Random, events: readonly T[]): T[] {
  const at = random.between(0, events.length - 1);
  const other = random.between(0, events.length - 1);
  const [before, event, after] = [events.slice(0, at), events.slice(at, at + 1), events.slice(at + 1)];
  switch (random.between(0, 5)) {
    case 0:
      return [...before, ...after];
    case 1:
      return [...before, ...event, ...event, ...after];
    case 2:
      return [...events.slice(0, other), ...event, ...events.slice(other)];
    default:
      return [...events];
  }
}

/** The bytes with one to three things changed, which may leave them in order all the same. */
function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  let changed = Uint8Array.from(bytes);
  for (let count = random.between(1, 3); count > 0 && changed.length > 0; count--) {
    const at = random.between(0, changed.length - 1);
    const length = random.between(1, 16);
    const [head, tail] = [changed.subarray(0, at), changed.subarray(at)];
    switch (random.between(0, 7)) {
      case 0:
        changed[at] = random.next();
        break;
      case 1:
        changed[at] = (changed[at] ?? 0) ^ (1 << random.between(0, 7));
        break;
      case 2:
        changed = Uint8Array.from([...head, ...tail.subarray(length)]);
        break;
      case 3:
        changed = Uint8Array.from([...head, ...tail.subarray(0, length), ...tail]);
        break;
      case 4:
        changed.fill(0xff, at, at + random.between(1, 4));
        break;
      case 5:
        changed.fill(0, at, at + random.between(1, 4));
        break;
      case 6:
        changed = Uint8Array.from([...head, ...random.bytes(length), ...tail]);
        break;
      default:
        if (at > 0) changed = Uint8Array.from(head);
    }
  }
  return changed;
}
