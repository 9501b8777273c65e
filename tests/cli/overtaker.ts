/**
 * A control socket in front of a server's: whatever a client sends there comes too late, because somebody else's update
 * goes before it.
 *
 * @module
 */

/** Passes conversations on to a server; disposing of it removes its socket. */
export class Overtaker implements AsyncDisposable {
  readonly path: string;
  /** How many clients have been overtaken. */
  overtaken = 0;
  readonly #listener: Deno.UnixListener;
  readonly #served: Promise<void>;

  /** In front of the control socket at `path`; `overtake` is called before each of the first `times` clients is heard. */
  constructor(path: string, times: number, overtake: (time: number) => Promise<unknown>) {
    this.path = `${path}-overtaken`;
    this.#listener = Deno.listen({ transport: "unix", path: this.path });
    this.#served = this.#serve(path, times, overtake);
  }

  async #serve(path: string, times: number, overtake: (time: number) => Promise<unknown>): Promise<void> {
    for await (const client of this.#listener) {
      const server = await Deno.connect({ transport: "unix", path });
      const toClient = server.readable.pipeTo(client.writable).catch(() => {});
      const late = new TransformStream<Uint8Array, Uint8Array>({
        transform: async (chunk, controller) => {
          if (late !== undefined && !heard && this.overtaken < times) await overtake(++this.overtaken);
          heard = true;
          controller.enqueue(chunk);
        },
      });
      let heard = false;
      const toServer = client.readable.pipeThrough(late).pipeTo(server.writable).catch(() => {});
      await Promise.all([toClient, toServer]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#listener.close();
    await this.#served;
  }
}
