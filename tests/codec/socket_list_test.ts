import { isEnough, parseSocketList } from "../../codec/socket_list.ts";
import { assertEquals } from "../assert.ts";

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const REST = "00000000:00000000 00:00000000 00000000     0        0";

Deno.test("parseSocketList() finds listening TCP sockets of both families, and no others", () => {
  const text = HEAD +
    `   0: 0100007F:1F90 00000000:0000 0A ${REST} 1001 1 0 100 0 0 10 0\n` +
    `   1: 0100007F:1F90 0100007F:D431 01 ${REST} 1002 1 0 20 4 30 10 -1\n` +
    `   2: 00000000000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A ${REST} 1003 1\n` +
    `   3: 0000000000000000FFFF00000100000A:0050 00000000000000000000000000000000:0000 0A ${REST} 1004 1\n` +
    "   4: nonsense\n";
  assertEquals(parseSocketList(text, "tcp"), [
    { protocol: "tcp", address: "127.0.0.1", port: 8080, inode: 1001 },
    { protocol: "tcp", address: "::1", port: 443, inode: 1003 },
    { protocol: "tcp", address: "10.0.0.1", port: 80, inode: 1004 },
  ]);
});

Deno.test("parseSocketList() finds UDP sockets that aren't connected", () => {
  const text = HEAD +
    `  10: 00000000:14E9 00000000:0000 07 ${REST} 2001 2\n` +
    `  11: 0100007F:14E9 0100007F:0035 01 ${REST} 2002 2\n`;
  assertEquals(parseSocketList(text, "udp"), [{ protocol: "udp", address: "0.0.0.0", port: 5353, inode: 2001 }]);
});

Deno.test("parseSocketList() sees a socket that this process has just opened", () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const sockets = parseSocketList(Deno.readTextFileSync("/proc/net/tcp"), "tcp");
  assertEquals(sockets.filter(({ port }) => port === listener.addr.port).map(({ address }) => address), ["127.0.0.1"]);
});

Deno.test("isEnough() says so at the first whole line of a TCP connection, and never of UDP", () => {
  const listening = `   0: 0100007F:1F90 00000000:0000 0A ${REST} 1001 1\n`;
  const connection = `   1: 0100007F:1F90 0100007F:D431 06 ${REST} 0 3\n`;
  for (const text of ["", HEAD, HEAD + listening, HEAD + listening + connection.slice(0, -1)]) {
    assertEquals(isEnough(text, "tcp"), false, text);
  }
  assertEquals(isEnough(HEAD + listening + connection, "tcp"), true);
  assertEquals(isEnough(HEAD + listening + connection + connection.slice(0, 20), "tcp"), true);
  assertEquals(isEnough(HEAD + connection, "udp"), false);
});

Deno.test("isEnough() is right about the kernel's own list: nothing listens after a connection", async () => {
  using listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  using _client = await Deno.connect({ port: listener.addr.port, hostname: "127.0.0.1" });
  const lines = Deno.readTextFileSync("/proc/net/tcp").trimEnd().split("\n").slice(1);
  const states = lines.map((line) => line.trim().split(/\s+/)[3]);
  const first = states.findIndex((state) => state !== "0A");
  assertEquals([first >= 0, states.slice(first).includes("0A")], [true, false]);
});
