import { holdersOf, holdersText, strangersAt } from "../../cli/processes.ts";
import type { ListeningSocket } from "../../codec/socket_list.ts";
import { listeningSockets } from "../../sync/listening_ports.ts";
import { assertEquals } from "../assert.ts";

const here = { pid: Deno.pid, command: Deno.readTextFileSync("/proc/self/comm").trimEnd() };

Deno.test("holdersOf() finds the process that is in the way, by protocol, address and port", () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  const sockets = listeningSockets();
  const wanted = (protocol: "tcp" | "udp", address: string, first = port, last = port) =>
    holdersOf([{ protocol, address, first, last }], sockets)[0];
  assertEquals(wanted("tcp", "127.0.0.1"), [here]);
  assertEquals(wanted("tcp", "127.0.0.1", port - 1, port + 1)?.find(({ pid }) => pid === Deno.pid), here);
  assertEquals(wanted("tcp", "127.0.0.2"), []);
  assertEquals(wanted("udp", "127.0.0.1"), []);
});

Deno.test("holdersOf() knows which addresses are in each other's way", () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  const inode = listeningSockets().find((socket) => socket.port === port && socket.address === "127.0.0.1")?.inode ?? 0;
  const isInTheWay = (wanted: string, bound: string) => {
    const socket: ListeningSocket = { protocol: "tcp", address: bound, port: 80, inode };
    return holdersOf([{ protocol: "tcp", address: wanted, first: 80, last: 80 }], [socket])[0]?.length === 1;
  };
  const yes = [["*", "127.0.0.1"], ["*", "::1"], ["0.0.0.0", "127.0.0.1"], ["127.0.0.1", "0.0.0.0"], ["::", "::1"]];
  const no = [["0.0.0.0", "::1"], ["::", "127.0.0.1"], ["::1", "0.0.0.0"], ["127.0.0.1", "127.0.0.2"]];
  assertEquals(yes.filter(([wanted = "", bound = ""]) => !isInTheWay(wanted, bound)), []);
  assertEquals(no.filter(([wanted = "", bound = ""]) => isInTheWay(wanted, bound)), []);
  // Whether such a socket takes in IPv4, nobody tells.
  assertEquals([isInTheWay("127.0.0.1", "::"), isInTheWay("0.0.0.0", "::")], [true, true]);
});

Deno.test("strangersAt() names nobody where the server can't be found, and not the server itself", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = listener.addr;
  const wanted = [{ protocol: "tcp", address: "127.0.0.1", first: port, last: port }] as const;
  assertEquals(strangersAt("/nonexistent", wanted), [[]]);
  const folder = await Deno.makeTempDir();
  {
    using control = Deno.listen({ transport: "unix", path: `${folder}/control` });
    assertEquals(strangersAt(control.addr.path, wanted), [[]]);
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("holdersText() joins names and ids", () => {
  assertEquals(holdersText([here, { pid: 1, command: "init" }]), `${here.command} (${Deno.pid}), init (1)`);
});
