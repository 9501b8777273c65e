/** A TCP port of 127.0.0.1 that nobody listened on a moment ago. */
export function freePort(): number {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  return listener.addr.port;
}

/**
 * An address of the loopback interface that no other process's tests use: each has its own, made from its id. Only Linux
 * has more than one; elsewhere it is 127.0.0.1.
 */
export function ownLoopback(): string {
  if (Deno.build.os !== "linux") return "127.0.0.1";
  // Ids have 22 bits at most; 127.64.0.0/10 has room for them.
  return `127.${64 + (Deno.pid >> 16 & 63)}.${Deno.pid >> 8 & 255}.${Deno.pid & 255}`;
}

/**
 * The first of `count` TCP ports of an address in a row that nobody listened on a moment ago, below the kernel's ephemeral
 * ports, where other programs' outgoing connections don't take them.
 */
export function freeRow(count: number, hostname = "127.0.0.1"): number {
  for (;;) {
    const first = 20000 + Math.floor(Math.random() * (12000 - count));
    try {
      using stack = new DisposableStack();
      for (let port = first; port < first + count; port++) {
        stack.use(Deno.listen({ port, hostname }));
      }
      return first;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
