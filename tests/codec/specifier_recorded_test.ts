/** The same arguments as in the recordings must give the same rules in the same order, and the same refusals. */

import { SpecifierError } from "../../codec/errors.ts";
import { parseSpecifier, type SpecifierContext } from "../../codec/specifier.ts";
import type { Rule } from "../../codec/types.ts";
import { assert, assertEquals, assertThrows } from "../assert.ts";
import { listedPifs, type RecordedPif, recordings, sentTables } from "../recordings.ts";

const OPTIONS: Readonly<Record<string, { protocol: "tcp" | "udp"; pif: string }>> = {
  "-t": { protocol: "tcp", pif: "HOST" },
  "-u": { protocol: "udp", pif: "HOST" },
  "-T": { protocol: "tcp", pif: "SPLICE" },
  "-U": { protocol: "udp", pif: "SPLICE" },
};

/** Messages of the released client that are about the specifier alone, not about a table. */
const REFUSED_BY_PARSER = /^(Invalid port specifier|Listening address not allowed|'auto' port forwarding)/;

interface Step {
  readonly option: string;
  readonly value: string;
}

/** The options that edit; each mode is a step without a value. */
function steps(args: readonly string[]): Step[] {
  const found: Step[] = [];
  const queue = [...args];
  for (let option = queue.shift(); option !== undefined; option = queue.shift()) {
    if (option === "-A" || option === "-D") found.push({ option, value: "" });
    else if (option !== "-s") found.push({ option, value: queue.shift() ?? "" });
  }
  return found;
}

function contextOf(option: string, pif: RecordedPif, [first, last]: readonly [number, number]): SpecifierContext {
  const { protocol = "tcp", pif: name } = OPTIONS[option] ?? {};
  return { protocol, capabilities: pif.capabilities, ephemeral: { first, last }, loopbackOnly: name === "SPLICE" };
}

/** What pesto(1) says the options make of the tables. */
function edited(args: readonly string[], pifs: readonly RecordedPif[], ephemeral: readonly [number, number]): Rule[][] {
  const tables = new Map(pifs.map(({ name, rules }) => [name, [...rules]]));
  const touched = new Set<string>();
  let mode = "";
  for (const { option, value } of steps(args)) {
    if (value === "") mode = option;
    else if (option === "-C") tables.set(value, []);
    else {
      const pif = pifs.find(({ name }) => name === OPTIONS[option]?.pif);
      assert(pif !== undefined);
      if (mode === "" && !touched.has(pif.name)) tables.set(pif.name, []);
      touched.add(pif.name);
      const parsed = parseSpecifier(value, contextOf(option, pif, ephemeral));
      if (parsed.kind === "none") continue;
      const table = tables.get(pif.name) ?? [];
      const wanted = parsed.rules.map((rule) => JSON.stringify(rule));
      if (mode === "-D") tables.set(pif.name, table.filter((rule) => !wanted.includes(JSON.stringify(rule))));
      else table.push(...parsed.rules);
    }
  }
  return pifs.map(({ name }) => tables.get(name) ?? []);
}

for (const { file, ephemeral_ports, exchanges } of recordings()) {
  for (const { args, exit, stderr, server_sent, client_sent } of exchanges) {
    const { version, pifs } = listedPifs(server_sent);
    if (exit === 0) {
      if (client_sent === "") continue;
      Deno.test(`parseSpecifier() makes the rules of ${file}: ${args.join(" ")}`, () => {
        const sent = sentTables(client_sent, version);
        assertEquals(edited(args, pifs, ephemeral_ports), pifs.map(({ id }) => sent.get(id) ?? []));
      });
      continue;
    }
    const specifiers = steps(args).flatMap(({ option, value }) => {
      const pif = pifs.find(({ name }) => name === OPTIONS[option]?.pif);
      return value === "" || pif === undefined ? [] : [{ value, context: contextOf(option, pif, ephemeral_ports) }];
    });
    if (specifiers.length === 0) continue;
    if (REFUSED_BY_PARSER.test(stderr)) {
      Deno.test(`parseSpecifier() refuses as in ${file}: ${args.join(" ")}`, () => {
        for (const { value, context } of specifiers) assertThrows(() => parseSpecifier(value, context), SpecifierError);
      });
    } else {
      Deno.test(`parseSpecifier() leaves the refusal to validation as in ${file}: ${args.join(" ")}`, () => {
        for (const { value, context } of specifiers) assertEquals(parseSpecifier(value, context).kind, "rules");
      });
    }
  }
}
