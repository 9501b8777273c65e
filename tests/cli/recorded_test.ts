/**
 * The recorded exchanges once more, with this client in the place of the released one: the same bytes, the same exit
 * status, the same text. The wording of complaints is our own.
 */

import { assert, assertEquals } from "../assert.ts";
import { type Exchange, recordings } from "../recordings.ts";
import { captured } from "./captured.ts";
import { ReleasedServer } from "./released_server.ts";

const LONG: Readonly<Record<string, string>> = {
  "-t": "--tcp-ports",
  "-u": "--udp-ports",
  "-T": "--tcp-ns",
  "-U": "--udp-ns",
  "-C": "--clear",
  "-A": "--add",
  "-D": "--delete",
  "-s": "--show",
};

/** Other ways of writing the same command line. */
const SPELLINGS: Readonly<Record<string, (args: readonly string[], path: string) => string[]>> = {
  "as recorded": (args, path) => [...args, path],
  "with PATH first": (args, path) => [path, ...args],
  "with long options": (args, path) => [...args.map((arg) => LONG[arg] ?? arg), path],
  "with long options and =": (args, path) => [...glued(args, (option, value) => `${LONG[option]}=${value}`), path],
  "with values attached": (args, path) => [path, ...glued(args, (option, value) => option + value)],
  "with options combined": (args, path) => [...combined(glued(args, (option, value) => option + value)), path],
};

/** Options and their values in one argument. */
function glued(args: readonly string[], glue: (option: string, value: string) => string): string[] {
  const queue = [...args];
  const result: string[] = [];
  for (let arg = queue.shift(); arg !== undefined; arg = queue.shift()) {
    if ("tuTUC".includes(arg.slice(1))) result.push(glue(arg, queue.shift() ?? ""));
    else result.push(arg);
  }
  return result;
}

/** Flags drawn into the option that follows them. */
function combined(args: readonly string[]): string[] {
  return args.reduce<string[]>((result, arg) => {
    const last = result.at(-1);
    return last !== undefined && /^-[ADs]+$/.test(last)
      ? [...result.slice(0, -1), last + arg.slice(1)]
      : [...result, arg];
  }, []);
}

async function replay(exchange: Exchange, ephemeral: readonly [number, number], spelling: string): Promise<void> {
  await using server = await ReleasedServer.start(exchange.server_sent, () => exchange.listed_after);
  const args = SPELLINGS[spelling]?.(exchange.args, server.path) ?? [];
  const [first, last] = ephemeral;
  const { status, stdout, complaints } = await captured(["--no-verify", ...args], { ephemeral: { first, last } });
  assertEquals(await server.firstSent(), exchange.client_sent);
  assertEquals(status, exchange.exit);
  assertEquals(stdout, exchange.stdout.replaceAll("PATH", server.path));
  assertEquals(complaints.length > 0, exchange.exit !== 0, complaints.join("\n"));
  for (const text of complaints) assert(/^Can't [^]*[^.]$/.test(text), `not a sentence of ours: ${text}`);
}

for (const { file, ephemeral_ports, exchanges } of recordings()) {
  exchanges.forEach((exchange, index) => {
    Deno.test(`pesto does as in ${file}, ${index + 1}: ${exchange.args.join(" ")}`, async (test) => {
      for (const spelling of Object.keys(SPELLINGS)) {
        await test.step(spelling, () => replay(exchange, ephemeral_ports, spelling));
      }
    });
    Deno.test(`pesto prints the listing after ${file}, ${index + 1}`, async () => {
      await using server = await ReleasedServer.start(exchange.listed_after, (listed) => listed);
      assertEquals(await captured([server.path]), {
        status: 0,
        stdout: exchange.shown_after.replaceAll("PATH", server.path),
        complaints: [],
      });
    });
  });
}
