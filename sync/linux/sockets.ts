/**
 * Making sockets: for listening with all that an endpoint says, and for connecting.
 *
 * @module
 */

import type { Protocol } from "../../codec/types.ts";
import type { BindError, Endpoint } from "../backend.ts";
import { bindErrorOf } from "../bind_failure.ts";
import { systemErrorOfNumber } from "../errno.ts";
import { C, cString, ERRNO, type Libc } from "./libc.ts";
import type { Namespace } from "./namespaces.ts";
import { passingAddress } from "./socket_address.ts";

/** Connections that the kernel holds until they are accepted; it lowers this to its own limit, 4096 by default. */
export const BACKLOG = 4096;
/**
 * Bytes of a kernel's receive buffer for a listening UDP socket: a burst of many peers must fit while this thread does
 * something else. The system's default is 208 KiB, and it lowers this to its own limit.
 */
const RECEIVE_BUFFER = 4 << 20;

/** `int` values for options. */
const ON = new Int32Array(new ArrayBuffer(4)).fill(1);
const OFF = new Int32Array(new ArrayBuffer(4));
const WIDE = new Int32Array(new ArrayBuffer(4)).fill(RECEIVE_BUFFER);
/** `struct linger`: on, no time. */
const NO_LINGER = new Int32Array(new ArrayBuffer(8));
NO_LINGER[0] = 1;

/**
 * A nonblocking socket, made in a namespace if one is given.
 *
 * @returns its descriptor, or the negated error number
 */
export function makeSocket(libc: Libc, family: number, protocol: Protocol, namespace?: Namespace): number {
  const type = (protocol === "tcp" ? C.SOCK_STREAM : C.SOCK_DGRAM) | C.SOCK_NONBLOCK | C.SOCK_CLOEXEC;
  if (namespace === undefined) return call(libc, family, type);
  return namespace.within(() => call(libc, family, type), ({ errno }) => -errno);
}

function call(libc: Libc, family: number, type: number): number {
  const descriptor = libc.call.socket(family, type, 0);
  return descriptor < 0 ? -libc.errno : descriptor;
}

/**
 * Sends what is written at once, and finds out about peers that vanished without a word. A listening socket hands this
 * down to the connections that come from then on.
 */
export function tuneConnection(libc: Libc, descriptor: number): void {
  libc.call.setsockopt(descriptor, C.IPPROTO_TCP, C.TCP_NODELAY, ON, ON.byteLength);
  libc.call.setsockopt(descriptor, C.SOL_SOCKET, C.SO_KEEPALIVE, ON, ON.byteLength);
}

/** Sends what a connection holds back because of `MSG_MORE`: setting this option does, also where it is set already. */
export function pushHeld(libc: Libc, descriptor: number): void {
  libc.call.setsockopt(descriptor, C.IPPROTO_TCP, C.TCP_NODELAY, ON, ON.byteLength);
}

/**
 * Lets the port of this socket, or of the listening socket that it comes from, be bound again while connections are
 * there whose listening socket is not. One that is keeps the port. A listening socket hands this down as well.
 */
export function allowReuse(libc: Libc, descriptor: number): void {
  libc.call.setsockopt(descriptor, C.SOL_SOCKET, C.SO_REUSEADDR, ON, ON.byteLength);
}

/** Closes a connection with a reset instead of an end. */
export function closeWithReset(libc: Libc, descriptor: number): void {
  libc.call.setsockopt(descriptor, C.SOL_SOCKET, C.SO_LINGER, NO_LINGER, NO_LINGER.byteLength);
  libc.call.close(descriptor);
}

/**
 * A socket bound to an endpoint.
 *
 * @returns its descriptor
 * @throws {BindError} if the system doesn't grant it
 */
export function bindEndpoint(libc: Libc, endpoint: Endpoint, namespace?: Namespace): number {
  const { family, bytes } = passingAddress(endpoint.address, endpoint.port);
  const descriptor = makeSocket(libc, family, endpoint.protocol, namespace);
  if (descriptor < 0) throw bindErrorOf(endpoint, systemErrorOfNumber(-descriptor));
  const { call } = libc;
  if (family === C.AF_INET6) {
    const only = endpoint.address === "*" ? OFF : ON;
    if (call.setsockopt(descriptor, C.IPPROTO_IPV6, C.IPV6_V6ONLY, only, only.byteLength) < 0) {
      throw refused(libc, endpoint, descriptor);
    }
  }
  if (endpoint.interface !== undefined) {
    const name = cString(endpoint.interface);
    if (call.setsockopt(descriptor, C.SOL_SOCKET, C.SO_BINDTODEVICE, name, name.length) < 0) {
      throw refused(libc, endpoint, descriptor);
    }
  }
  if (call.bind(descriptor, bytes, bytes.length) === 0) return descriptor;
  // Connections of a listener that is gone may be in the way. This is rare, and asked for only then: each call for each
  // port counts when there are thousands.
  if (endpoint.protocol === "tcp" && libc.errno === ERRNO.EADDRINUSE) {
    allowReuse(libc, descriptor);
    if (call.bind(descriptor, bytes, bytes.length) === 0) return descriptor;
  }
  throw refused(libc, endpoint, descriptor);
}

/**
 * A TCP socket that listens on an endpoint.
 *
 * @throws {BindError} if the system doesn't grant it
 */
export function listenOn(libc: Libc, endpoint: Endpoint, namespace?: Namespace): number {
  const descriptor = bindEndpoint(libc, endpoint, namespace);
  if (libc.call.listen(descriptor, BACKLOG) < 0) throw refused(libc, endpoint, descriptor);
  return descriptor;
}

/** Makes a UDP socket say to which of this machine's addresses each datagram was sent. */
export function tellDestinations(libc: Libc, descriptor: number, family: number): boolean {
  const [level, name] = family === C.AF_INET ? [C.IPPROTO_IP, C.IP_PKTINFO] : [C.IPPROTO_IPV6, C.IPV6_RECVPKTINFO];
  return libc.call.setsockopt(descriptor, level, name, ON, ON.byteLength) === 0;
}

/** Asks for room for bursts; less will do. */
export function widen(libc: Libc, descriptor: number): void {
  libc.call.setsockopt(descriptor, C.SOL_SOCKET, C.SO_RCVBUF, WIDE, WIDE.byteLength);
}

/** Closes the socket of an endpoint for which a call has just failed, and gives the error to be thrown. */
export function refused(libc: Libc, endpoint: Endpoint, descriptor: number): BindError {
  const error = systemErrorOfNumber(libc.errno);
  libc.call.close(descriptor);
  return bindErrorOf(endpoint, error);
}
