/** One decoder for every server: the magic decides, however it is cut. */

import { SERVER_MAGIC } from "../../codec/constants.ts";
import { ServerDecoder } from "../../codec/detect.ts";
import { ProtocolError } from "../../codec/errors.ts";
import { nativeClient } from "../../codec/native.ts";
import { passtClient } from "../../codec/passt.ts";
import type { ServerEvent } from "../../codec/types.ts";
import { assertEquals, assertThrows } from "../assert.ts";
import { hear, singly } from "../conversation.ts";
import { fromHex } from "../hex.ts";
import { encodeServer } from "../oracle/frames.ts";
import { recordings } from "../recordings.ts";

const NATIVE_EVENTS: readonly ServerEvent[] = [
  {
    kind: "hello",
    hello: {
      ...{ version: 2, minCompat: 1, features: 31, revision: 8n, maxPifs: 255, maxRules: 65535, maxSockets: 327680 },
      ...{ transactionSeconds: 60, holdSeconds: 60 },
    },
  },
  { kind: "pif", pif: { id: 1, name: "HOST", capabilities: 0x3f, ruleCount: 0, runCount: 0 } },
  { kind: "listed" },
];

Deno.test("ServerDecoder hears a native server out, and answers in the native dialect", () => {
  const bytes = encodeServer(NATIVE_EVENTS);
  for (let cut = 0; cut <= bytes.length; cut++) {
    const decoder = new ServerDecoder();
    assertEquals(hear(decoder, [bytes.slice(0, cut), bytes.slice(cut)]), NATIVE_EVENTS);
    assertEquals(decoder.dialect, nativeClient, "Even where its version is one of the released dialect's");
    decoder.finish();
  }
});

Deno.test("ServerDecoder hears a released server out, and answers in its version", () => {
  for (const { file, exchanges } of recordings()) {
    const bytes = fromHex(exchanges[0]?.server_sent ?? "");
    const version = file === "pasta-v1.json" ? 1 : 2;
    const expected = passtClient(version).decoder().push(bytes);
    const pieces = Array.from(bytes, (_, cut) => [bytes.slice(0, cut), bytes.slice(cut)]);
    for (const cut of [...pieces, singly(bytes)]) {
      const decoder = new ServerDecoder();
      assertEquals(hear(decoder, cut), expected, file);
      assertEquals([decoder.dialect.name, decoder.dialect.version], ["passt", version]);
      decoder.finish();
    }
  }
});

Deno.test("ServerDecoder knows no dialect before a hello", () => {
  const decoder = new ServerDecoder();
  decoder.finish();
  assertEquals(decoder.push(new Uint8Array(0)), []);
  decoder.push(SERVER_MAGIC);
  assertThrows(
    () => decoder.dialect,
    TypeError,
    "Can't answer the server: it must have said first which protocol it speaks",
  );
});

Deno.test("ServerDecoder refuses whatever has neither magic, at the first byte that is wrong", () => {
  const cases = [["\0", 0], ["HTTP/1.1", 0], ["pesto:c\0", 6], ["pasta:s\0", 1], ["basil:c\0", 6], [
    "besto:s\0",
    1,
  ]] as const;
  for (const [text, wrong] of cases) {
    const bytes = new TextEncoder().encode(text);
    const decoder = new ServerDecoder();
    assertEquals(hear(decoder, singly(bytes.subarray(0, wrong))), [], text);
    const error = assertThrows(() => decoder.push(bytes.subarray(wrong, wrong + 1)), ProtocolError, undefined, text);
    assertEquals(error.code, "bad-magic");
    assertThrows(() => decoder.push(bytes), ProtocolError);
  }
});

Deno.test("ServerDecoder says truncated when the server hangs up within its magic", () => {
  for (const first of ["p", "basil"]) {
    const decoder = new ServerDecoder();
    decoder.push(new TextEncoder().encode(first));
    assertEquals(assertThrows(() => decoder.finish(), ProtocolError).code, "truncated");
  }
});
