/**
 * The two ways in which a program tells whoever has started it how it is doing: a datagram to a UNIX socket, and a file
 * descriptor that it has been given. Both end at once, and keep nothing open.
 *
 * @module
 */

import { C, lastError, type Libc, openLibc, systemFailure } from "./libc.ts";
import { abstractAddress, unixAddress } from "./socket_address.ts";

/** What a descriptor is to a program that was told its number. */
export type GivenDescriptor =
  | "writable"
  | "read-only"
  /** Not open, or opened by the program itself: the system's are for a program that is started by another. */
  | "not-given";

/**
 * Finds out whether whoever has started this program has given it this descriptor. Those that the runtime opens for itself
 * are all closed on exec; one that is inherited can't be.
 *
 * @throws {Deno.errors.NotCapable} without the permission to use FFI
 */
export function givenDescriptor(descriptor: number): GivenDescriptor {
  using libc = openLibc();
  const flags = libc.call.fcntl(descriptor, C.F_GETFD, 0);
  if (flags < 0 || (flags & C.FD_CLOEXEC) !== 0) return "not-given";
  const mode = libc.call.fcntl(descriptor, C.F_GETFL, 0) & C.O_ACCMODE;
  return mode === C.O_RDONLY ? "read-only" : "writable";
}

/**
 * Writes a short text to a descriptor and closes it, also if it can't be written.
 *
 * @throws {PestoError} with the system's error as its code
 */
export function writeAndClose(descriptor: number, text: string): void {
  using libc = openLibc();
  const bytes = new TextEncoder().encode(text);
  const written = libc.call.write(descriptor, bytes, BigInt(bytes.length));
  const error = lastError(libc);
  libc.call.close(descriptor);
  if (written < 0) throw systemFailure(`Can't write to descriptor "${descriptor}"`, error);
}

/**
 * Sends one datagram to a UNIX socket, without waiting.
 *
 * @param receiver path of its file, or `@` and its name in the abstract namespace
 * @throws {PestoError} with the system's error as its code, `EAGAIN` if there is no room for it now
 * @throws {RangeError} if the name is too long for a socket's
 */
export function sendDatagram(receiver: string, text: string): void {
  const address = receiver.startsWith("@") ? abstractAddress(receiver.slice(1)) : unixAddress(receiver);
  using libc = openLibc();
  const { call } = libc;
  const descriptor = call.socket(C.AF_UNIX, C.SOCK_DGRAM | C.SOCK_NONBLOCK | C.SOCK_CLOEXEC, 0);
  if (descriptor < 0) throw failure(libc, receiver);
  try {
    const bytes = new TextEncoder().encode(text);
    if (
      call.connect(descriptor, address, address.length) < 0 ||
      call.send(descriptor, bytes, BigInt(bytes.length), C.MSG_NOSIGNAL) < 0
    ) throw failure(libc, receiver);
  } finally {
    call.close(descriptor);
  }
}

function failure(libc: Libc, receiver: string): Error {
  return systemFailure(`Can't send to socket "${receiver}"`, lastError(libc));
}
