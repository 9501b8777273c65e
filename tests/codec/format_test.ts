import { CODE } from "../../codec/constants.ts";
import { core } from "../../codec/core.ts";
import { faultText, ruleLine, ruleText, tableText } from "../../codec/format.ts";
import type { Code, Rule } from "../../codec/types.ts";
import { assertEquals, assertThrows } from "../assert.ts";
import { type RawRecord, recordOf, writeRecord } from "../oracle/record.ts";
import { listedPifs, recordings } from "../recordings.ts";

const WEB: Rule = {
  protocol: "tcp",
  address: "*",
  firstPort: 8080,
  lastPort: 8080,
  targetPort: 80,
  weak: false,
  scan: false,
};
const FULL: Rule = {
  protocol: "udp",
  address: "127.0.0.1",
  interface: "lo",
  firstPort: 8081,
  lastPort: 8085,
  target: "10.0.0.1",
  targetPort: 81,
  weak: true,
  scan: true,
};

/** The line of a record that no valid rule gives. */
function lineOf(change: Partial<RawRecord>): string {
  const { scratch, bytes, bound } = core();
  bytes.set(writeRecord({ ...recordOf(WEB), ...change }), scratch);
  return bound.ruleLineAt(scratch);
}

Deno.test("ruleLine() prints every field, and the trailing space", () => {
  assertEquals(ruleLine(WEB), "TCP [*]:8080  =>  80 ");
  assertEquals(
    ruleLine(FULL),
    "UDP [127.0.0.1]%lo:8081-8085  =>  10.0.0.1:81-85  (best effort) (auto-scan)",
  );
  assertEquals(ruleLine({ ...WEB, address: "::", target: "fd00::2" }), "TCP [::]:8080  =>  fd00::2:80 ");
});

Deno.test("ruleText() is ruleLine() without the trailing space", () => {
  assertEquals(ruleText(WEB), "TCP [*]:8080  =>  80");
  assertEquals(ruleText(FULL), ruleLine(FULL));
});

Deno.test("tableText() prints what the released client printed", () => {
  for (const { file, exchanges } of recordings()) {
    for (const { listed_after, shown_after, args } of exchanges) {
      const { pifs } = listedPifs(listed_after);
      const tables = pifs.map(({ name, rules }) => tableText(name, rules)).join("");
      assertEquals(`passt/pasta configuration (PATH)\n${tables}`, shown_after, `${file} ${args.join(" ")}`);
    }
  }
});

Deno.test("tableText() puts notes behind the rules, and lets no name reach the terminal as a command", () => {
  assertEquals(tableText("a\x1b[2J", [WEB], () => " (failed)"), "  a\ufffd[2J\n    TCP [*]:8080  =>  80  (failed)\n");
});

Deno.test("a rule's line shows records that aren't valid", () => {
  assertEquals(lineOf({ protocol: 132 }), "PROTOCOL 132 [*]:8080  =>  80 ");
  assertEquals(lineOf({ first: 10, last: 5 }), "TCP [*]:10-5  =>  80-75 ");
  assertEquals(lineOf({ last: 8089, targetPort: 65530 }), "TCP [*]:8080-8089  =>  65530-65539 ");
});

Deno.test("a rule's line shows an interface name of any bytes, but none that a terminal obeys", () => {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const names: [Uint8Array, string][] = [
    [encoder.encode("é網😀"), "é網😀"],
    [encoder.encode("a\x1b[31m\x7f\x85"), "a\ufffd[31m\ufffd\ufffd"],
    [encoder.encode("sixteen bytes!!!"), "sixteen bytes!!!"],
    [Uint8Array.of(0x61, 0xff, 0x62), "a\ufffdb"],
    [Uint8Array.of(0xc3, 0xff, 0x62), "\ufffd\ufffdb"],
    [Uint8Array.of(0xc0, 0xaf), "\ufffd\ufffd"],
    [Uint8Array.of(0xed, 0xa0, 0x80), "\ufffd"],
    [Uint8Array.of(0xe0, 0x80, 0xaf), "\ufffd"],
    [Uint8Array.of(0xf4, 0x90, 0x80, 0x80), "\ufffd"],
    [Uint8Array.of(0xf0, 0x9f, 0x98), "\ufffd"],
  ];
  for (const [bytes, shown] of names) {
    const interfaceName = new Uint8Array(16);
    interfaceName.set(bytes);
    assertEquals(lineOf({ interfaceName }), `TCP [*]%${shown}:8080  =>  80 `, decoder.decode(bytes));
  }
  // A sequence that the end of the field cuts off.
  const interfaceName = new Uint8Array(16).fill(0x61);
  interfaceName[15] = 0xe2;
  assertEquals(lineOf({ interfaceName }), `TCP [*]%${"a".repeat(15)}\ufffd:8080  =>  80 `);
});

Deno.test("faultText() has a sentence for every code of a table", () => {
  const web = "Can't add TCP [*]:8080  =>  80: ";
  const v4: Rule = { ...WEB, address: "127.0.0.1", target: "10.0.0.1" };
  const cases: [Code, Rule | undefined, Rule | undefined, string][] = [
    [
      "port-order",
      { ...WEB, firstPort: 10, lastPort: 5 },
      undefined,
      "Can't add TCP [*]:10-5  =>  80-75: its first port is 10, which must not be greater than its last port 5",
    ],
    [
      "port-zero",
      { ...WEB, firstPort: 0, lastPort: 3 },
      undefined,
      "Can't add TCP [*]:0-3  =>  80-83: its first port is 0, which must be at least 1",
    ],
    [
      "target-port",
      { ...WEB, targetPort: 0 },
      undefined,
      "Can't add TCP [*]:8080  =>  0: its target ports are 0, which must lie in 1-65535",
    ],
    ["family-unsupported", WEB, undefined, `${web}the pif can't listen on IPv4 and IPv6 at once`],
    [
      "family-unsupported",
      { ...WEB, address: "::1" },
      undefined,
      "Can't add TCP [::1]:8080  =>  80: the pif can't listen on IPv6 addresses",
    ],
    ["protocol-unsupported", WEB, undefined, `${web}the pif can't forward TCP`],
    [
      "target-multicast",
      { ...v4, target: "224.0.0.1" },
      undefined,
      "Can't add TCP [127.0.0.1]:8080  =>  224.0.0.1:80: its target \"224.0.0.1\" is a multicast address, which can't be forwarded to",
    ],
    [
      "target-dual-stack",
      { ...WEB, target: "10.0.0.1" },
      undefined,
      'Can\'t add TCP [*]:8080  =>  10.0.0.1:80: the pif can\'t forward from dual stack to the target "10.0.0.1", listen on "0.0.0.0" instead',
    ],
    [
      "target-dual-stack",
      { ...WEB, target: "fd00::1" },
      undefined,
      'Can\'t add TCP [*]:8080  =>  fd00::1:80: the pif can\'t forward from dual stack to the target "fd00::1", listen on "::" instead',
    ],
    [
      "target-family",
      { ...v4, target: "fd00::8" },
      undefined,
      "Can't add TCP [127.0.0.1]:8080  =>  fd00::8:80: the pif can't forward from IPv4 to IPv6, both must be of one family, and the target is \"fd00::8\"",
    ],
    ["conflict", WEB, { ...WEB, address: "127.0.0.1" }, `${web}it conflicts with TCP [127.0.0.1]:8080  =>  80`],
    ["conflict", WEB, undefined, `${web}it conflicts with another rule`],
    ["too-many-rules", undefined, undefined, "Can't take the table: it has too many rules"],
    ["too-many-sockets", undefined, undefined, "Can't take the table: it has too many sockets"],
    [
      "interface-unsupported",
      { ...WEB, interface: "lo" },
      undefined,
      "Can't add TCP [*]%lo:8080  =>  80: it names interface \"lo\", but the pif can't listen on a single interface",
    ],
    [
      "scan-unsupported",
      { ...WEB, scan: true },
      undefined,
      "Can't add TCP [*]:8080  =>  80  (auto-scan): it is an auto-scan rule, but the pif can't scan for ports",
    ],
    [
      "forwards-to-itself",
      v4,
      undefined,
      "Can't add TCP [127.0.0.1]:8080  =>  10.0.0.1:80: it would forward to itself",
    ],
    [
      "forwards-to-itself",
      v4,
      WEB,
      "Can't add TCP [127.0.0.1]:8080  =>  10.0.0.1:80: it would forward to what TCP [*]:8080  =>  80 listens on",
    ],
    ["no-target", WEB, undefined, `${web}it has no target address, and the pif has no default target`],
    ["reserved-bytes", WEB, undefined, `${web}its reserved bytes must be zero`],
    ["unknown-pif", undefined, undefined, "Can't take the table: the server has no such pif"],
    ["duplicate-pif", undefined, undefined, "Can't take the table: the pif is named twice, it may be named once"],
  ];
  for (const [code, rule, other, sentence] of cases) assertEquals(faultText(code, rule, other), sentence);

  const raw: [Code, string][] = [
    ["unknown-flags", `${web}its flags are 0b10000001, of which only 0b00000111 are known`],
    ["dual-stack-address", `${web}it is dual stack with the address "::1", which must be "::"`],
    ["unknown-protocol", "Can't add PROTOCOL 1 [*]:8080  =>  80: its protocol is 1, which must be 6 (TCP) or 17 (UDP)"],
    [
      "bad-interface-name",
      `Can't add TCP [*]%a b:8080  =>  80: its interface name "a b" must have 1 to 15 bytes of UTF-8, no slash, white space or control characters, and not be "." or ".."`,
    ],
  ];
  const interfaceName = new Uint8Array(16);
  interfaceName.set(new TextEncoder().encode("a b"));
  const changes: Partial<Record<Code, Partial<RawRecord>>> = {
    "unknown-flags": { flags: 0x81 },
    "dual-stack-address": { address: 1n },
    "unknown-protocol": { protocol: 1 },
    "bad-interface-name": { interfaceName },
  };
  for (const [code, sentence] of raw) {
    assertEquals(faultText(code, writeRecord({ ...recordOf(WEB), ...changes[code] })), sentence);
  }

  const tried = new Set([...cases.map(([code]) => code), ...raw.map(([code]) => code)]);
  const untried = Object.entries(CODE).filter(([code, number]) =>
    number > 0 && number <= 22 && !tried.has(code as Code)
  );
  assertEquals(untried, []);
});

Deno.test("faultText() names the pif and the numbers where they are known", () => {
  assertEquals(
    faultText("too-many-rules", undefined, undefined, { pif: "HOST", count: 70000, limit: 65535 }),
    'Can\'t take the table of pif "HOST": it has 70000 rules, at most 65535 are allowed',
  );
  assertEquals(
    faultText("too-many-sockets", undefined, undefined, { count: 2, limit: 1 }),
    "Can't take the table: it has 2 sockets, at most 1 are allowed",
  );
  assertEquals(
    faultText("unknown-pif", undefined, undefined, { pif: "NO\nPE" }),
    'Can\'t take the table of pif "NO\ufffdPE": the server has no such pif',
  );
  assertEquals(
    faultText("protocol-unsupported", WEB, undefined, { pif: "HOST" }),
    "Can't add TCP [*]:8080  =>  80: pif \"HOST\" can't forward TCP",
  );
});

Deno.test("faultText() refuses codes that aren't a table's", () => {
  for (const code of ["none", "bad-magic", "busy", "internal"] as const) {
    assertThrows(
      () => faultText(code, WEB),
      RangeError,
      `Can't describe "${code}" as a table's fault: it must be one of the codes 1 to 22`,
    );
  }
});
