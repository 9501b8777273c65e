/**
 * Run by the transaction benchmark: round trips of one byte through a relay, one after the other without a pause, to a
 * target of its own.
 *
 *     round_trips.ts PORT TARGET_PORT
 *
 * Every line on standard input ends a stretch of time: it prints the longest round trip of that stretch, in milliseconds,
 * and begins the next one. A round trip that is under way at that moment counts in both.
 */

const LOOPBACK = "127.0.0.1";
const [port, targetPort] = Deno.args.map(Number);
const target = Deno.listen({ hostname: LOOPBACK, port: targetPort ?? 0 });
serveEcho();
const connection = await Deno.connect({ hostname: LOOPBACK, port: port ?? 0 });
connection.setNoDelay(true);
let longest = 0;
let start = performance.now();
roundTrips();
console.log("ready");
for await (const _ of Deno.stdin.readable) {
  console.log(Math.max(longest, performance.now() - start));
  longest = 0;
}
Deno.exit();

async function roundTrips(): Promise<void> {
  const byte = new Uint8Array(1);
  for (;;) {
    start = performance.now();
    await connection.write(byte);
    await connection.read(byte);
    longest = Math.max(longest, performance.now() - start);
  }
}

async function serveEcho(): Promise<void> {
  for await (const incoming of target) {
    incoming.setNoDelay(true);
    incoming.readable.pipeTo(incoming.writable).catch(() => {});
  }
}
