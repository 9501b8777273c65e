/** A UNIX socket that has room for only a few clients, and lets none of them in until it is told to. */

import { C, type Libc, openLibc } from "../sync/linux/libc.ts";
import { unixAddress } from "../sync/linux/socket_address.ts";

/** A listening socket whose backlog is full. */
export class FullSocket implements Disposable {
  readonly path: string;
  readonly #libc: Libc;
  readonly #descriptor: number;
  readonly #waiting: Deno.Conn[] = [];
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
    this.path = `${folder}/control`;
    this.#libc = openLibc();
    const { call } = this.#libc;
    this.#descriptor = call.socket(C.AF_UNIX, C.SOCK_STREAM | C.SOCK_NONBLOCK | C.SOCK_CLOEXEC, 0);
    const address = unixAddress(this.path);
    call.bind(this.#descriptor, address, address.length);
    call.listen(this.#descriptor, 1);
  }

  /** Made, and filled. */
  static async make(): Promise<FullSocket> {
    const socket = new FullSocket(await Deno.makeTempDir({ prefix: "pesto-test-" }));
    while (!await socket.isFull());
    return socket;
  }

  /** Whether there is no room; where there was some, there is less now. */
  async isFull(): Promise<boolean> {
    try {
      this.#waiting.push(await Deno.connect({ transport: "unix", path: this.path }));
      return false;
    } catch (error) {
      if (error instanceof Deno.errors.WouldBlock) return true;
      throw error;
    }
  }

  /** Lets the next one in, and hangs up on it; whether there was one. */
  drop(): boolean {
    const client = this.#libc.call.accept4(this.#descriptor, null, null, C.SOCK_CLOEXEC);
    if (client >= 0) this.#libc.call.close(client);
    return client >= 0;
  }

  [Symbol.dispose](): void {
    for (const client of this.#waiting) client.close();
    this.#libc.call.close(this.#descriptor);
    this.#libc[Symbol.dispose]();
    Deno.removeSync(this.#folder, { recursive: true });
  }
}
