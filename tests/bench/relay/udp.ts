/**
 * Run by the relay benchmark: a UDP target and a UDP load, with blocking calls of the C library, so that they take as little
 * as can be of the processor that they share with the relay.
 *
 *     udp.ts echo PORT
 *     udp.ts load PORT SECONDS PEERS     prints round trips per second
 */

const lib = Deno.dlopen("libc.so.6", {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  recv: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  recvfrom: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "buffer"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "i32" },
});
const { socket, bind, connect, setsockopt, send, recv, recvfrom, sendto } = lib.symbols;

/** Bytes of a datagram. */
const SIZE = 64;
const ADDRESS_SIZE = 16;
/** Milliseconds that the first answer to a peer may take. */
const START = 10_000;
/** Rounds between two looks at the clock. */
const ROUNDS = 64;

const [role, port, seconds, peers] = Deno.args;
switch (role) {
  case "echo":
    echo(Number(port));
    break;
  case "load":
    console.log(load(Number(port), Number(seconds), Number(peers)));
    break;
  default:
    throw new TypeError(`Can't be "${role}": it must be echo or load`);
}

function echo(port: number): void {
  const descriptor = socket(2, 2, 0);
  if (bind(descriptor, address(port), ADDRESS_SIZE) < 0) throw new Error(`Can't bind UDP port ${port}`);
  const data = new Uint8Array(new ArrayBuffer(65536));
  const from = new Uint8Array(new ArrayBuffer(ADDRESS_SIZE));
  const length = new Uint32Array(new ArrayBuffer(4));
  for (;;) {
    length[0] = ADDRESS_SIZE;
    const size = recvfrom(descriptor, data, 65536n, 0, from, length);
    if (size >= 0) sendto(descriptor, data, BigInt(size), 0, from, ADDRESS_SIZE);
  }
}

/** Each peer always has one datagram under way. */
function load(port: number, seconds: number, count: number): number {
  const data = new Uint8Array(new ArrayBuffer(65536));
  const sockets = Array.from({ length: count }, () => {
    const descriptor = socket(2, 2, 0);
    // struct timeval: 50 ms, after which a datagram is taken for lost.
    setsockopt(descriptor, 1, 20, new BigInt64Array([0n, 50_000n]), 16);
    connect(descriptor, address(port), ADDRESS_SIZE);
    // One after the other: socat takes one new peer at a time.
    const end = performance.now() + START;
    do {
      if (performance.now() > end) {
        throw new Error(`Can't measure: nothing answers on UDP port ${port} within ${START} ms`);
      }
      send(descriptor, data, BigInt(SIZE), 0);
    } while (recv(descriptor, data, BigInt(SIZE), 0) !== SIZE);
    return descriptor;
  });
  for (const descriptor of sockets) send(descriptor, data, BigInt(SIZE), 0);
  const start = performance.now();
  let trips = 0;
  for (;;) {
    for (let round = 0; round < ROUNDS; round++) {
      for (const descriptor of sockets) {
        if (recv(descriptor, data, BigInt(SIZE), 0) === SIZE) trips++;
        send(descriptor, data, BigInt(SIZE), 0);
      }
    }
    const elapsed = performance.now() - start;
    if (elapsed > seconds * 1000) return trips * 1000 / elapsed;
  }
}

/** `struct sockaddr_in` of 127.0.0.1. */
function address(port: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array([2, 0, port >> 8, port & 0xff, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
}
