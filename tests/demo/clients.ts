/**
 * The world around the demonstration's forwarder, in a thread of its own: a web server, and the clients that reach it
 * through the forwarder. So the forwarder has its thread to itself, as it would have a process.
 *
 * Messages: the first one out says the web server's port. One in, with the port to connect to, starts the clients; the
 * next one in stops them. Meanwhile, and at the end, {@linkcode Noticed} goes out.
 *
 * @module
 */

/** What the clients have noticed so far. */
export interface Noticed {
  readonly connections: number;
  /** Connections refused, reset or closed without an answer. */
  readonly refused: number;
  /** Answers over the one connection that stays open. */
  readonly answers: number;
  /** Milliseconds from connecting to the answer, the median; once it is over. */
  readonly median?: number;
}

const page = self as unknown as {
  postMessage(message: number | Noticed): void;
  onmessage: ((event: MessageEvent<number>) => void) | null;
};
const encoder = new TextEncoder();
const buffer = new Uint8Array(4096);
const times: number[] = [];
let answers = 0;
let refused = 0;
let stopped = false;

const web = Deno.serve(
  { port: 0, hostname: "127.0.0.1", onListen: ({ port }) => page.postMessage(port) },
  () => new Response("hello\n"),
);

page.onmessage = async ({ data: port }) => {
  page.onmessage = () => stopped = true;
  const news = setInterval(() => page.postMessage({ connections: times.length, refused, answers }), 50);
  await Promise.all([connectForEver(port), talkForEver(port)]);
  clearInterval(news);
  const median = times.toSorted((a, b) => a - b)[times.length >> 1] ?? NaN;
  page.postMessage({ connections: times.length, refused, answers, median });
  await web.shutdown();
};

/** Connects, asks, and hangs up, without a pause. */
async function connectForEver(port: number): Promise<void> {
  const request = encoder.encode("GET / HTTP/1.1\r\nHost: demo\r\nConnection: close\r\n\r\n");
  while (!stopped) {
    const begin = performance.now();
    try {
      using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
      await connection.write(request);
      if (await connection.read(buffer) === null) throw new Error("It hung up without an answer");
    } catch {
      refused++;
    }
    times.push(performance.now() - begin);
  }
}

/** Asks over and over on one connection, which outlives every table. */
async function talkForEver(port: number): Promise<void> {
  const request = encoder.encode("GET / HTTP/1.1\r\nHost: demo\r\n\r\n");
  try {
    using connection = await Deno.connect({ port, hostname: "127.0.0.1" });
    while (!stopped) {
      await connection.write(request);
      if (await connection.read(new Uint8Array(4096)) === null) throw new Error("It was closed");
      answers++;
    }
  } catch {
    refused++;
  }
}
