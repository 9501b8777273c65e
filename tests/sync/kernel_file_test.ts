import { PIECE, readPieces } from "../../sync/kernel_file.ts";
import { assertEquals } from "../assert.ts";

/** Reads these texts, one after the other, and then the end; counts the reads. */
function reading(texts: readonly string[]) {
  const left = [...texts];
  const file = {
    reads: 0,
    read(into: Uint8Array): Promise<number> {
      file.reads++;
      return Promise.resolve(new TextEncoder().encodeInto(left.shift() ?? "", into).written);
    },
  };
  return file;
}

Deno.test("readPieces() reads up to the end", async () => {
  const file = reading(["a", "b".repeat(PIECE), "c"]);
  assertEquals(await readPieces(file.read, () => false), `a${"b".repeat(PIECE)}c`);
  assertEquals(file.reads, 4);
});

Deno.test("readPieces() reads no further than it is enough", async () => {
  const file = reading(["a", "b", "c"]);
  assertEquals(await readPieces(file.read, (text) => text === "ab"), "ab");
  assertEquals(file.reads, 2);
});
