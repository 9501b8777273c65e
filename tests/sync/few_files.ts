/**
 * Run with a low limit of open files: uses all of them up, so that the backend that the argument names gets none for a
 * connection and for a UDP peer that come then, frees them again, and prints what the backend said and did.
 */

import process from "node:process";
import { linuxBackend } from "../../sync/linux.ts";
import { portableBackend } from "../../sync/portable.ts";
import {
  Datagrams,
  encode,
  endpointAt,
  freePort,
  namedDatagrams,
  namedTarget,
  readSome,
  routeTo,
  until,
  useUpFiles,
  writeAll,
} from "./harness.ts";

/** Milliseconds to look at the processor's use: time for thousands of attempts if they came one after the other. */
const LOOK = 300;

// Deno 2.9 opens what it needs for signals some time after its start, and panics if it can't: have it done now.
const ignored = () => {};
Deno.addSignalListener("SIGUSR2", ignored);
Deno.removeSignalListener("SIGUSR2", ignored);

const messages: string[] = [];
await using target = namedTarget("a");
await using udpTarget = namedDatagrams("a");
const make = Deno.args[0] === "linux" ? linuxBackend : portableBackend;
// The first backend of a program has the kernel's table of files grown aside, which frees files that nobody waits for.
await make()[Symbol.asyncDispose]();
await using backend = make({ log: (message) => messages.push(message) });
const [port, udpPort] = [await freePort("tcp"), await freePort("udp")];
await backend.open(endpointAt("tcp", "127.0.0.1", port), routeTo(port, target.port));
await backend.open(endpointAt("udp", "127.0.0.1", udpPort), routeTo(udpPort, udpTarget.port));
await using peer = new Datagrams();

const files = useUpFiles();
using client = await Deno.connect({ hostname: "127.0.0.1", port });
await writeAll(client, encode("waited"));
await until("a failed accept", () => messages.length === 1);
for (const text of ["lost", "lost, too"]) peer.send(text, udpPort);
await until("a failed flow", () => messages.length === 2);

const before = process.cpuUsage();
await new Promise((resolve) => setTimeout(resolve, LOOK));
const { user, system } = process.cpuUsage(before);
for (const file of files) file.close();

const answer = await readSome(client);
peer.send("hello", udpPort);
console.log(JSON.stringify({
  messages: messages.map((message) => message.replace(`${port}`, "PORT")),
  busyPart: (user + system) / 1000 / LOOK,
  answers: [answer, await peer.receiveText()],
}));
