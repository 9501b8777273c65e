/**
 * A hundred thousand transactions with something wrong in them: the decoder refuses them properly or not at all, and a
 * server answers within the protocol, changes nothing, finds no fault of its own, and needs no more memory in the end
 * than near the beginning. Run by `mutation_test.ts` as a program of its own, since what other tests have left in memory, and
 * how far the core's has grown for them, would count; prints what came of it.
 *
 * @module
 */

import { MAX_PIFS, MAX_RULES } from "../../codec/constants.ts";
import { ProtocolError } from "../../codec/errors.ts";
import { nativeClient, nativeServer } from "../../codec/native.ts";
import { assertEquals, assertGreater, assertInstanceOf, assertLess } from "../assert.ts";
import { concat } from "../bytes.ts";
import { hear } from "../conversation.ts";
import { Random } from "../random.ts";
import { tcpRule } from "../rules.ts";
import { openFiles } from "../sync/harness.ts";
import { boundSockets, freeRun } from "./kernel_sockets.ts";
import { liveMemory, mebibytes } from "./live_memory.ts";
import { MemoryServer } from "./memory_control.ts";
import { mutatedTransaction, pieces } from "./mutations.ts";

const SEED = 4;
const TRANSACTIONS = 100_000;
/** Conversations at a time: enough that some meet an applied table, or wait for their turn. */
const LANES = 8;
/** After so many of them the program has all the memory that it needs. */
const WARM_UP = 20_000;
/**
 * Bytes that may be in use beyond that in the end: 420 for each of the conversations since. It is 0.2 to 1.2 MiB on a
 * machine without connections, 1.8 MiB with 11,000 of them in the kernel's lists, which mutated scan rules have the server
 * read, and 19 MiB after all other tests.
 */
const GROWTH = 32 * 1024 * 1024;

/** Whether the decoder takes all of it; it may refuse it, but in no other way than by a ProtocolError. */
function isDecoded(chunks: readonly Uint8Array[]): boolean {
  const decoder = nativeServer.decoder({ maxPifs: MAX_PIFS, maxRules: MAX_RULES });
  try {
    hear(decoder, chunks);
    decoder.finish();
    return true;
  } catch (error) {
    assertInstanceOf(error, ProtocolError);
    return false;
  }
}

const port = freeRun(1);
await using memory = await MemoryServer.start({ rules: { HOST: [tcpRule(port, 1)] } });
const listing = concat(await memory.converse([]));
const sockets = boundSockets(port, port);
const random = new Random(SEED);
const codes = new Map<string, number>();
let begun = 0;
let decoded = 0;
const lane = async (end: number) => {
  while (begun < end) {
    const number = ++begun;
    const chunks = pieces(random, mutatedTransaction(random));
    if (isDecoded(chunks)) decoded++;
    const answer = await memory.converse(chunks);
    // The decoder throws if the server breaks the protocol in its turn.
    for (const event of hear(nativeClient.decoder(), answer)) {
      if (event.kind !== "rejected" && event.kind !== "result") continue;
      const { outcome, code, revision } = event.verdict;
      assertEquals(revision, 1n, `transaction ${number}`);
      codes.set(`${outcome}, ${code}`, (codes.get(`${outcome}, ${code}`) ?? 0) + 1);
    }
  }
};
const upTo = (end: number) => Promise.all(Array.from({ length: LANES }, () => lane(end)));
await upTo(WARM_UP);
const warm = await liveMemory();
const files = openFiles();
await upTo(TRANSACTIONS);
const growth = await liveMemory() - warm;

assertEquals(concat(await memory.converse([])), listing, "what everybody is shown");
assertEquals(boundSockets(port, port), sockets, "the socket is the very same one");
assertEquals(openFiles(), files);
const internal = [...codes.keys()].filter((what) => what.endsWith("internal"));
assertEquals(internal, [], "the server's own faults");
assertGreater(codes.size, 12, "the mutations reach many places");
assertLess(growth, GROWTH);
console.log(
  `${TRANSACTIONS} transactions from seed ${SEED}: ${decoded} in the protocol's order, ` +
    `all brought before a server, ${codes.size} different answers, ` +
    `${mebibytes(growth)} more in use than after the first ${WARM_UP}`,
);
