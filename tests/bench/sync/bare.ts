/**
 * What opening ports costs at least: one system call after the other, in a loop, and nothing else.
 *
 * @module
 */

import { C, openLibc } from "../../../sync/linux/libc.ts";
import { socketAddress } from "../../../sync/linux/socket_address.ts";

/** Connections that may wait, as for the listeners of the Linux backend. */
const BACKLOG = 4096;
const TYPE = C.SOCK_STREAM | C.SOCK_NONBLOCK | C.SOCK_CLOEXEC;

/** Milliseconds of opening ports and of closing them again. */
export interface Times {
  readonly open: number;
  readonly close: number;
}

/** Opens `count` TCP ports in a row with socket, bind and listen, and closes them. */
export function bareTimes(address: string, first: number, count: number): Times {
  using libc = openLibc();
  const { call } = libc;
  const { family, bytes } = socketAddress(address, first);
  const descriptors = new Int32Array(count);
  const start = performance.now();
  for (let index = 0; index < count; index++) {
    const port = first + index;
    // The port's place in the network's order of bytes: `sin_port`, and `sin6_port` alike.
    bytes[2] = port >> 8;
    bytes[3] = port;
    const descriptor = call.socket(family, TYPE, 0);
    if (call.bind(descriptor, bytes, bytes.length) < 0 || call.listen(descriptor, BACKLOG) < 0) {
      throw new Error(`Can't measure: port ${port} of ${address} can't be opened (error ${libc.errno})`);
    }
    descriptors[index] = descriptor;
  }
  const opened = performance.now();
  for (const descriptor of descriptors) call.close(descriptor);
  return { open: opened - start, close: performance.now() - opened };
}
