import { CAPABILITY, SPECIFIER_FAULT } from "../../codec/constants.ts";
import { SpecifierError } from "../../codec/errors.ts";
import { parseSpecifier, type SpecifierContext } from "../../codec/specifier.ts";
import type { Rule } from "../../codec/types.ts";
import { assert, assertEquals, assertThrows } from "../assert.ts";

const ALL = Object.values(CAPABILITY).reduce((bits, bit) => bits | bit, 0);
const HOST: SpecifierContext = {
  protocol: "tcp",
  capabilities: ALL,
  ephemeral: { first: 32768, last: 60999 },
  loopbackOnly: false,
};
const SPLICE: SpecifierContext = { ...HOST, loopbackOnly: true };

function rule(fields: Partial<Rule>): Rule {
  const firstPort = fields.firstPort ?? 80;
  return {
    protocol: "tcp",
    address: "*",
    firstPort,
    lastPort: firstPort,
    targetPort: firstPort,
    weak: false,
    scan: false,
    ...fields,
  };
}

function rulesOf(text: string, context = HOST): Rule[] {
  const parsed = parseSpecifier(text, context);
  assert(parsed.kind === "rules");
  return parsed.rules;
}

function warningsOf(text: string, context = HOST): string[] {
  const parsed = parseSpecifier(text, context);
  assert(parsed.kind === "rules");
  return parsed.warnings;
}

function refusal(text: string, context = HOST): SpecifierError {
  return assertThrows(() => parseSpecifier(text, context), SpecifierError);
}

Deno.test("parseSpecifier() reports none as such", () => {
  assertEquals(parseSpecifier("none", HOST), { kind: "none" });
});

Deno.test("parseSpecifier() takes addresses and interfaces in every spelling", () => {
  const cases: [string, Partial<Rule>][] = [
    ["80", {}],
    ["/80", {}],
    ["*/80", {}],
    ["127.0.0.1/80", { address: "127.0.0.1" }],
    ["[127.0.0.1]/80", { address: "127.0.0.1" }],
    ["::ffff:127.0.0.1/80", { address: "127.0.0.1" }],
    ["::1/80", { address: "::1" }],
    ["[::1]/80", { address: "::1" }],
    ["::/80", { address: "::" }],
    ["0.0.0.0/80", { address: "0.0.0.0" }],
    ["%eth0/80", { interface: "eth0" }],
    ["*%eth0/80", { interface: "eth0" }],
    ["[fe80::1]%a,b:c%d/80", { address: "fe80::1", interface: "a,b:c%d" }],
    ["127.0.0.1%fünfzehnBytes0/80", { address: "127.0.0.1", interface: "fünfzehnBytes0" }],
  ];
  for (const [text, fields] of cases) assertEquals(rulesOf(text), [rule(fields)], text);
});

Deno.test("parseSpecifier() takes targets in every spelling", () => {
  const cases: [string, Partial<Rule>][] = [
    ["80:8080", { targetPort: 8080 }],
    ["80-82:8080-8082", { lastPort: 82, targetPort: 8080 }],
    ["80-82:10.0.0.1", { lastPort: 82, target: "10.0.0.1" }],
    ["80:10.0.0.1/8080", { target: "10.0.0.1", targetPort: 8080 }],
    ["80:[fd00::2]/8080", { target: "fd00::2", targetPort: 8080 }],
    ["80:fd00::2", { target: "fd00::2" }],
    ["80:::1", { target: "::1" }],
    ["*/80:fd00::2/8080", { target: "fd00::2", targetPort: 8080 }],
    ["80-82:10.0.0.1/8080-8082", { lastPort: 82, target: "10.0.0.1", targetPort: 8080 }],
  ];
  for (const [text, fields] of cases) assertEquals(rulesOf(text), [rule(fields)], text);
});

Deno.test("parseSpecifier() takes what could be an address before a slash for the listening one", () => {
  assertEquals(rulesOf("22:fd00::2/80"), [rule({ address: "22:fd00::2" })]);
  assertEquals(rulesOf("22:[fd00::2]/80"), [rule({ firstPort: 22, target: "fd00::2", targetPort: 80 })]);
});

Deno.test("parseSpecifier() cuts ranges where exclusions say so, wherever they stand", () => {
  const expected = [
    rule({ firstPort: 10, lastPort: 11, targetPort: 110 }),
    rule({ firstPort: 14, lastPort: 15, targetPort: 114 }),
    rule({ firstPort: 20 }),
  ];
  assertEquals(rulesOf("10-15:110-115,20,~12-13"), expected);
  assertEquals(rulesOf("~12,10-15:110-115,~13,20"), expected);
});

Deno.test("parseSpecifier() means every port but the ephemeral ones, weakly, without an inclusion", () => {
  const halves = [
    { firstPort: 1, lastPort: 32767, weak: true },
    { firstPort: 61000, lastPort: 65535, weak: true },
  ];
  assertEquals(rulesOf("all"), halves.map(rule));
  assertEquals(rulesOf("auto"), halves.map((fields) => rule({ ...fields, scan: true })));
  assertEquals(rulesOf("all:10.0.0.1"), halves.map((fields) => rule({ ...fields, target: "10.0.0.1" })));
  assertEquals(rulesOf("~2-65535"), [rule({ firstPort: 1, weak: true })]);
});

Deno.test("parseSpecifier() lets all add nothing to an inclusion, and warns if its target goes unused", () => {
  assertEquals(rulesOf("all,80"), [rule({})]);
  assertEquals(warningsOf("all,80"), []);
  assertEquals(warningsOf("80,all:10.0.0.1"), [
    'Specifier "80,all:10.0.0.1" has a target for "all" that goes unused: port numbers take its place',
  ]);
});

Deno.test("parseSpecifier() makes no rule and warns if every port is left out", () => {
  assertEquals(parseSpecifier("80,~1-100", HOST), {
    kind: "rules",
    rules: [],
    warnings: ['Specifier "80,~1-100" makes no rule: every port is left out'],
  });
});

Deno.test("parseSpecifier() listens on the wildcard of a pif's only family", () => {
  const { IPV4, IPV6 } = CAPABILITY;
  assertEquals(rulesOf("80", { ...HOST, capabilities: IPV4 }), [rule({ address: "0.0.0.0" })]);
  assertEquals(rulesOf("80", { ...HOST, capabilities: IPV6 }), [rule({ address: "::" })]);
  assertEquals(rulesOf("80", { ...HOST, capabilities: IPV4 | IPV6 }), [rule({})]);
});

Deno.test("parseSpecifier() binds -T and -U to lo, or to the loopback addresses with a warning", () => {
  assertEquals(rulesOf("80", SPLICE), [rule({ interface: "lo" })]);
  assertEquals(warningsOf("80", SPLICE), []);
  const { IPV4, IPV6, INTERFACE } = CAPABILITY;
  const without = { ...SPLICE, capabilities: ALL & ~INTERFACE, protocol: "udp" } as const;
  const [udp4, udp6] = [
    rule({ protocol: "udp", address: "127.0.0.1" }),
    rule({ protocol: "udp", address: "::1" }),
  ];
  assertEquals(rulesOf("80", without), [udp4, udp6]);
  assertEquals(warningsOf("80", without), [
    'Specifier "80" listens on the loopback addresses: the pif can\'t listen on a single interface',
  ]);
  assertEquals(rulesOf("80", { ...without, capabilities: IPV4 }), [udp4]);
  assertEquals(rulesOf("80", { ...without, capabilities: IPV6 }), [udp6]);
});

Deno.test("parseSpecifier() leaves port 0 to validation", () => {
  assertEquals(rulesOf("0,1:0"), [rule({ firstPort: 0 }), rule({ firstPort: 1, targetPort: 0 })]);
});

Deno.test("parseSpecifier() says what is wrong and points at it", () => {
  const noScan = { ...HOST, capabilities: ALL & ~CAPABILITY.SCAN };
  const noInterface = { ...HOST, capabilities: ALL & ~CAPABILITY.INTERFACE };
  const cases: [string, string, string, string, SpecifierContext?][] = [
    ["", "empty", 'it must name ports, or be "all", "auto" or "none"', "^"],
    [
      "1.2.3/80",
      "bad-address",
      'the address is "1.2.3", but an IPv4 address must be four numbers from 0 to 255 with dots between them',
      "^^^^^",
    ],
    ["eth0/80", "bad-address", 'the address is "eth0", but an address must be an IPv4 or an IPv6 one', "^^^^"],
    [
      "127.0.0.1/22",
      "address-not-allowed",
      "no address and no interface may be given here, the rules are bound to the loopback interface",
      "^^^^^^^^^^",
      SPLICE,
    ],
    [
      "%/80",
      "bad-interface-name",
      'the interface name is "", but it must be 1 to 15 bytes without slash, white space and control characters',
      " ^",
    ],
    [
      "%a b/80",
      "bad-interface-name",
      'the interface name is "a b", but it must be 1 to 15 bytes without slash, white space and control characters',
      " ^^^",
    ],
    [
      "%abcdefghijklmnop/80",
      "bad-interface-name",
      'the interface name is "abcdefghijklmnop", but it must be 1 to 15 bytes without slash, white space and control characters',
      " ^^^^^^^^^^^^^^^^",
    ],
    [
      "%../80",
      "bad-interface-name",
      'the interface name is "..", but it must be 1 to 15 bytes without slash, white space and control characters',
      " ^^",
    ],
    [
      "::1%lo/80",
      "interface-unsupported",
      "an interface is named, but the pif can't listen on a single one",
      "   ^^^",
      noInterface,
    ],
    [
      "80,foo",
      "bad-chunk",
      '"foo" must be a port, a range of ports, "~" and ports to leave out, "all" or "auto"',
      "   ^^^",
    ],
    ["80,,81", "bad-chunk", "ports must stand here", "   ^"],
    ["80-", "bad-port", "a port number must stand here", "   ^"],
    ["~x", "bad-port", "a port number must stand here", " ^"],
    ["70000", "port-too-great", 'the port is "70000", which must not be greater than 65535', "^^^^^"],
    ["80,10-5", "port-order", 'the first port of "10-5" must not be greater than the last one', "   ^^^^"],
    ["80x", "unexpected-text", '"x" must not stand here', "  ^"],
    ["~80:81", "unexpected-text", '":81" must not stand here', "   ^^^"],
    ["22:", "missing-target", "a target must follow the colon", "   ^"],
    ["22:/80", "missing-target", "a target must follow the colon", "   ^"],
    [
      "22:10.0.0/80",
      "bad-target",
      'the target is "10.0.0", but an IPv4 address must be four numbers from 0 to 255 with dots between them',
      "   ^^^^^^",
    ],
    ["all:80", "bad-target", 'the target is "80", but an address must be an IPv4 or an IPv6 one', "    ^^"],
    [
      "22:[::]/80",
      "unspecified-target",
      'the target is "[::]", which must be left out to mean the default target',
      "   ^^^^",
    ],
    ["80-82:90", "target-length", 'the target\'s ports are "90", which must be as many as are listened on', "      ^^"],
    ["all:::1,all", "different-targets", '"all" must have the same target as the "all" before it', "        ^^^"],
    ["auto", "scan-unsupported", '"auto" is given, but the pif can\'t scan for ports', "^^^^", noScan],
  ];
  for (const [text, code, fault, carets, context] of cases) {
    const error = refusal(text, context);
    assertEquals(error.message, `Can't read specifier "${text}": ${fault}\n  ${text}\n  ${carets}`);
    assertEquals(error.code, code);
    assertEquals(error.specifier, text);
    assertEquals(error.position, carets.indexOf("^"));
    assertEquals(Math.max(1, error.length), carets.trimStart().length);
  }
  const tried = new Set(cases.map(([, code]) => code));
  const rest = Object.keys(SPECIFIER_FAULT).filter((code) => !tried.has(code));
  assertEquals(rest, ["none", "too-long", "too-many-rules"]);
});

Deno.test("parseSpecifier() shows only the place in a long specifier, and nothing that a terminal obeys", () => {
  const error = refusal(`${"1,".repeat(100)}\x1b[2J${",1".repeat(100)}`);
  const ones = "1,".repeat(20);
  assertEquals(
    error.message,
    `Can't read specifier "${
      "1,".repeat(29)
    }1…": "\ufffd[2J" must be a port, a range of ports, "~" and ports to leave out, "all" or "auto"\n` +
      `  …${ones}\ufffd[2J${",1".repeat(28)}…\n` +
      `   ${" ".repeat(40)}^^^^`,
  );
  const wide = refusal("😀,80");
  assertEquals(wide.message.split("\n").slice(1), ["  😀,80", "  ^"]);
});

Deno.test("parseSpecifier() refuses a specifier of more than 65536 characters, however long", () => {
  assertEquals(rulesOf("1,".repeat(32767) + "11").length, 32768);
  for (const length of [65537, 10_000_000]) {
    const error = refusal("1".repeat(length));
    assertEquals(error.code, "too-long");
    assertEquals(
      error.message.split("\n")[0],
      `Can't read specifier "${"1".repeat(59)}…": it has ${length} characters, at most 65536 are allowed`,
    );
  }
});

Deno.test("parseSpecifier() refuses what would make more than 65535 rules", () => {
  const everySecond = Array.from({ length: 9000 }, (_, index) => `~${2 * index + 1}`).join(",");
  const error = refusal(`1-18000,1-18000,1-18000,1-18000,1-18000,1-18000,1-18000,1-18000,${everySecond}`);
  assertEquals(error.code, "too-many-rules");
  assertEquals(error.message.split("\n")[0]?.endsWith('…": it makes more than 65535 rules'), true);
});

Deno.test("parseSpecifier() refuses ephemeral ports that aren't a range of ports", () => {
  for (const [first, last] of [[2, 1], [-1, 5], [1, 65536], [1.5, 2], [NaN, 2]] as const) {
    const context = { ...HOST, ephemeral: { first, last } };
    assertThrows(
      () => parseSpecifier("all", context),
      RangeError,
      `Can't leave out ephemeral ports ${first}-${last}: both must be ports, in this order`,
    );
  }
});
