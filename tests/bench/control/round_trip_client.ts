/**
 * The process that makes round trips through a relay, as the transaction benchmark asks it.
 *
 * @module
 */

/** A running `round_trips.ts`. */
export class RoundTrips implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array<ArrayBuffer>>;
  readonly #output: ReadableStreamDefaultReader<Uint8Array<ArrayBuffer>>;

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#input = child.stdin.getWriter();
    this.#output = child.stdout.getReader();
  }

  /** Resolves when the first round trip is under way, through `port` to `targetPort`, where it listens itself. */
  static async start(port: number, targetPort: number): Promise<RoundTrips> {
    const script = new URL("round_trips.ts", import.meta.url).pathname;
    const trips = new RoundTrips(
      new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", script, `${port}`, `${targetPort}`],
        stdin: "piped",
        stdout: "piped",
      }).spawn(),
    );
    await trips.#line();
    return trips;
  }

  /** The longest round trip since the last call, in milliseconds. */
  async longest(): Promise<number> {
    await this.#input.write(new TextEncoder().encode("\n"));
    return Number(await this.#line());
  }

  /** A line comes in one piece: it is short, and the next one isn't written before it was asked for. */
  async #line(): Promise<string> {
    const { value } = await this.#output.read();
    if (value === undefined) throw new Error("Can't measure: the process that makes round trips has ended");
    return new TextDecoder().decode(value).trim();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close();
    await this.#output.cancel();
    await this.#child.status;
  }
}
