/** What tests of a running server need: a server in a folder of its own, a raw client, and small targets. */

import { Channel } from "../codec/channel.ts";
import type { TableUpdate } from "../codec/dialect.ts";
import { nativeClient } from "../codec/native.ts";
import { RuleTable } from "../codec/table.ts";
import type { Rule, ServerEvent, UpdateHeader, Verdict } from "../codec/types.ts";
import { VERSION } from "../codec/constants.ts";
import { serve, type ServeOptions, type Server } from "../server.ts";
import { look } from "../client.ts";
import { concat } from "./bytes.ts";
import { freePort } from "./free_port.ts";

/** A server with a control socket in a temporary folder; disposing of it removes both. */
export class TestServer implements AsyncDisposable {
  readonly server: Server;
  readonly directory: string;
  readonly logged: string[];
  private constructor(server: Server, directory: string, logged: string[]) {
    this.server = server;
    this.directory = directory;
    this.logged = logged;
  }

  static async start(options: Omit<Partial<ServeOptions>, "log"> = {}): Promise<TestServer> {
    const directory = await Deno.makeTempDir({ prefix: "pesto-test-" });
    const logged: string[] = [];
    const log = (message: string) => logged.push(message);
    try {
      return new TestServer(await serve({ path: `${directory}/control`, ...options, log }), directory, logged);
    } catch (error) {
      await Deno.remove(directory, { recursive: true });
      throw error;
    }
  }

  get path(): string {
    return this.server.path;
  }

  /** The rules of HOST as anybody is shown them. */
  async rules(): Promise<readonly Rule[]> {
    return (await look(this.path)).pifs.find(({ name }) => name === "HOST")?.rules ?? [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]();
    await Deno.remove(this.directory, { recursive: true });
  }
}

/** A client that sends whatever bytes a test wants to. */
export class RawClient implements Disposable {
  readonly connection: Deno.Conn;
  readonly #channel: Channel<ServerEvent>;
  private constructor(connection: Deno.Conn) {
    this.connection = connection;
    this.#channel = new Channel(connection, nativeClient.decoder());
  }

  /** Connects and reads the listing. */
  static async connect(path: string): Promise<RawClient> {
    const client = new RawClient(await Deno.connect({ transport: "unix", path }));
    await client.until("listed");
    return client;
  }

  /** Sends bytes; that the other side has gone is no error here. */
  async send(...chunks: Uint8Array[]): Promise<void> {
    try {
      await this.#channel.send(chunks);
    } catch (error) {
      if (!(error instanceof Deno.errors.BrokenPipe || error instanceof Deno.errors.ConnectionReset)) throw error;
    }
  }

  /** The next event of a kind; others are passed over. */
  async until<K extends ServerEvent["kind"]>(...kinds: K[]): Promise<Extract<ServerEvent, { kind: K }>> {
    for (;;) {
      const event = await this.#channel.next();
      if (event === undefined) throw new Error(`The server hung up before it said ${kinds.join(" or ")}`);
      const wanted = kinds.find((kind) => kind === event.kind);
      if (wanted !== undefined) return event as Extract<ServerEvent, { kind: K }>;
    }
  }

  /** The server's verdict, whichever way it comes. */
  async verdict(): Promise<Verdict> {
    return (await this.until("rejected", "result")).verdict;
  }

  /** Resolves when the server has hung up. */
  async closed(): Promise<void> {
    while (await this.#channel.next() !== undefined);
  }

  [Symbol.dispose](): void {
    this.#channel[Symbol.dispose]();
  }
}

/** The bytes of an update of HOST, or of other pifs by id. */
export function updateBytes(
  rules: readonly Rule[] | ReadonlyMap<number, readonly Rule[]>,
  more: Partial<UpdateHeader> = {},
): Uint8Array {
  const tables = rules instanceof Map ? rules : new Map([[1, rules as readonly Rule[]]]);
  using stack = new DisposableStack();
  const updates = [...tables].map(([pif, rules]): TableUpdate => ({ pif, table: stack.use(RuleTable.of(rules)) }));
  const header: UpdateHeader = {
    version: VERSION,
    mode: "one-shot",
    rollBackUndelivered: false,
    holdSeconds: 0,
    pifCount: updates.length,
    ...more,
  };
  return concat([...nativeClient.update(header, updates)]);
}

/** A TCP server on 127.0.0.1 that sends its name to whoever connects, and then echoes. */
export class EchoTarget implements Disposable {
  readonly #listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  readonly #open = new Set<Deno.Conn>();
  constructor(readonly name: string) {
    this.#serve();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  async #serve(): Promise<void> {
    for await (const connection of this.#listener) {
      this.#open.add(connection);
      // That the other side breaks off, or the test ends, is no error here.
      this.#echo(connection).catch(() => {}).finally(() => this.#close(connection));
    }
  }

  async #echo(connection: Deno.Conn): Promise<void> {
    await connection.write(new TextEncoder().encode(this.name));
    const buffer = new Uint8Array(4096);
    for (let size = await connection.read(buffer); size !== null; size = await connection.read(buffer)) {
      await connection.write(buffer.subarray(0, size));
    }
  }

  #close(connection: Deno.Conn): void {
    if (this.#open.delete(connection)) connection.close();
  }

  [Symbol.dispose](): void {
    this.#listener.close();
    for (const connection of [...this.#open]) this.#close(connection);
  }
}

/** What a TCP server at a port of 127.0.0.1 says first; empty if it hangs up instead. */
export async function firstWords(port: number): Promise<string> {
  using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
  const buffer = new Uint8Array(1024);
  const size = await connection.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, size ?? 0));
}

/** Whether a connection to a port of 127.0.0.1 is refused by the system: nobody listens. */
export async function isRefused(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ port, hostname: "127.0.0.1" })).close();
    return false;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return true;
    throw error;
  }
}

/** As many different ports as asked for, each free a moment ago. */
export function freePorts(count: number): number[] {
  const ports = new Set<number>();
  while (ports.size < count) ports.add(freePort());
  return [...ports];
}
