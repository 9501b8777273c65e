import { PestoError } from "../../../codec/errors.ts";
import { givenDescriptor, sendDatagram, writeAndClose } from "../../../sync/linux.ts";
import { C, cString, openLibc } from "../../../sync/linux/libc.ts";
import { assertEquals, assertThrows } from "../../assert.ts";
import { DatagramReceiver } from "../../datagram_receiver.ts";
import { openFiles } from "../harness.ts";
import { testInFolder } from "../../folder.ts";

/** A descriptor as another program would leave it to this one: it stays open over exec. */
function leftOpen(path: string): number {
  using libc = openLibc();
  return libc.call.open(cString(path), path === "/dev/null" ? C.O_RDONLY : C.O_WRONLY);
}

/** Whether one of this process's descriptors is of that file. */
function leadsTo(name: string, path: string): boolean {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${name}`) === Deno.realPathSync(path);
  } catch (error) {
    // The one with which the list was read.
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function close(descriptor: number): void {
  using libc = openLibc();
  libc.call.close(descriptor);
}

testInFolder(
  "givenDescriptor() tells what was opened for the program from what it has opened itself",
  async (folder) => {
    const path = `${folder}/file`;
    await Deno.writeTextFile(path, "");
    using _file = Deno.openSync(path, { write: true });
    const opened = Array.from(Deno.readDirSync("/proc/self/fd"), ({ name }) => name).filter((name) =>
      leadsTo(name, path)
    );
    assertEquals(opened.map((name) => givenDescriptor(Number(name))), ["not-given"]);
    assertEquals(givenDescriptor(1_000_000), "not-given");
    for (const [from, expected] of [[path, "writable"], ["/dev/null", "read-only"]] as const) {
      const descriptor = leftOpen(from);
      assertEquals(givenDescriptor(descriptor), expected);
      close(descriptor);
    }
  },
);

testInFolder("writeAndClose() does both, and closes also what can't be written", async (folder) => {
  const path = `${folder}/file`;
  await Deno.writeTextFile(path, "");
  const before = openFiles();
  writeAndClose(leftOpen(path), "done\n");
  assertEquals(await Deno.readTextFile(path), "done\n");
  const descriptor = leftOpen("/dev/null");
  const error = assertThrows(() => writeAndClose(descriptor, "done\n"), PestoError);
  assertEquals([error.code, error.message], [
    "EBADF",
    `Can't write to descriptor "${descriptor}": bad file descriptor (EBADF)`,
  ]);
  assertEquals(openFiles(), before);
});

testInFolder("sendDatagram() finds a socket by its path, and by its abstract name", (folder) => {
  const before = openFiles();
  for (const name of [`${folder}/notify`, `@pesto-test-${folder}`]) {
    using receiver = new DatagramReceiver(name);
    sendDatagram(name, "READY=1");
    sendDatagram(name, "STOPPING=1");
    assertEquals([receiver.poll(), receiver.poll(), receiver.poll()], ["READY=1", "STOPPING=1", undefined]);
  }
  assertEquals(openFiles(), before);
});

testInFolder("sendDatagram() says why it can't, and doesn't wait for room", (folder) => {
  const before = openFiles();
  const failure = (name: string) => {
    const error = assertThrows(() => sendDatagram(name, "READY=1"), PestoError);
    return [error.code, error.message];
  };
  const path = `${folder}/notify`;
  assertEquals(failure(path), ["ENOENT", `Can't send to socket "${path}": no such file (ENOENT)`]);
  assertEquals(failure("@none")[0], "ECONNREFUSED");
  const long = `/${"x".repeat(107)}`;
  assertThrows(() => sendDatagram(long, "READY=1"), RangeError, `Can't name a socket "${long}": it is longer`);
  {
    using _busy = new DatagramReceiver(path);
    const full = () => {
      for (;;) sendDatagram(path, "READY=1");
    };
    assertEquals(assertThrows(full, PestoError).code, "EAGAIN");
  }
  assertEquals(openFiles(), before);
});
