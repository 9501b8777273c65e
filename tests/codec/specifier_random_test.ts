/** Random specifiers against the independent reader in tests/oracle/specifier.ts. */

import { CAPABILITY } from "../../codec/constants.ts";
import { SpecifierError } from "../../codec/errors.ts";
import { parseSpecifier, type SpecifierContext } from "../../codec/specifier.ts";
import { assert, assertEquals } from "../assert.ts";
import { type OracleAnswer, type OracleContext, oracleSpecifier } from "../oracle/specifier.ts";
import { Random } from "../random.ts";

function randomContext(random: Random): OracleContext {
  const first = random.pick([1, 5, 40, 32768]);
  return {
    protocol: random.pick(["tcp", "udp"]),
    ipv4: random.chance(85),
    ipv6: random.chance(85),
    scan: random.chance(85),
    interfaces: random.chance(80),
    ephemeral: { first, last: first + random.between(0, 2000) },
    loopbackOnly: random.chance(20),
  };
}

function given(context: OracleContext): SpecifierContext {
  const { protocol, ephemeral, loopbackOnly } = context;
  const capabilities = CAPABILITY.TCP | CAPABILITY.UDP | (context.ipv4 ? CAPABILITY.IPV4 : 0) |
    (context.ipv6 ? CAPABILITY.IPV6 : 0) | (context.scan ? CAPABILITY.SCAN : 0) |
    (context.interfaces ? CAPABILITY.INTERFACE : 0);
  return { protocol, capabilities, ephemeral, loopbackOnly };
}

function answer(text: string, context: OracleContext): OracleAnswer {
  try {
    const parsed = parseSpecifier(text, given(context));
    return parsed.kind === "none" ? parsed : { kind: "rules", rules: parsed.rules };
  } catch (error) {
    assert(error instanceof SpecifierError, `"${text}": ${error}`);
    assert(error.position >= 0 && error.length >= 0 && error.position + error.length <= text.length);
    return { kind: "refused", code: error.code };
  }
}

const LISTENING = [
  "",
  "*",
  "127.0.0.1",
  "[10.0.0.1]",
  "::",
  "[::1]",
  "::ffff:1.2.3.4",
  "fd00::2",
  "22:fd00::2",
  "0.0.0.0",
];
const BAD_LISTENING = ["localhost", "[::1", "1.2.3", "01.2.3.4", "[]", "80", "[*]", "1::2::3"];
const INTERFACES = ["lo", "eth0", "abcdefghijklmno", "a,b", "é", "x%y", ":1"];
const BAD_INTERFACES = [
  "",
  ".",
  "..",
  "a b",
  "abcdefghijklmnop",
  "é\té",
  "\x1b[m",
  "a\x7f",
  "\x85",
  "\0",
  "\ud800",
  "äöüäöüäö",
];
const TARGETS = ["10.0.0.1", "[10.0.0.1]", "fd00::2", "[fd00::2]", "::1", "224.0.0.1", "::ffff:9.9.9.9", "0.0.0.0"];
const BAD_TARGETS = ["", "::", "[::]", "10.0.0", "fe80::1%lo", "host", "*", "[fd00::2"];

/** Mostly small numbers, so that ranges meet. */
function port(random: Random): number {
  return random.chance(4) ? random.pick([0, 65535, 65536, 99999, 32768]) : random.between(1, 60);
}

function range(random: Random, length: number): string {
  const first = port(random);
  return length === 0 && random.chance(80) ? `${first}` : `${first}-${first + length}`;
}

function chunk(random: Random): string {
  const length = random.chance(60) ? 0 : random.between(0, 12);
  const target = random.pick(random.chance(8) ? BAD_TARGETS : TARGETS);
  const mapped = range(random, random.chance(6) ? length + 1 : length);
  switch (random.between(0, 9)) {
    case 0:
      return random.chance(50) ? "all" : `all:${target}`;
    case 1:
      return "auto";
    case 2:
    case 3:
      return `~${range(random, length)}`;
    case 4:
      return `${range(random, length)}:${target}/${mapped}`;
    case 5:
      return `${range(random, length)}:${target}`;
    case 6:
      return `${range(random, length)}:${mapped}`;
    default:
      return range(random, length);
  }
}

function specifier(random: Random): string {
  if (random.chance(1)) return "none";
  const chunks = Array.from({ length: random.between(1, 5) }, () => chunk(random)).join(",");
  if (random.chance(60)) return chunks;
  const address = random.pick(random.chance(10) ? BAD_LISTENING : LISTENING);
  const name = random.pick(random.chance(15) ? BAD_INTERFACES : INTERFACES);
  return `${address}${random.chance(30) ? `%${name}` : ""}/${chunks}`;
}

/** One character put in, taken out or replaced. */
function mutated(random: Random, text: string): string {
  const at = random.between(0, text.length);
  const piece = random.pick([..."0159:/,-~%.[]*a \n", "::", "all", "auto", "none", "65536", "\ud83d"]);
  switch (random.between(0, 2)) {
    case 0:
      return text.slice(0, at) + piece + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(at + 1);
    default:
      return text.slice(0, at) + piece + text.slice(at + 1);
  }
}

Deno.test("parseSpecifier() makes the same of specifiers from the grammar as the oracle", () => {
  const random = new Random(0x5eed);
  let taken = 0;
  for (let round = 0; round < 6000; round++) {
    const text = specifier(random);
    const context = randomContext(random);
    const expected = oracleSpecifier(text, context);
    if (expected.kind === "rules") taken++;
    assertEquals(answer(text, context), expected, `round ${round}: ${JSON.stringify(text)} ${JSON.stringify(context)}`);
  }
  assert(taken > 2000 && taken < 5000, `${taken} of 6000 made rules`);
});

Deno.test("parseSpecifier() makes the same of damaged specifiers as the oracle", () => {
  const random = new Random(0xda3a6e);
  for (let round = 0; round < 12_000; round++) {
    let text = specifier(random);
    for (let count = random.between(1, 3); count > 0; count--) text = mutated(random, text);
    const context = randomContext(random);
    const expected = oracleSpecifier(text, context);
    assertEquals(answer(text, context), expected, `round ${round}: ${JSON.stringify(text)} ${JSON.stringify(context)}`);
  }
});

Deno.test("parseSpecifier() answers any text with rules or a SpecifierError", () => {
  const random = new Random(0xf022);
  const alphabet = [..."0123456789:/,-~%.[]*alutone\t\0", "\u00e9", "\ud800", "\udfff", "😀", "\ufeff"];
  for (let round = 0; round < 20_000; round++) {
    const text = Array.from({ length: random.between(0, 24) }, () => random.pick(alphabet)).join("");
    const context = randomContext(random);
    assertEquals(answer(text, context), oracleSpecifier(text, context), `round ${round}: ${JSON.stringify(text)}`);
  }
});
