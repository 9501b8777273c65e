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

/** Addresses that are remembered: a table of thousands of ports has few, and reading one is a way into the core and back. */
const MAX_REMEMBERED = 64;

/** Bytes of the larger of the two kinds. */
export const SOCKET_ADDRESS_SIZE = IN6.size;

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
  const parsed = parsedAddress(address === "*" ? "::" : address);
  const family = isIPv4(parsed) ? C.AF_INET : C.AF_INET6;
  const bytes = new Uint8Array(family === C.AF_INET ? IN.size : IN6.size);
  const view = new DataView(bytes.buffer);
  view.setUint16(IN.sin_family, family, true);
  view.setUint16(IN.sin_port, port);
  if (family === C.AF_INET) bytes.set(parsed.subarray(MAPPED), IN.sin_addr);
  else bytes.set(parsed, IN6.sin6_addr);
  return { family, bytes };
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
 * Whether {@linkcode targetOf} would work, without making anything.
 *
 * @throws {SyntaxError} if the route's address isn't a numeric one
 */
export function checkRoute({ address }: Route): void {
  parsedAddress(address);
}

const remembered = new Map<string, Uint8Array>();

function parsedAddress(address: string): Uint8Array {
  const known = remembered.get(address);
  if (known !== undefined) return known;
  const parsed = parseAddress(address);
  if (remembered.size === MAX_REMEMBERED) remembered.clear();
  remembered.set(address, parsed);
  return parsed;
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
