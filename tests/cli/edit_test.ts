import { type EditStep, editTables, type Listed } from "../../cli/edit.ts";
import { ALL_CAPABILITIES, CAPABILITY } from "../../codec/constants.ts";
import { TableError } from "../../codec/errors.ts";
import { DYNAMIC_PORTS } from "../../codec/specifier.ts";
import type { Rule } from "../../codec/types.ts";
import { assertEquals, assertThrows } from "../assert.ts";
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
    pifs: [{ id: 1, name, capabilities, rules: rules.map((rule) => ({ ...rule, status: "bound", failedPorts: 0 })) }],
  };
}

const specifier = (text: string, pif = "HOST"): EditStep => ({ kind: "specifier", pif, protocol: "tcp", text });
const rule = (port: number) => tcpRule(port, port, { target: "127.0.0.9" });
const text = (port: number) => `127.0.0.1/${port}:127.0.0.9`;

Deno.test("editTables() leaves out what no step is about, and status", () => {
  const one = listed("HOST", [rule(1)]);
  assertEquals(editTables(one, [], DYNAMIC_PORTS).tables, {});
  const added = editTables(one, [{ kind: "mode", mode: "add" }, specifier(text(2))], DYNAMIC_PORTS);
  assertEquals(added, { tables: { HOST: [rule(1), rule(2)] }, warnings: [] });
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
  assertEquals(editTables(listed("HOST", [rule(1)]), steps, DYNAMIC_PORTS).tables, { HOST: [rule(3), rule(4)] });
});

Deno.test("editTables() measures a table by what the server announces", () => {
  const refusal = (server: Listed, ...texts: string[]) =>
    assertThrows(() => editTables(server, texts.map((text) => specifier(text)), DYNAMIC_PORTS), TableError).message;
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
    DYNAMIC_PORTS,
  );
  assertEquals(tables["SPLICE"]?.map(({ address }) => address), ["127.0.0.1", "::1"]);
  assertEquals(warnings.length, 1);
});
