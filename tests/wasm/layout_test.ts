/** The numbers that the core is built with are those of the TypeScript side. */

import * as constants from "../../codec/constants.ts";
import { core } from "../../codec/core.ts";
import * as answers from "../../codec/core_exports.ts";
import { assert, assertEquals, assertGreater } from "../assert.ts";

/** Groups of which the core has all members; of the others it has what it needs. */
const WHOLE = [
  "FRAME",
  "RECORD",
  "RULE_FLAG",
  "RULE_STATUS",
  "IP_PROTOCOL",
  "RUN",
  "DIFF",
  "VERDICT",
  "POLICY",
  "ROW",
] as const;

const known: Readonly<Record<string, unknown>> = { ...constants, ...answers };

function memberOf(group: unknown, name: string): unknown {
  if (typeof group !== "object" || group === null) return undefined;
  const members = new Map<string, unknown>(Object.entries(group));
  return members.get(name) ?? members.get(name.toLowerCase().replaceAll("_", "-"));
}

/** The core's numbers by their names, as `RECORD.FIRST`: its sources run here as the TypeScript that they are, too. */
async function coreNumbers(): Promise<Map<string, number>> {
  const numbers = new Map<string, number>();
  for (const file of ["layout", "faults", "answers"]) {
    const exported: object = await import(new URL(`../../wasm/assembly/${file}.ts`, import.meta.url).href);
    for (const [name, value] of Object.entries(exported)) {
      if (typeof value === "number") numbers.set(name, value);
      else for (const [member, number] of Object.entries(value)) numbers.set(`${name}.${member}`, Number(number));
    }
  }
  return numbers;
}

Deno.test("every number that the core is built with is the one in codec/constants.ts", async () => {
  const numbers = await coreNumbers();
  assertGreater(numbers.size, 130);
  for (const [name, number] of numbers) {
    const [group = "", member] = name.split(".");
    assertEquals(member === undefined ? known[group] : memberOf(known[group], member), number, name);
  }
});

Deno.test("the core lacks no member of the groups that it works on", async () => {
  const numbers = await coreNumbers();
  for (const group of WHOLE) {
    for (const member of Object.keys(known[group] ?? {})) assert(numbers.has(`${group}.${member}`), member);
  }
});

Deno.test("payloadMinimum(), payloadMaximum() and payloadStep() are PAYLOAD_LENGTH", () => {
  const { raw } = core();
  for (const [name, { min, max, step }] of Object.entries(constants.PAYLOAD_LENGTH)) {
    const type = constants.FRAME[name as keyof typeof constants.FRAME];
    assertEquals([raw.payloadMinimum(type), raw.payloadMaximum(type), raw.payloadStep(type)], [min, max, step], name);
  }
});

Deno.test("frameFault() names what is wrong with a header, the type before the zero field before the length", () => {
  const { CODE, FRAME } = constants;
  const { raw } = core();
  assertEquals(raw.frameFault(FRAME.RULES, 0, 65536), CODE.none);
  assertEquals(raw.frameFault(FRAME.RULES, 0, 65537), CODE["frame-length"]);
  assertEquals(raw.frameFault(FRAME.RULES, 0, 96), CODE["frame-length"]);
  assertEquals(raw.frameFault(FRAME.PORTS, 0, 8), CODE["frame-length"]);
  assertEquals(raw.frameFault(FRAME.PORTS, 0, 24), CODE.none);
  assertEquals(raw.frameFault(FRAME.END, 0, 0xffffffff), CODE["frame-length"]);
  assertEquals(raw.frameFault(FRAME.END, 1, 7), CODE["reserved-bytes"]);
  assertEquals(raw.frameFault(0x0099, 1, 7), CODE["unknown-frame"]);
});
