/**
 * A demonstration that needs nothing but Deno: a real web server, a forwarder in front of it, and a table that is
 * replaced hundreds of times while clients keep connecting to a port that stays. Exit status 1 if one of them noticed.
 *
 * @module
 */

import { explainedPifs } from "../../cli/failures.ts";
import { listingText } from "../../cli/output.ts";
import { connect, look, type Rule, serve } from "../../mod.ts";
import { freePort } from "../free_port.ts";
import { Random } from "../random.ts";
import type { Noticed } from "./clients.ts";

const UPDATES = 1000;
/** Ports that come and go around the one that stays, about so many at a time, below the kernel's ephemeral ones. */
const OTHERS = 60;
const CANDIDATES = Array.from({ length: 4 * OTHERS }, (_, index) => 20000 + index);

const tty = Deno.stdout.isTerminal() && !Deno.noColor;
const paint = (code: number) => (text: string) => tty ? `\x1b[${code}m${text}\x1b[0m` : text;
const bold = paint(1), dim = paint(2), green = paint(32), red = paint(31), cyan = paint(36);
const encoder = new TextEncoder();
const print = (text: string) => Deno.stdout.writeSync(encoder.encode(text));
const step = (number: number, text: string) => print(`\n${bold(cyan(`${number}.`))} ${bold(text)}\n`);

const world = new Worker(new URL("./clients.ts", import.meta.url), { type: "module" });
/** The next message from the world. */
const news = <T>() => new Promise<T>((resolve) => world.onmessage = ({ data }) => resolve(data));
const webPort = await news<number>();

const directory = await Deno.makeTempDir({ prefix: "pesto-demo-" });
const path = `${directory}/control`;
const stays = freePort();
const rule = (port: number): Rule => ({
  protocol: "tcp",
  address: "127.0.0.1",
  firstPort: port,
  lastPort: port,
  targetPort: webPort,
  weak: false,
  scan: false,
});

print(`${bold("pesto")}: a port forwarder whose rules change while it runs\n`);

step(1, "A web server, and a forwarder in front of it");
await using _server = await serve({ path, rules: { HOST: [rule(stays)] } });
print(listingText("The table", "before", explainedPifs(path, (await look(path)).pifs)));
const answer = await (await fetch(`http://127.0.0.1:${stays}/`)).text();
print(`GET http://127.0.0.1:${stays}/  ${dim("->")}  ${green(answer.trim())}\n`);

step(2, `The table is replaced ${UPDATES.toLocaleString("en")} times, about ${OTHERS} other ports coming and going`);
print(dim("   meanwhile one client connects to the port that stays, as fast as it can,\n"));
print(dim("   and another keeps a single connection open and talks over it\n"));

let noticed: Noticed = { connections: 0, refused: 0, answers: 0 };
const counts = { updates: 0, opened: 0, retired: 0 };
world.onmessage = ({ data }) => noticed = data;
world.postMessage(stays);
const started = performance.now();
await replaceForEver();
const seconds = (performance.now() - started) / 1000;
world.postMessage(0);
do noticed = await news(); while (noticed.median === undefined);
progress();
print("\n");

step(3, "What the clients noticed");
const pifs = explainedPifs(path, (await look(path)).pifs);
print(listingText("The table", "after", pifs.map((pif) => ({ ...pif, rules: pif.rules.slice(0, 4) }))));
print(dim(`    and ${(pifs[0]?.rules.length ?? 0) - 4} more\n`));
const number = (value: number) => value.toLocaleString("en").padStart(9);
print(`
  ${number(counts.updates)}  tables committed in ${seconds.toFixed(1)} s
  ${number(counts.opened)}  sockets opened, ${counts.retired.toLocaleString("en")} retired
  ${number(noticed.connections)}  connections made meanwhile, half of them answered within ${
  noticed.median.toFixed(2)
} ms
  ${number(noticed.answers)}  answers over the one that stayed open
  ${(noticed.refused === 0 ? green : red)(number(noticed.refused))}  ${bold("refused connections")}
`);
world.terminate();
await Deno.remove(directory, { recursive: true });
Deno.exitCode = noticed.refused === 0 && noticed.connections > 0 ? 0 : 1;

/** Replaces the table again and again; one port is in every one of them. */
async function replaceForEver(): Promise<void> {
  const random = new Random(1);
  for (; counts.updates < UPDATES; counts.updates++) {
    const others = CANDIDATES.filter((port) => port !== stays && random.chance(100 * OTHERS / CANDIDATES.length));
    using session = await connect(path);
    const { opened, retired } = await session.update({ HOST: [stays, ...others].map(rule) });
    counts.opened += opened;
    counts.retired += retired;
    if (tty && counts.updates % 20 === 0) progress();
  }
}

function progress(): void {
  const width = 30;
  const filled = Math.round(width * counts.updates / UPDATES);
  const bar = `${"█".repeat(filled)}${dim("░".repeat(width - filled))}`;
  const refused = noticed.refused === 0 ? green("0 refused") : red(`${noticed.refused} refused`);
  print(`${tty ? "\r" : ""}   ${bar} ${counts.updates} updates, ${noticed.connections} connections, ${refused} `);
}
