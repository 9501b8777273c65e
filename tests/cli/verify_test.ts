import { missingListeners, verifyListeners } from "../../cli/verify.ts";
import type { ListeningSocket } from "../../codec/socket_list.ts";
import { assertEquals } from "../assert.ts";
import { tcpRule } from "../rules.ts";

const socket = (address: string, port: number, protocol: "tcp" | "udp" = "tcp"): ListeningSocket => ({
  protocol,
  address,
  port,
  inode: 1,
});

Deno.test("missingListeners() names the ports of a rule that nobody listens on, in rows", () => {
  const rule = tcpRule(80, 80, { lastPort: 86 });
  const sockets = [socket("127.0.0.1", 80), socket("127.0.0.1", 83), socket("127.0.0.1", 86, "udp")];
  assertEquals(missingListeners([tcpRule(80, 80), rule], sockets), [
    { rule: 1, ports: [{ first: 81, last: 82 }, { first: 84, last: 86 }] },
  ]);
});

Deno.test("missingListeners() takes a socket for any address that its rule may be bound to", () => {
  const found = (address: string, bound: string) =>
    missingListeners([tcpRule(80, 80, { address })], [socket(bound, 80)]).length === 0;
  assertEquals(
    [["*", "::"], ["*", "0.0.0.0"], ["0.0.0.0", "::"], ["::", "::"]].map(([rule = "", bound = ""]) =>
      found(rule, bound)
    ),
    [true, true, true, true],
  );
  assertEquals(
    [["::", "0.0.0.0"], ["127.0.0.1", "0.0.0.0"], ["*", "127.0.0.1"]].map(([rule = "", bound = ""]) =>
      found(rule, bound)
    ),
    [false, false, false],
  );
});

Deno.test("missingListeners() asks nothing of weak and scan rules", () => {
  assertEquals(missingListeners([tcpRule(80, 80, { weak: true }), tcpRule(81, 81, { scan: true })], []), []);
});

Deno.test("verifyListeners() finds the sockets of a server in the same namespace, and those that aren't there", async () => {
  const folder = await Deno.makeTempDir();
  using control = Deno.listen({ transport: "unix", path: `${folder}/control` });
  using served = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = served.addr;
  const [there, missing] = [tcpRule(port, 80), tcpRule(port, 80, { address: "127.0.0.77" })];
  assertEquals(verifyListeners(control.addr.path, [there, missing]), {
    kind: "known",
    missing: [{ rule: 1, ports: [{ first: port, last: port }] }],
  });
  await Deno.writeTextFile(`${folder}/file`, "");
  assertEquals(verifyListeners(`${folder}/file`, [there]), { kind: "unknown" });
  control.close();
  await Deno.remove(folder, { recursive: true });
});
