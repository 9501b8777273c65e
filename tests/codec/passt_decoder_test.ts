/**
 * What the released dialect's decoders make of bytes that break it: one ProtocolError with the right code and sentence,
 * with the byte that makes it certain; and what a hang-up means at every place.
 */

import type { Decoder } from "../../codec/dialect.ts";
import { ProtocolError } from "../../codec/errors.ts";
import { passtListingDecoder, passtUpdateDecoder } from "../../codec/passt_decoder.ts";
import type { ClientEvent, Code } from "../../codec/types.ts";
import { assert, assertEquals, assertStrictEquals, assertThrows } from "../assert.ts";
import { hear, singly } from "../conversation.ts";
import { concat } from "../bytes.ts";
import { u16, u32 } from "../oracle/frames.ts";
import { Random } from "../random.ts";

const LIMITS = { maxPifs: 3, maxRules: 65535 };

const MAGIC = new TextEncoder().encode("basil:s\0");
const END = Uint8Array.of(0);

/** One way of breaking the protocol; the last byte is the one that makes it certain. */
interface Malformed {
  readonly pieces: readonly (Uint8Array | readonly number[])[];
  readonly code: Code;
  readonly message: string;
}

const MALFORMED_LISTINGS: readonly Malformed[] = [
  {
    pieces: [[0x70]],
    code: "bad-magic",
    message: 'Can\'t talk to this server: it must begin with "basil:s" and a zero byte',
  },
  {
    pieces: [MAGIC.subarray(0, 7), [1]],
    code: "bad-magic",
    message: 'Can\'t talk to this server: it must begin with "basil:s" and a zero byte',
  },
  {
    pieces: [MAGIC, u32(0)],
    code: "unsupported-version",
    message: "Can't talk to this server: its version is 0, an experimental one, it must be 1 or 2",
  },
  {
    pieces: [MAGIC, u32(3)],
    code: "unsupported-version",
    message: "Can't talk to this server: its version is 3, it must be 1 or 2",
  },
  {
    pieces: [MAGIC, u32(0x02000000)],
    code: "unsupported-version",
    message: "Can't talk to this server: its version is 33554432, it must be 1 or 2",
  },
  {
    pieces: [MAGIC, u32(2), u32(64)],
    code: "bad-field",
    message: "Can't talk to this server: its pif names have 64 bytes, they must have 128",
  },
  {
    pieces: [MAGIC, u32(1), u32(128), u32(15)],
    code: "bad-field",
    message: "Can't talk to this server: its interface names have 15 bytes, they must have 16",
  },
  {
    pieces: [greeting(1), pif(1, "HOST", 256)],
    code: "too-many-rules",
    message: "Can't take the table of pif 1: it has 256 rules, it may have 255",
  },
  {
    pieces: [greeting(2), pif(1, "HOST", 0), pif(3, "SPLICE", 0), [1]],
    code: "duplicate-pif",
    message: "Can't take the table of pif 1: it was sent already",
  },
  ...[new Uint8Array(128), padded([0, 65]), padded([72, 0, 72]), new Uint8Array(128).fill(65)].map((name) => ({
    pieces: [greeting(2), [9], name],
    code: "bad-field" as const,
    message: "Can't take pif 9: its name must have at least one byte, a zero byte at its end, and zeros after it",
  })),
  {
    pieces: [greeting(2), [9], padded([0xc3, 0x28])],
    code: "bad-field",
    message: "Can't read the name of pif 9: it isn't UTF-8",
  },
  ...[
    { protocol: 132 },
    { flags: 8 },
    { first: 0 },
    { first: 81 },
    { interfaceName: [...new Uint8Array(15), 1] },
    { interfaceName: [...new TextEncoder().encode("sixteen-bytes-on")] },
  ].map((fields) => ({
    pieces: [greeting(2), pif(3, "SPLICE", 3), record(2), record(2, fields), record(2)],
    code: "bad-field" as const,
    message: "Can't take rule 1 of pif 3: a field of its record has a value that it can't have",
  })),
  {
    pieces: [greeting(1), pif(1, "HOST", 1), record(1), END, [0]],
    code: "unexpected-frame",
    message: "Can't take what follows the server's listing: nothing may",
  },
];

const MALFORMED_UPDATES: readonly Malformed[] = [
  {
    pieces: [new TextEncoder().encode("GET /")],
    code: "too-many-rules",
    message: "Can't take the table of pif 71: it has 1163141167 rules, it may have 255",
  },
  {
    pieces: [[1], u32(256)],
    code: "too-many-rules",
    message: "Can't take the table of pif 1: it has 256 rules, it may have 255",
  },
  {
    pieces: [table(1, 1), record(2), table(2, 0), [1]],
    code: "duplicate-pif",
    message: "Can't take the table of pif 1: it was sent already",
  },
  {
    pieces: [table(1, 0), table(2, 0), table(3, 0), [4]],
    code: "bad-field",
    message: "Can't take the table of pif 4: an update may have 3 tables, it has more",
  },
  {
    pieces: [table(1, 0), END, END],
    code: "unexpected-frame",
    message: "Can't take what follows the client's update: nothing may",
  },
  {
    pieces: [END, [1]],
    code: "unexpected-frame",
    message: "Can't take what follows the client's update: nothing may",
  },
];

for (
  const [name, cases, decoder] of [
    ["passtListingDecoder()", MALFORMED_LISTINGS, passtListingDecoder],
    ["passtUpdateDecoder()", MALFORMED_UPDATES, () => passtUpdateDecoder(2, LIMITS)],
  ] as const
) {
  Deno.test(`${name} refuses what breaks the dialect, with the byte that makes it certain`, () => {
    for (const { pieces, code, message } of cases) {
      const bytes = concat(pieces.map((piece) => Uint8Array.from(piece)));
      for (const lastPieces of [[bytes.subarray(-1)], [bytes]]) {
        const dead: Decoder<unknown> = decoder();
        if (lastPieces[0] !== bytes) hear(dead, singly(bytes.subarray(0, -1)));
        const error = assertThrows(() => hear(dead, lastPieces), ProtocolError);
        assertEquals([error.code, error.message], [code, message]);
        assertStrictEquals(assertThrows(() => dead.push(new Uint8Array(0))), error);
        assertStrictEquals(assertThrows(() => dead.finish()), error);
      }
    }
  });
}

Deno.test("passtListingDecoder() says truncated wherever the server may not hang up", () => {
  for (const version of [1, 2]) {
    const pifs = [pif(1, "HOST", 2), record(version), record(version), pif(3, "SPLICE", 0)];
    const bytes = concat([greeting(version), ...pifs, END]);
    for (let length = 0; length <= bytes.length; length++) {
      const decoder = passtListingDecoder();
      decoder.push(bytes.subarray(0, length));
      if (length === 0 || length === bytes.length) decoder.finish();
      else assertTruncated(decoder, "Can't go on: the server hung up in the middle of its listing");
    }
  }
});

Deno.test("passtUpdateDecoder() says truncated wherever half an update has come, so that it changes nothing", () => {
  for (const version of [1, 2] as const) {
    const bytes = concat([table(1, 2), record(version), record(version), table(3, 0), END]);
    for (let length = 0; length <= bytes.length; length++) {
      const decoder = passtUpdateDecoder(version, LIMITS);
      const events = decoder.push(bytes.subarray(0, length));
      assertEquals(events.some(({ kind }) => kind === "end"), length === bytes.length);
      if (length === 0 || length === bytes.length) decoder.finish();
      else assertTruncated(decoder, "Can't go on: the client hung up in the middle of its update");
    }
  }
});

Deno.test("passtUpdateDecoder() makes no event of a lone zero byte", () => {
  const decoder = passtUpdateDecoder(2, LIMITS);
  assertEquals(decoder.push(END), []);
  decoder.finish();
});

Deno.test("passtUpdateDecoder() holds a client to the smaller of both limits", () => {
  const decoder = () => passtUpdateDecoder(1, { maxPifs: 1, maxRules: 2 });
  assertEquals(decoder().push(concat([table(1, 2)])).length, 2);
  const error = assertThrows(() => decoder().push(concat([table(1, 3)])), ProtocolError);
  assertEquals(error.code, "too-many-rules");
});

Deno.test("the decoders keep what a rule says, valid or not, and give records that are the receiver's", () => {
  const fields = { protocol: 132, flags: 0xff, first: 9, last: 3, targetPort: 0, interfaceName: [...MAGIC, ...MAGIC] };
  const bytes = concat([table(1, 1), record(2, fields), END]);
  const [, , rules]: ClientEvent[] = passtUpdateDecoder(2, LIMITS).push(bytes);
  assert(rules?.kind === "rules");
  const expected = concat([record(2, fields), new Uint8Array(8)]);
  assertEquals(rules.records, expected);
  bytes.fill(0xee);
  passtUpdateDecoder(2, LIMITS).push(concat([table(1, 1), record(2), END]));
  assertEquals(rules.records, expected);
});

Deno.test("the decoders take 4,000 mutated conversations, or throw a ProtocolError", () => {
  const random = new Random(21);
  const listing = concat([greeting(2), pif(1, "HOST", 2), record(2), record(2), pif(3, "SPLICE", 0), END]);
  const update = concat([table(1, 2), record(2), record(2), table(3, 0), END]);
  const taken = { listing: 0, update: 0 };
  for (let round = 0; round < 4000; round++) {
    const side = random.pick(["listing", "update"] as const);
    const bytes = side === "listing" ? listing.slice() : update.slice();
    // Near the start, where the magic, the sizes and the counts are.
    bytes[random.between(0, random.pick([30, bytes.length - 1]))] = random.next();
    const decoder = side === "listing" ? passtListingDecoder() : passtUpdateDecoder(2, LIMITS);
    const cut = random.between(0, bytes.length);
    try {
      hear<unknown>(decoder, [bytes.subarray(0, cut), bytes.subarray(cut)]);
      decoder.finish();
      taken[side]++;
    } catch (error) {
      assert(error instanceof ProtocolError, String(error));
    }
  }
  assert(taken.listing > 100 && taken.listing < 1900 && taken.update > 100 && taken.update < 1900, "Some of each");
});

function assertTruncated(decoder: Decoder<unknown>, message: string): void {
  const error = assertThrows(() => decoder.finish(), ProtocolError);
  assertEquals([error.code, error.message], ["truncated", message]);
}

function greeting(version: number): Uint8Array {
  return concat([MAGIC, Uint8Array.from([...u32(version), ...u32(128), ...u32(16)])]);
}

function pif(id: number, name: string, ruleCount: number): Uint8Array {
  return Uint8Array.from([id, ...padded(new TextEncoder().encode(name)), ...u32(0x3f), ...u32(ruleCount)]);
}

function padded(name: Iterable<number>): Uint8Array {
  const field = new Uint8Array(128);
  field.set([...name]);
  return field;
}

function table(pif: number, ruleCount: number): Uint8Array {
  return Uint8Array.from([pif, ...u32(ruleCount)]);
}

/** A rule of the released dialect, from the table of its fields. */
function record(version: number, fields: Partial<{
  first: number;
  last: number;
  targetPort: number;
  protocol: number;
  flags: number;
  interfaceName: readonly number[];
}> = {}): Uint8Array {
  const { first = 80, last = 80, targetPort = 8080, protocol = 6, flags = 1 } = fields;
  const { interfaceName = [...new Uint8Array(16)] } = fields;
  const addresses = new Uint8Array(version === 1 ? 16 : 32);
  return Uint8Array.from([
    ...addresses,
    ...interfaceName,
    ...u16(first),
    ...u16(last),
    ...u16(targetPort),
    protocol,
    flags,
  ]);
}
