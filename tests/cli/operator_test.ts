import { type InputStream, operatorAt } from "../../cli/operator.ts";
import { assertEquals } from "../assert.ts";

/** Standard input that gives these pieces, `null` for an end, and then nothing any more. */
class TestInput implements InputStream {
  readonly #pieces: (string | null)[];
  /** Resolves when all has been read, and more is wanted. */
  readonly drained = Promise.withResolvers<void>();
  terminal = true;
  reads = 0;

  constructor(...pieces: (string | null)[]) {
    this.#pieces = pieces;
  }

  isTerminal(): boolean {
    return this.terminal;
  }

  read(bytes: Uint8Array): Promise<number | null> {
    this.reads++;
    const piece = this.#pieces.shift();
    if (piece === undefined) {
      this.drained.resolve();
      return new Promise(() => {});
    }
    return Promise.resolve(piece === null ? null : new TextEncoder().encodeInto(piece, bytes).written);
  }
}

/** What is decided before all of the input has been read. */
async function decision(input: TestInput): Promise<string> {
  using operator = operatorAt(input);
  return await Promise.race([operator.decision(), input.drained.promise.then(() => "undecided")]);
}

Deno.test("operatorAt() takes Enter alone for consent", async () => {
  assertEquals(await decision(new TestInput("\n")), "keep");
  assertEquals(await decision(new TestInput("\r")), "keep");
  assertEquals(await decision(new TestInput("no\n")), "undecided");
  assertEquals(await decision(new TestInput("no", "\n")), "undecided");
  assertEquals(await decision(new TestInput("no\n", "\n")), "keep");
});

Deno.test("operatorAt() takes the end of the input for nothing, as long as the terminal is there", async () => {
  assertEquals(await decision(new TestInput(null)), "undecided");
  assertEquals(await decision(new TestInput(null, null, "\n")), "keep");
});

Deno.test("operatorAt() takes it for a no that the terminal has gone away", async () => {
  const input = new TestInput(null);
  using operator = operatorAt(input);
  input.terminal = false;
  assertEquals(await operator.decision(), "undo");
});

Deno.test("operatorAt() reads nothing but a terminal", () => {
  const input = new TestInput("\n");
  input.terminal = false;
  using operator = operatorAt(input);
  operator.decision();
  assertEquals([operator.atTerminal, input.reads], [false, 0]);
});
