import { type EditStep, editTables, type Listed } from "../../cli/edit.ts";
import { ALL_CAPABILITIES, CAPABILITY } from "../../codec/constants.ts";
import { TableError } from "../../codec/errors.ts";
import { DYNAMIC_PORTS } from "../../codec/specifier.ts";
import type { Rule } from "../../codec/types.ts";
import { assert, assertEquals, assertThrows } from "../assert.ts";
import { tcpRule } from "../rules.ts";

/** A server with one pif. */
function listed(name: string, rules: readonly Rule[], more: { maxRules?: number; capabilities?: number } = {}): Listed {
  const { maxRules = 255, capabilities = ALL_CAPABILITIES } = more;
  return {
    dialect: { name: "native", version: 1 },
    hello: {
      version: 1,
      minCompat: 1,
      features: 0,
      revision: 1n,
      maxPifs: 1,
      maxRules,
      maxSockets: 100,
      transactionSeconds: 60,
      holdSeconds: 60,
    },
    pifs: [{
      id: 1,
      name,
      capabilities,
      rules: rules.map((rule) => ({ ...rule, status: "bound", failedPorts: 0 })),
      failures: [],
    }],
  };
}

const OPTIONS = { ephemeral: DYNAMIC_PORTS };
const specifier = (text: string, pif = "HOST"): EditStep => ({ kind: "specifier", pif, protocol: "tcp", text });
const rule = (port: number) => tcpRule(port, port, { target: "127.0.0.9" });
const text = (port: number) => `127.0.0.1/${port}:127.0.0.9`;

Deno.test("editTables() leaves out what no step is about, and status", () => {
  const one = listed("HOST", [rule(1)]);
  assertEquals(editTables(one, [], OPTIONS).tables, {});
  const added = editTables(one, [{ kind: "mode", mode: "add" }, specifier(text(2))], OPTIONS);
  assertEquals(added, { tables: { HOST: [rule(1), rule(2)] }, warnings: [], replaces: false });
});

Deno.test("editTables() switches modes as it goes", () => {
  const steps: EditStep[] = [
    specifier(text(2)),
    specifier(text(3)),
    { kind: "mode", mode: "delete" },
    specifier(text(2)),
    { kind: "mode", mode: "add" },
    specifier(text(4)),
  ];
  assertEquals(editTables(listed("HOST", [rule(1)]), steps, OPTIONS).tables, { HOST: [rule(3), rule(4)] });
});

Deno.test("editTables() measures a table by what the server announces", () => {
  const refusal = (server: Listed, ...texts: string[]) =>
    assertThrows(() => editTables(server, texts.map((text) => specifier(text)), OPTIONS), TableError).message;
  assertEquals(
    refusal(listed("HOST", [], { maxRules: 1 }), text(1), text(2)),
    `Can't take the table of pif "HOST": it has 2 rules, at most 1 are allowed`,
  );
  assertEquals(
    refusal(listed("HOST", []), "127.0.0.1/1-101:127.0.0.9"),
    `Can't take the table of pif "HOST": it has too many sockets`,
  );
  assertEquals(
    refusal(listed("HOST", []), "127.0.0.1/80"),
    `Can't add TCP [127.0.0.1]:80  =>  80: it has no target address, and pif "HOST" has no default target`,
  );
});

Deno.test("editTables() passes on what a specifier warns of", () => {
  const { tables, warnings } = editTables(
    listed("SPLICE", [], { capabilities: ALL_CAPABILITIES & ~CAPABILITY.INTERFACE }),
    [specifier("80:127.0.0.9", "SPLICE")],
    OPTIONS,
  );
  assertEquals(tables["SPLICE"]?.map(({ address }) => address), ["127.0.0.1", "::1"]);
  assertEquals(warnings.length, 1);
});

Deno.test("editTables() tells edits, which mean the same on another table, from replacements", () => {
  const one = listed("HOST", [rule(1)]);
  const replaces = (...steps: EditStep[]) => editTables(one, steps, OPTIONS).replaces;
  assert(!replaces({ kind: "mode", mode: "add" }, specifier(text(2))));
  assert(!replaces({ kind: "mode", mode: "delete" }, specifier(text(1))));
  assert(replaces(specifier(text(2))));
  assert(replaces(specifier("none")));
  assert(replaces({ kind: "clear", pif: "HOST" }, { kind: "mode", mode: "add" }, specifier(text(2))));
});

Deno.test("editTables() adds and deletes nothing twice where that is wanted", () => {
  const [one, ensure] = [listed("HOST", [rule(1), rule(2)]), { ...OPTIONS, ensure: true }];
  const both = specifier("127.0.0.1/2-3:127.0.0.9");
  const edited = (mode: "add" | "delete", ...specifiers: EditStep[]) =>
    editTables(one, [{ kind: "mode", mode }, ...specifiers], ensure);
  assertEquals(edited("add", specifier(text(2)), specifier(text(3))).tables["HOST"], [rule(1), rule(2), rule(3)]);
  assertEquals(edited("delete", specifier(text(2)), specifier(text(3))).tables["HOST"], [rule(1)]);
  // Another rule with the same endpoint is neither there already nor gone already.
  assertThrows(() => edited("add", both), TableError, "conflicts");
  const { tables, warnings } = edited("delete", both);
  assertEquals([tables["HOST"], warnings], [[rule(1), rule(2)], [
    "TCP [127.0.0.1]:2-3  =>  127.0.0.9:2-3 isn't there to be deleted, but TCP [127.0.0.1]:2  =>  127.0.0.9:2 is",
  ]]);
});
