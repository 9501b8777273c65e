/**
 * A demonstration that needs nothing but Deno: a real web server, a forwarder in front of it, and a table that is
 * replaced hundreds of times while clients keep connecting to a port that stays. Exit status 1 if one of them noticed.
 *
 * @module
 */

import { listingText } from "../cli/output.ts";
import { connect, look, type Rule, serve } from "../mod.ts";
import { freePort } from "./free_port.ts";
import { Random } from "./random.ts";

const UPDATES = 600;
/** Ports that come and go around the one that stays. */
const OTHERS = 60;

const tty = Deno.stdout.isTerminal() && !Deno.noColor;
const paint = (code: number) => (text: string) => tty ? `\x1b[${code}m${text}\x1b[0m` : text;
const bold = paint(1), dim = paint(2), green = paint(32), red = paint(31), cyan = paint(36);
const encoder = new TextEncoder();
const print = (text: string) => Deno.stdout.writeSync(encoder.encode(text));
const step = (number: number, text: string) => print(`\n${bold(cyan(`${number}.`))} ${bold(text)}\n`);

await using web = Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, () => new Response("hello\n"));
const directory = await Deno.makeTempDir({ prefix: "pesto-demo-" });
const path = `${directory}/control`;
const stays = freePort();

const rule = (port: number, targetPort: number): Rule => ({
  protocol: "tcp",
  address: "127.0.0.1",
  firstPort: port,
  lastPort: port,
  targetPort,
  weak: true,
  scan: false,
});
const unchanged = rule(stays, web.addr.port);

print(`${bold("pesto")}: a port forwarder whose rules change while it runs\n`);

step(1, "A web server, and a forwarder in front of it");
await using _server = await serve({ path, rules: { HOST: [unchanged] } });
print(listingText("The table", "before", (await look(path)).pifs));
const answer = await (await fetch(`http://127.0.0.1:${stays}/`)).text();
print(`GET http://127.0.0.1:${stays}/  ${dim("->")}  ${green(answer.trim())}\n`);

step(2, `The table is replaced ${UPDATES} times, ${OTHERS} other ports coming and going`);
print(dim("   meanwhile one client opens connections to the port that stays, as fast as it can,\n"));
print(dim("   and another keeps a single connection open and talks over it\n"));

const counts = { updates: 0, opened: 0, retired: 0, connected: 0, refused: 0, lines: 0 };
let done = false;
const started = performance.now();
const [latencies] = await Promise.all([connectForEver(), talkForEver(), updateForEver()]);
const seconds = (performance.now() - started) / 1000;
progress();
print("\n");

step(3, "What the clients noticed");
const pifs = (await look(path)).pifs;
const head = pifs.map((pif) => ({ ...pif, rules: pif.rules.slice(0, 4) }));
print(listingText("The table", "after", head));
print(dim(`    and ${(pifs[0]?.rules.length ?? 0) - (head[0]?.rules.length ?? 0)} more\n`));
const number = (value: number) => value.toLocaleString("en").padStart(8);
print(`
  ${number(counts.updates)}  tables committed in ${seconds.toFixed(1)} s
  ${number(counts.opened)}  sockets opened, ${counts.retired.toLocaleString("en")} retired
  ${number(counts.connected)}  connections made meanwhile, the median took ${median(latencies).toFixed(2)} ms
  ${number(counts.lines)}  lines echoed over the one that stayed open
  ${(counts.refused === 0 ? green : red)(number(counts.refused))}  ${bold("refused connections")}
`);
await Deno.remove(directory, { recursive: true });
Deno.exitCode = counts.refused === 0 && counts.updates === UPDATES ? 0 : 1;

/** Replaces the table again and again; one port is in every one of them. */
async function updateForEver(): Promise<void> {
  const random = new Random(1);
  // Below the kernel's ephemeral ports, so that outgoing connections don't take them.
  const candidates = Array.from({ length: 4 * OTHERS }, (_, index) => 20000 + index).filter((port) => port !== stays);
  try {
    for (; counts.updates < UPDATES; counts.updates++) {
      const others = candidates.filter(() => random.chance(100 * OTHERS / candidates.length));
      using session = await connect(path);
      const result = await session.update({
        HOST: [unchanged, ...others.map((port) => rule(port, web.addr.port))],
      }, { anyBase: true });
      counts.opened += result.opened;
      counts.retired += result.retired;
      if (counts.updates % 20 === 0) progress();
    }
  } finally {
    done = true;
  }
}

/** Connects, asks, and hangs up, without a pause. Resolves to the milliseconds that each connection took. */
async function connectForEver(): Promise<number[]> {
  const times: number[] = [];
  const request = encoder.encode(`GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n`);
  const buffer = new Uint8Array(1024);
  while (!done) {
    const begin = performance.now();
    try {
      using connection = await Deno.connect({ port: stays, hostname: "127.0.0.1" });
      await connection.write(request);
      if (await connection.read(buffer) === null) throw new Error("closed without an answer");
      counts.connected++;
    } catch {
      counts.refused++;
    }
    times.push(performance.now() - begin);
  }
  return times;
}

/** Sends requests over one connection that outlives every table. */
async function talkForEver(): Promise<void> {
  const request = encoder.encode(`GET / HTTP/1.1\r\nHost: demo\r\n\r\n`);
  const buffer = new Uint8Array(1024);
  using connection = await Deno.connect({ port: stays, hostname: "127.0.0.1" });
  while (!done) {
    await connection.write(request);
    if (await connection.read(buffer) === null) {
      counts.refused++;
      return;
    }
    counts.lines++;
  }
}

function progress(): void {
  if (!tty && counts.updates < UPDATES) return;
  const width = 30;
  const filled = Math.round(width * counts.updates / UPDATES);
  const bar = `${"█".repeat(filled)}${dim("░".repeat(width - filled))}`;
  const refused = counts.refused === 0 ? green("0 refused") : red(`${counts.refused} refused`);
  print(`${tty ? "\r" : ""}   ${bar} ${counts.updates} updates, ${counts.connected} connections, ${refused} `);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
}
