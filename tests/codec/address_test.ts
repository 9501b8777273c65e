import { isIPv4 as isIPv4Text, isIPv6 as isIPv6Text } from "node:net";
import { canonicalAddress, formatAddress, isIPv4, parseAddress } from "../../codec/address.ts";
import { assert, assertEquals, assertThrows } from "../assert.ts";
import { formatOracleAddress, parseOracleAddress } from "../oracle/address.ts";
import { Random } from "../random.ts";

function bytesOf(...low: number[]): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes.set(low, 16 - low.length);
  return bytes;
}

Deno.test("parseAddress() gives 16 bytes, IPv4 as mapped", () => {
  assertEquals(parseAddress("10.0.255.1"), bytesOf(0xff, 0xff, 10, 0, 255, 1));
  assertEquals(parseAddress("::ffff:10.0.255.1"), bytesOf(0xff, 0xff, 10, 0, 255, 1));
  assertEquals(parseAddress("::FFFF:a00:ff01"), bytesOf(0xff, 0xff, 10, 0, 255, 1));
  assertEquals(parseAddress("::"), bytesOf());
  assertEquals(parseAddress("1:2:3:4:5:6:7:8"), bytesOf(0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0, 7, 0, 8));
  assertEquals(parseAddress("::1.2.3.4"), bytesOf(1, 2, 3, 4));
});

Deno.test("canonicalAddress() follows RFC 5952", () => {
  const cases: [string, string][] = [
    ["2001:0DB8:0:0:0:0:0:0001", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
    ["::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["::FFFF:192.0.2.33", "192.0.2.33"],
    ["0.0.0.0", "0.0.0.0"],
  ];
  for (const [text, canonical] of cases) assertEquals(canonicalAddress(text), canonical);
});

Deno.test("parseAddress() says what an address must be", () => {
  const cases: [string, string][] = [
    ["", "an address must not be empty"],
    ["fe80::1%eth0", "an address must not have a zone"],
    ["10.0.0.01", "a number of an IPv4 address must not have leading zeros"],
    ["::ffff:10.00.0.1", "a number of an IPv4 address must not have leading zeros"],
    ["10.0.0", "an IPv4 address must be four numbers from 0 to 255 with dots between them"],
    ["10.0.0.256", "an IPv4 address must be four numbers from 0 to 255 with dots between them"],
    ["10.0.0.1.", "an IPv4 address must be four numbers from 0 to 255 with dots between them"],
    ["1:2:3:4:5:6:7", 'an IPv6 address must be eight groups of up to four hexadecimal digits, or fewer with one "::"'],
    [
      "1:2:3:4::5:6:7:8",
      'an IPv6 address must be eight groups of up to four hexadecimal digits, or fewer with one "::"',
    ],
    ["1::2::3", 'an IPv6 address must be eight groups of up to four hexadecimal digits, or fewer with one "::"'],
    ["localhost", "an address must be an IPv4 or an IPv6 one"],
    ["[::1]\x1b", 'an IPv6 address must be eight groups of up to four hexadecimal digits, or fewer with one "::"'],
  ];
  for (const [text, must] of cases) {
    const shown = text.replace("\x1b", "\ufffd");
    assertThrows(() => parseAddress(text), SyntaxError, `Can't read address "${shown}": ${must}`);
  }
  const long = "1.2.3.4".padEnd(100_000, "5");
  assertThrows(() => parseAddress(long), SyntaxError, `Can't read address "1.2.3.4${"5".repeat(56)}…": an IPv4`);
});

Deno.test("parseAddress() takes and refuses the same texts as an independent reader", () => {
  const random = new Random(0xadd2e55);
  const pieces = [
    "0",
    "1",
    "00",
    "10",
    "255",
    "256",
    "ff",
    "ffff",
    "FFFF",
    "12345",
    ":",
    ":",
    ":",
    "::",
    ".",
    ".",
    "1.2.3.4",
  ];
  let taken = 0;
  for (let round = 0; round < 30_000; round++) {
    const text = Array.from({ length: random.between(1, 12) }, () => random.pick(pieces)).join("");
    const expected = isIPv4Text(text) || isIPv6Text(text);
    if (!expected) {
      assertThrows(() => parseAddress(text), SyntaxError, `Can't read address "${text}": `);
      continue;
    }
    taken++;
    assertEquals(canonicalAddress(text), formatOracleAddress(parseOracleAddress(text)), text);
  }
  assert(taken > 300, `only ${taken} of the texts were addresses`);
});

Deno.test("formatAddress() undoes parseAddress() for random bytes with rows of zeros", () => {
  const random = new Random(5952);
  for (let round = 0; round < 20_000; round++) {
    const bytes = random.bytes(16);
    for (let group = 0; group < 16; group += 2) if (random.chance(60)) bytes.fill(0, group, group + 2);
    if (random.chance(10)) bytes.set([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]);
    const text = formatAddress(bytes);
    assertEquals(parseAddress(text), bytes, text);
    const number = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    assertEquals(text, formatOracleAddress(number));
    assertEquals(isIPv4(bytes), isIPv4Text(text));
  }
});

Deno.test("formatAddress() and isIPv4() refuse anything but 16 bytes", () => {
  for (const use of [formatAddress, isIPv4]) {
    assertThrows(() => use(new Uint8Array(4)), RangeError, "Can't read an address of 4 bytes: it must have 16");
  }
});

Deno.test("parseAddress() gives bytes that later calls leave alone", () => {
  const first = parseAddress("2001:db8::1");
  for (let round = 0; round < 20_000; round++) parseAddress("::ffff:255.255.255.255");
  assertEquals(formatAddress(first), "2001:db8::1");
});
