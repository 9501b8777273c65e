/** A UNIX datagram socket, as supervisors have one for sd_notify. */

import { C, type Libc, openLibc } from "../sync/linux/libc.ts";
import { abstractAddress, unixAddress } from "../sync/linux/socket_address.ts";
import { until } from "./sync/harness.ts";

/** Receives datagrams at a path, or with `@` before it at a name in the abstract namespace. */
export class DatagramReceiver implements Disposable {
  readonly name: string;
  readonly #libc: Libc = openLibc();
  readonly #descriptor: number;

  constructor(name: string) {
    this.name = name;
    const { call } = this.#libc;
    this.#descriptor = call.socket(C.AF_UNIX, C.SOCK_DGRAM | C.SOCK_NONBLOCK | C.SOCK_CLOEXEC, 0);
    const address = name.startsWith("@") ? abstractAddress(name.slice(1)) : unixAddress(name);
    if (call.bind(this.#descriptor, address, address.length) < 0) throw new Error(`Can't bind "${name}"`);
  }

  /** The next datagram's text, if it is there already. */
  poll(): string | undefined {
    const buffer = new Uint8Array(1000);
    const size = this.#libc.call.read(this.#descriptor, buffer, BigInt(buffer.length));
    return size < 0 ? undefined : new TextDecoder().decode(buffer.subarray(0, size));
  }

  /** The next datagram's text. */
  async next(): Promise<string> {
    let text: string | undefined;
    await until("a datagram", () => (text = this.poll()) !== undefined);
    return text ?? "";
  }

  [Symbol.dispose](): void {
    this.#libc.call.close(this.#descriptor);
    this.#libc[Symbol.dispose]();
  }
}
