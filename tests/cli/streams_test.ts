import { OutputError } from "../../cli/output.ts";
import { streamOutput } from "../../cli/streams.ts";
import { assertEquals, assertThrows } from "../assert.ts";

/** A stream that takes `size` bytes at a time, and fails once it has taken `limit`. */
function stream(size = Infinity, limit = Infinity, failure: () => Error = () => new Error("unused")) {
  const bytes: number[] = [];
  return {
    get text() {
      return new TextDecoder().decode(Uint8Array.from(bytes));
    },
    writeSync(chunk: Uint8Array): number {
      if (bytes.length >= limit) throw failure();
      const taken = chunk.subarray(0, size);
      bytes.push(...taken);
      return taken.length;
    },
  };
}

const systemError = (code: string) => () => Object.assign(new Error("it failed"), { code });

Deno.test("streamOutput() goes on until a stream has taken everything", () => {
  const [stdout, stderr] = [stream(3), stream(2)];
  const output = streamOutput(stdout, stderr);
  output.print("first\n");
  output.print("zweiter Größe\n");
  output.complain("oh");
  assertEquals([stdout.text, stderr.text], ["first\nzweiter Größe\n", "oh\n"]);
});

Deno.test("streamOutput() throws a sentence when the disk is full", () => {
  const output = streamOutput(stream(3, 3, systemError("ENOSPC")), stream());
  const error = assertThrows(() => output.print("a listing"), OutputError);
  assertEquals(error.message, "Can't write the output: no space left (ENOSPC)");
});

Deno.test("streamOutput() drops the rest when the reader has gone", () => {
  const stdout = stream(4, 4, () => new Deno.errors.BrokenPipe());
  const output = streamOutput(stdout, stream());
  output.print("a listing");
  output.print("more");
  assertEquals(stdout.text, "a li");
});

Deno.test("streamOutput() never throws for standard error, and lets no escape sequence through", () => {
  streamOutput(stream(), stream(1, 0, systemError("EIO"))).complain("nobody hears");
  const stderr = stream();
  streamOutput(stream(), stderr).complain("one\x1b[2J\n\ttwo");
  assertEquals(stderr.text, "one\ufffd[2J\n\ufffdtwo\n");
});

Deno.test("streamOutput() rewrites a line where there is a terminal, and ends it before anything else is written", () => {
  assertEquals(streamOutput(stream(), stream()).rewrite, undefined);
  const stderr = stream();
  const output = streamOutput(stream(), { writeSync: (bytes) => stderr.writeSync(bytes), isTerminal: () => true });
  output.rewrite?.("10 left");
  output.rewrite?.("9 left");
  output.complain("Done");
  output.rewrite?.("again\x1b");
  output.print("out");
  output.complain("end");
  assertEquals(stderr.text, "\r10 left\r9 left \nDone\n\ragain\ufffd\nend\n");
});
