/**
 * Addresses as the socket calls want them: `struct sockaddr_in`, `struct sockaddr_in6` and `struct sockaddr_un`.
 *
 * @module
 */

import { isIPv4, parseAddress } from "../../codec/address.ts";
import type { Endpoint, Route } from "../backend.ts";
import { C, LAYOUT } from "./libc.ts";

const IN = LAYOUT.sockaddr_in;
const IN6 = LAYOUT.sockaddr_in6;
const UN = LAYOUT.sockaddr_un;
/** Where an IPv4 address begins in its IPv4-mapped form of 16 bytes. */
const MAPPED = 12;

/** Bytes of the larger of the two kinds. */
export const SOCKET_ADDRESS_SIZE = IN6.size;

/**
 * The most addresses that are remembered in their parsed form. The ports of a range have two in common, so a few are
 * enough; without, parsing took a fifth of the time in which 10,000 ports are opened (`tests/bench/sync_bench.ts`).
 */
const MAX_REMEMBERED = 64;
/** Socket addresses by the text of the address. */
const remembered = new Map<string, SocketAddress>();

/** A socket address in memory. */
export interface SocketAddress {
  /** AF_INET or AF_INET6. */
  readonly family: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * The socket address of a numeric address; `*` is the IPv6 wildcard.
 *
 * @throws {SyntaxError} if it isn't a numeric address
 */
export function socketAddress(address: string, port: number): SocketAddress {
  const { family, bytes } = passingAddress(address, port);
  return { family, bytes: bytes.slice() };
}

/** As {@linkcode socketAddress}, but only good until the next call: without a copy, for what is used at once. */
export function passingAddress(address: string, port: number): SocketAddress {
  const passing = parsed(address);
  passing.bytes[IN.sin_port] = port >> 8;
  passing.bytes[IN.sin_port + 1] = port;
  return passing;
}

/** The address, with whatever port it was wanted for last. */
function parsed(address: string): SocketAddress {
  const known = remembered.get(address);
  if (known !== undefined) return known;
  const numeric = parseAddress(address === "*" ? "::" : address);
  const family = isIPv4(numeric) ? C.AF_INET : C.AF_INET6;
  const bytes = new Uint8Array(family === C.AF_INET ? IN.size : IN6.size);
  new DataView(bytes.buffer).setUint16(IN.sin_family, family, true);
  if (family === C.AF_INET) bytes.set(numeric.subarray(MAPPED), IN.sin_addr);
  else bytes.set(numeric, IN6.sin6_addr);
  if (remembered.size >= MAX_REMEMBERED) remembered.clear();
  const made = { family, bytes };
  remembered.set(address, made);
  return made;
}

/**
 * Whether flows can be sent along this route.
 *
 * @throws {SyntaxError} if its address isn't a numeric one
 */
export function checkRoute({ address }: Route): void {
  parsed(address);
}

/** A copy of the socket address that the kernel wrote there. */
export function socketAddressIn(memory: Uint8Array<ArrayBuffer>, at: number): Uint8Array<ArrayBuffer> {
  // The family's low byte says it all.
  return memory.slice(at, at + (memory[at + IN.sin_family] === C.AF_INET ? IN.size : IN6.size));
}

/**
 * Where flows of an endpoint go.
 *
 * @throws {SyntaxError} if the route's address isn't a numeric one
 */
export function targetOf({ port }: Endpoint, { address, shift }: Route): SocketAddress {
  return socketAddress(address, port + shift);
}

/**
 * The socket address of a UNIX socket's file, as long as it must be said to be.
 *
 * @throws {RangeError} if the path is too long for one
 */
export function unixAddress(path: string): Uint8Array<ArrayBuffer> {
  return localAddress(`${path}\0`, path);
}

/**
 * The socket address of a UNIX socket with a name in the abstract namespace, which has no file.
 *
 * @throws {RangeError} if the name is too long for one
 */
export function abstractAddress(name: string): Uint8Array<ArrayBuffer> {
  return localAddress(`\0${name}`, name);
}

function localAddress(content: string, shown: string): Uint8Array<ArrayBuffer> {
  const encoded = new TextEncoder().encode(content);
  const room = UN.size - UN.sun_path;
  if (encoded.length > room) {
    throw new RangeError(
      `Can't name a socket "${shown}": it is longer than the ${room - 1} bytes that a socket's path may have`,
    );
  }
  const bytes = new Uint8Array(UN.sun_path + encoded.length);
  new DataView(bytes.buffer).setUint16(UN.sun_family, C.AF_UNIX, true);
  bytes.set(encoded, UN.sun_path);
  return bytes;
}
