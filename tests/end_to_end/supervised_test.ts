/** What `pesto serve` tells whoever has started it. */

import { look } from "../../client.ts";
import { assertEquals, assertStringIncludes } from "../assert.ts";
import { DatagramReceiver } from "../datagram_receiver.ts";
import { EchoTarget, firstWords, freePorts } from "../harness.ts";
import { pesto, pestoInShell, Serving } from "./program.ts";
import { testInFolder } from "../folder.ts";

testInFolder(
  "pesto serve --ready-fd writes a newline and closes the descriptor when all sockets stand",
  async (folder) => {
    const [control, pipe] = [`${folder}/control`, `${folder}/ready`];
    await new Deno.Command("mkfifo", { args: [pipe] }).output();
    using target = new EchoTarget("A");
    const [port = 0] = freePorts(1);
    // A reader of its own, because the runtime itself may stand still until the pipe has a writer.
    await using reader = new Deno.Command("cat", { args: [pipe], stdout: "piped" }).spawn();
    // The pipe ends only when the program has closed its descriptor.
    const told = reader.output().then(async ({ stdout }) => [
      new TextDecoder().decode(stdout),
      await firstWords(port),
      (await look(control)).pifs.length,
    ]);
    const script = `exec "$0" "$@" 5>'${pipe}'`;
    await using _serving = await Serving.startUnder(
      { script },
      ...["--ready-fd", "5", "-t", `127.0.0.1/${port}:${target.port}`, control],
    );
    assertEquals(await told, ["\n", "A", 1]);
  },
);

testInFolder("pesto serve refuses a --ready-fd that it wasn't given, before it does anything", async (folder) => {
  const control = `${folder}/control`;
  const refusal = (reason: string) => ({
    status: 1,
    stdout: "",
    stderr: `Can't take "--ready-fd 5": ${reason}\nTry "pesto serve --help"\n`,
  });
  const args = ["serve", "--ready-fd", "5", control];
  assertEquals(
    await pestoInShell('exec "$0" "$@" 5>&-', ...args),
    refusal("whoever starts the program must have opened it, and has not"),
  );
  assertEquals(
    await pestoInShell('exec "$0" "$@" 5</dev/null', ...args),
    refusal("it is open for reading, and must be for writing"),
  );
  assertEquals([...Deno.readDirSync(folder)], []);
});

testInFolder("pesto serve tells NOTIFY_SOCKET when all sockets stand, and when it stops", async (folder) => {
  const control = `${folder}/control`;
  using receiver = new DatagramReceiver(`${folder}/notify`);
  await using serving = await Serving.startUnder({ env: { NOTIFY_SOCKET: receiver.name } }, control);
  assertEquals(await receiver.next(), `READY=1\nSTATUS=Control socket "${control}"`);
  assertEquals((await look(control)).hello.revision, 1n);
  serving.signal("SIGTERM");
  assertEquals(await receiver.next(), "STOPPING=1");
  assertEquals(await serving.ended(), 0);
});

testInFolder("pesto serve serves though NOTIFY_SOCKET leads nowhere, and says so", async (folder) => {
  const control = `${folder}/control`;
  await using serving = await Serving.startUnder({ env: { NOTIFY_SOCKET: `${folder}/none` } }, control);
  assertStringIncludes(
    await serving.logs("NOTIFY_SOCKET"),
    `Can't send to socket "${folder}/none": no such file (ENOENT)`,
  );
  assertEquals((await pesto(control)).status, 0);
  serving.signal("SIGTERM");
  assertEquals(await serving.ended(), 0);
});
