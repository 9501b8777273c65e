/**
 * The golden conversations: bytes spelled out by hand, the events that they mean, and both ways between them.
 *
 * @module
 */

import { nativeClient, nativeServer } from "../../codec/native.ts";
import type { ClientEvent, ServerEvent } from "../../codec/types.ts";
import { assert, assertEquals } from "../assert.ts";
import { concat } from "../bytes.ts";
import { hear, singly, speakAsClient, speakAsServer } from "../conversation.ts";
import { fromHex, toHex } from "../hex.ts";
import { type Golden, type GoldenConversation, goldenText } from "../fixtures/golden/make_native.ts";
import { decodeClient, decodeServer } from "../oracle/decode.ts";
import { encodeClient, encodeServer } from "../oracle/frames.ts";

const FILE = new URL("../fixtures/golden/native.json", import.meta.url);
const LIMITS = { maxPifs: 255, maxRules: 65535 };
const golden: Golden = JSON.parse(await Deno.readTextFile(FILE));

Deno.test("goldenText() is what native.json holds", async () => {
  assertEquals(await Deno.readTextFile(FILE), goldenText());
});

for (const conversation of golden.conversations) {
  const { name, sender } = conversation;
  const bytes = concat(conversation.frames.map(({ hex }) => fromHex(hex)));
  const events = eventsOf(conversation);
  const decoder = () => sender === "client" ? nativeServer.decoder(LIMITS) : nativeClient.decoder();

  Deno.test(`push() understands ${name}, whole and byte by byte`, () => {
    for (const pieces of [[bytes], singly(bytes)]) {
      const whole = decoder();
      assertEquals<unknown>(hear<unknown>(whole, pieces), events);
      whole.finish();
    }
  });

  Deno.test(`push() understands ${name}, cut in two anywhere`, () => {
    for (let cut = 0; cut <= bytes.length; cut++) {
      const heard = hear<unknown>(decoder(), [bytes.slice(0, cut), bytes.slice(cut)]);
      assertEquals<unknown>(heard, events, `Cut after ${cut} bytes`);
    }
  });

  Deno.test(`push() gives the events of ${name} with the last byte of each frame`, () => {
    const piecewise = decoder();
    for (const { hex, event } of conversation.frames) {
      const frame = fromHex(hex);
      assertEquals<unknown>(piecewise.push(frame.slice(0, -1)), []);
      const completed = piecewise.push(frame.slice(-1));
      assertEquals<unknown>(completed, event === undefined ? [] : [revived(event)]);
    }
  });

  // A client that only looks sends its magic, or nothing; no encoder is called for it.
  if (events.length > 0) {
    Deno.test(`the encoders spell ${name} to the byte`, () => {
      const chunks = sender === "client"
        ? speakAsClient(nativeClient, events as ClientEvent[])
        : speakAsServer(nativeServer, events as ServerEvent[]);
      assertEquals(toHex(concat(chunks)), toHex(bytes));
    });
  }

  Deno.test(`the oracle reads and writes ${name}`, () => {
    if (sender === "client") {
      assertEquals<unknown>(decodeClient(bytes, LIMITS), { events });
      assertEquals(toHex(encodeClient(events as ClientEvent[])), toHex(bytes));
    } else {
      assertEquals<unknown>(decodeServer(bytes), { events });
      assertEquals(toHex(encodeServer(events as ServerEvent[])), toHex(bytes));
    }
  });
}

Deno.test("the golden conversations show every frame, mode and direction", () => {
  const frames = new Set(golden.conversations.flatMap(({ frames }) => frames.map(({ frame }) => frame)));
  assertEquals(frames.size, 14, "13 types and the magic");
  assert(golden.conversations.some(({ sender }) => sender === "client"));
  assert(golden.conversations.some(({ sender }) => sender === "server"));
});

function eventsOf({ frames }: GoldenConversation): unknown[] {
  return frames.flatMap(({ event }) => event === undefined ? [] : [revived(event)]);
}

/** JSON to an event: the 64-bit fields and the records become what they are. */
function revived(event: unknown): unknown {
  return JSON.parse(JSON.stringify(event), (key, value) => {
    if (key === "revision" || key === "base") return BigInt(value);
    return key === "records" ? fromHex(value) : value;
  });
}
