import { Channel, type Connection, gathered } from "../../codec/channel.ts";
import type { Decoder } from "../../codec/dialect.ts";
import { ProtocolError } from "../../codec/errors.ts";
import { nativeClient, nativeServer } from "../../codec/native.ts";
import { assert, assertEquals, assertRejects } from "../assert.ts";

interface Letter {
  readonly kind: string;
}

/** A dialect of single letters, in which `!` is an error and a `(` must be followed by something. */
function letters(): Decoder<Letter> {
  let open = false;
  return {
    push(bytes) {
      return [...new TextDecoder().decode(bytes)].map((kind) => {
        if (kind === "!") throw new ProtocolError("bad-field", "Can't take !");
        open = kind === "(";
        return { kind };
      });
    },
    finish() {
      if (open) throw new ProtocolError("truncated", "Can't end after (");
    },
  };
}

/** A connection whose other side is a test. */
class Fake implements Connection {
  readonly written: string[] = [];
  closed = 0;
  /** Bytes that one write takes at most. */
  appetite = Infinity;
  readonly #incoming: (string | null)[] = [];
  #wake = Promise.withResolvers<void>();

  feed(...chunks: (string | null)[]): void {
    this.#incoming.push(...chunks);
    this.#wake.resolve();
  }
  async read(into: Uint8Array): Promise<number | null> {
    while (this.#incoming.length === 0) {
      await this.#wake.promise;
      this.#wake = Promise.withResolvers();
    }
    const chunk = this.#incoming.shift();
    return chunk === null || chunk === undefined ? null : new TextEncoder().encodeInto(chunk, into).written;
  }
  write(bytes: Uint8Array): Promise<number> {
    const taken = bytes.subarray(0, this.appetite);
    this.written.push(new TextDecoder().decode(taken));
    return Promise.resolve(taken.length);
  }
  close(): void {
    this.closed++;
  }
}

Deno.test("Channel.next() hands out events one by one, and undefined for ever after the end", async () => {
  const fake = new Fake();
  const channel = new Channel(fake, letters());
  fake.feed("ab", "c", null);
  const kinds = [];
  for (let event = await channel.next(); event !== undefined; event = await channel.next()) kinds.push(event.kind);
  assertEquals(kinds, ["a", "b", "c"]);
  assertEquals(await channel.next(), undefined);
});

Deno.test("Channel.next() loses nothing when its signal interrupts a read", async () => {
  const fake = new Fake();
  const channel = new Channel(fake, letters());
  const controller = new AbortController();
  const interrupted = channel.next(controller.signal);
  controller.abort(new RangeError("enough"));
  await assertRejects(() => interrupted, RangeError, "enough");
  fake.feed("a");
  assertEquals((await channel.next())?.kind, "a");
});

Deno.test("Channel.next() throws what the decoder throws, at the end of the bytes too", async () => {
  const broken = new Fake();
  broken.feed("!");
  assertEquals((await assertRejects(() => new Channel(broken, letters()).next(), ProtocolError)).code, "bad-field");
  const cut = new Fake();
  cut.feed("(", null);
  const channel = new Channel(cut, letters());
  await channel.next();
  assertEquals((await assertRejects(() => channel.next(), ProtocolError)).code, "truncated");
});

Deno.test("Channel.next() hands out what came before a fault, and throws it before it reads on", async () => {
  const fake = new Fake();
  const decoder = nativeServer.decoder({ maxPifs: 1, maxRules: 1 });
  const channel = new Channel<Letter>(fake, decoder);
  const bytes = Uint8Array.of(...nativeClient.settle("commit"), ...nativeClient.signal("commit"));
  fake.feed(new TextDecoder().decode(bytes));
  assertEquals(await channel.next(), { kind: "commit" });
  for (let times = 0; times < 2; times++) {
    assertEquals((await assertRejects(() => channel.next(), ProtocolError)).code, "unexpected-frame");
  }
});

Deno.test("Channel.next() refuses more bytes than the other side may send", async () => {
  const fake = new Fake();
  const channel = new Channel(fake, letters(), 3);
  fake.feed("ab", "cd");
  await channel.next();
  await channel.next();
  const error = await assertRejects(() => channel.next(), ProtocolError);
  assertEquals(error.code, "too-many-bytes");
  assertEquals(error.message, "Can't read a transaction: it has more than 3 bytes");
});

Deno.test("Channel.send() writes on until every byte is taken", async () => {
  const fake = new Fake();
  fake.appetite = 2;
  await new Channel(fake, letters()).send([new TextEncoder().encode("abc"), new TextEncoder().encode("d")]);
  assertEquals(fake.written, ["ab", "c", "d"]);
});

Deno.test("Channel.send() gives up when its signal is aborted", async () => {
  const fake = new Fake();
  fake.write = () => new Promise(() => {});
  const controller = new AbortController();
  const sending = new Channel(fake, letters()).send([new Uint8Array(1)], controller.signal);
  controller.abort(new RangeError("enough"));
  await assertRejects(() => sending, RangeError, "enough");
});

Deno.test("Channel.hungUp() resolves at the end and on a broken connection, not on bytes", async () => {
  const ended = new Fake();
  const waiting = new Channel(ended, letters()).hungUp();
  ended.feed(null);
  await waiting;

  const broken = new Fake();
  broken.read = () => Promise.reject(new Error("reset"));
  await new Channel(broken, letters()).hungUp();

  const talking = new Fake();
  const channel = new Channel(talking, letters());
  let gone = false;
  channel.hungUp().then(() => gone = true);
  talking.feed("a");
  assertEquals((await channel.next())?.kind, "a");
  assert(!gone);
});

Deno.test("Channel closes its connection once, when it is disposed of", () => {
  const fake = new Fake();
  const channel = new Channel(fake, letters());
  channel[Symbol.dispose]();
  channel[Symbol.dispose]();
  assertEquals(fake.closed, 1);
});

Deno.test("Channel.send() leaves nothing unhandled when it is over before a write fails", async () => {
  const fake = new Fake();
  fake.write = () => Promise.reject(new Error("gone"));
  using channel = new Channel(fake, letters());
  const reason = new Error("over");
  // An unhandled rejection would end the test, as it would the server.
  assertEquals(await channel.send([new Uint8Array(1)], AbortSignal.abort(reason)).catch((error) => error), reason);
  await new Promise((resolve) => setTimeout(resolve));
});

Deno.test("Channel reads into one buffer, which an interrupted read keeps", async () => {
  const fake = new Fake();
  const buffers = new Set<ArrayBufferLike>();
  const read = fake.read.bind(fake);
  fake.read = (into) => {
    buffers.add(into.buffer);
    return read(into);
  };
  const channel = new Channel(fake, letters());
  const impatient = new AbortController();
  const first = channel.next(impatient.signal);
  impatient.abort(new Error("no patience"));
  await assertRejects(() => first, Error, "no patience");
  fake.feed("ab", "c", null);
  const kinds = [await channel.next(), await channel.next(), await channel.next()].map((event) => event?.kind);
  assertEquals([kinds, await channel.next(), buffers.size], [["a", "b", "c"], undefined, 1]);
});

Deno.test("gathered() puts together what fits into 64 KiB, and takes nothing apart", () => {
  const chunks = [8, 48, 65536, 8, 65528, 1, 70000, 1, 2].map((size, index) => new Uint8Array(size).fill(index));
  const sizes = [...gathered(chunks)];
  assertEquals(sizes.map(({ length }) => length), [56, 65536, 65536, 1, 70000, 3]);
  const bytes = (parts: readonly Uint8Array[]) => parts.map((part) => part.reduce((sum, byte) => sum + byte, 0));
  assertEquals(bytes(sizes), [48, 2 * 65536, 3 * 8 + 4 * 65528, 5, 6 * 70000, 7 + 2 * 8]);
  assertEquals([...gathered([])], []);
});
