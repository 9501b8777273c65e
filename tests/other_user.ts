/** A client that is another user: a process of its own, which only passes bytes on to a control socket and back. */

import { Channel } from "../codec/channel.ts";
import { nativeClient } from "../codec/native.ts";
import type { ServerEvent } from "../codec/types.ts";

/** The usual "nobody". */
export const OTHER_UID = 65534;
/** Why there is none here, for the name of a test that is ignored then; undefined if there is. */
export const noOtherUser: string | undefined = Deno.build.os !== "linux"
  ? "this system doesn't say who clients are"
  : Deno.uid() === 0
  ? undefined
  : "only root can be another user";

/** Connected as {@linkcode OTHER_UID} to a control socket whose file lets everybody in. */
export class OtherUser implements AsyncDisposable {
  /** Speaks the native dialect. */
  readonly channel: Channel<ServerEvent>;
  /** Of its process. */
  readonly pid: number;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #output: ReadableStreamBYOBReader;
  readonly #folder: string;

  private constructor(child: Deno.ChildProcess, folder: string) {
    this.#child = child;
    this.#folder = folder;
    this.pid = child.pid;
    const input = this.#input = child.stdin.getWriter();
    const output = this.#output = child.stdout.getReader({ mode: "byob" });
    this.channel = new Channel({
      async read(into) {
        const { value, done } = await output.read(new Uint8Array(into.length));
        if (done || value === undefined) return null;
        into.set(value);
        return value.length;
      },
      async write(bytes) {
        await input.write(bytes);
        return bytes.length;
      },
      close() {},
    }, nativeClient.decoder());
  }

  /** Opens the file's mode, and connects. */
  static async connect(path: string): Promise<OtherUser> {
    const folder = await Deno.makeTempDir({ prefix: "pesto-test-" });
    // The runtime may lie where only its own user gets to.
    const runtime = `${folder}/deno`;
    await Deno.copyFile(Deno.execPath(), runtime);
    for (const open of [folder, runtime, path.slice(0, path.lastIndexOf("/")), path]) await Deno.chmod(open, 0o777);
    const program = `const connection = await Deno.connect({ transport: "unix", path: ${JSON.stringify(path)} });
      Deno.stdin.readable.pipeTo(connection.writable).catch(() => {});
      for await (const bytes of connection.readable) await Deno.stdout.write(bytes);
      Deno.exit();`;
    const child = new Deno.Command(runtime, {
      args: ["eval", "--no-config", "--no-lock", program],
      cwd: folder,
      env: { DENO_DIR: `${folder}/cache`, HOME: folder },
      uid: OTHER_UID,
      gid: OTHER_UID,
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    return new OtherUser(child, folder);
  }

  /** Sends bytes; that the other side has gone is no error here. */
  async send(bytes: Uint8Array): Promise<void> {
    await this.#input.write(bytes).catch(() => {});
  }

  /** The next event of a kind; others are passed over. */
  async until<K extends ServerEvent["kind"]>(kind: K): Promise<Extract<ServerEvent, { kind: K }>> {
    for (;;) {
      const event = await this.channel.next();
      if (event === undefined) throw new Error(`The server hung up before it said ${kind}`);
      if (event.kind === kind) return event as Extract<ServerEvent, { kind: K }>;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    await this.#child.status;
    await this.#output.cancel();
    await Deno.remove(this.#folder, { recursive: true });
  }
}
