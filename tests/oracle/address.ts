/**
 * The oracle's addresses: 128-bit numbers, and their text in both directions, done the slow and obvious way.
 *
 * @module
 */

const MAPPED_PREFIX = 0xffffn << 32n;
const LOW_32 = 0xffffffffn;

/** `::`, and in a target "unset". */
export const UNSPECIFIED_IPV6 = 0n;
/** `0.0.0.0` */
export const UNSPECIFIED_IPV4: bigint = MAPPED_PREFIX;
/** `127.0.0.1` */
export const LOOPBACK_IPV4: bigint = MAPPED_PREFIX | 0x7f000001n;

/** Whether the number is an IPv4 address, `::ffff:a.b.c.d`. */
export function isIPv4(address: bigint): boolean {
  return address >> 32n === 0xffffn;
}

/** 224.0.0.0/4 or ff00::/8. */
export function isMulticast(address: bigint): boolean {
  return isIPv4(address) ? (address & LOW_32) >> 28n === 0xen : address >> 120n === 0xffn;
}

/** 127.0.0.0/8, ::1 or an unspecified address: always of this machine. */
export function isLoopbackOrUnspecified(address: bigint): boolean {
  if (isIPv4(address)) return (address & LOW_32) >> 24n === 127n || address === UNSPECIFIED_IPV4;
  return address === 1n || address === UNSPECIFIED_IPV6;
}

/** The number of an address in text form. Takes the canonical forms and `::ffff:` ones; the tests write nothing else. */
export function parseOracleAddress(text: string): bigint {
  if (!text.includes(":")) return MAPPED_PREFIX | dottedQuad(text);
  const groups = (part: string): bigint[] =>
    part === "" ? [] : part.split(":").flatMap((group) => {
      if (!group.includes(".")) return [BigInt(`0x${group}`)];
      const quad = dottedQuad(group);
      return [quad >> 16n, quad & 0xffffn];
    });
  const [head = "", tail] = text.split("::");
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const gap = new Array<bigint>(8 - before.length - after.length).fill(0n);
  return [...before, ...gap, ...after].reduce((sum, group) => (sum << 16n) | group, 0n);
}

/** The canonical text of RFC 5952; IPv4 as such. */
export function formatOracleAddress(address: bigint): string {
  if (isIPv4(address)) return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 0xffn).join(".");
  const groups = Array.from(
    { length: 8 },
    (_, index) => ((address >> BigInt(112 - 16 * index)) & 0xffffn).toString(16),
  );
  // The longest run of two or more zero groups is left out, of several equally long ones the first.
  for (let length = 8; length >= 2; length--) {
    for (let start = 0; start + length <= 8; start++) {
      if (groups.slice(start, start + length).every((group) => group === "0")) {
        return `${groups.slice(0, start).join(":")}::${groups.slice(start + length).join(":")}`;
      }
    }
  }
  return groups.join(":");
}

function dottedQuad(text: string): bigint {
  return text.split(".").reduce((sum, part) => (sum << 8n) | BigInt(part), 0n);
}
