/** A TCP port of 127.0.0.1 that nobody listened on a moment ago. */
export function freePort(): number {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  return listener.addr.port;
}

/**
 * The first of `count` TCP ports of 127.0.0.1 in a row that nobody listened on a moment ago, below the kernel's ephemeral
 * ports, where other programs' outgoing connections don't take them.
 */
export function freeRow(count: number): number {
  for (;;) {
    const first = 20000 + Math.floor(Math.random() * (12000 - count));
    try {
      using stack = new DisposableStack();
      for (let port = first; port < first + count; port++) {
        stack.use(Deno.listen({ port, hostname: "127.0.0.1" }));
      }
      return first;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}
