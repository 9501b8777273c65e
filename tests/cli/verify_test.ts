import { missingListeners, verifyListeners } from "../../cli/verify.ts";
import type { ListeningSocket } from "../../codec/socket_list.ts";
import { assertEquals } from "../assert.ts";
import { tcpRule } from "../rules.ts";

const commandOf = (pid: number) => Deno.readTextFileSync(`/proc/${pid}/comm`).trim();

const anybody = () => true;

const socket = (address: string, port: number, protocol: "tcp" | "udp" = "tcp"): ListeningSocket => ({
  protocol,
  address,
  port,
  inode: 1,
});

Deno.test("missingListeners() names the ports of a rule that nobody listens on, in rows", () => {
  const rule = tcpRule(80, 80, { lastPort: 86 });
  const sockets = [socket("127.0.0.1", 80), socket("127.0.0.1", 83), socket("127.0.0.1", 86, "udp")];
  assertEquals(missingListeners([tcpRule(80, 80), rule], sockets, anybody), [
    { rule: 1, ports: [{ first: 81, last: 82, taken: false }, { first: 84, last: 86, taken: false }] },
  ]);
});

Deno.test("missingListeners() takes a socket for any address that its rule may be bound to", () => {
  const found = (address: string, bound: string) =>
    missingListeners([tcpRule(80, 80, { address })], [socket(bound, 80)], anybody).length === 0;
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
  assertEquals(missingListeners([tcpRule(80, 80, { weak: true }), tcpRule(81, 81, { scan: true })], [], anybody), []);
});

Deno.test("missingListeners() counts only the server's own sockets, and says which ports others have", () => {
  const sockets = [socket("127.0.0.1", 80), { ...socket("0.0.0.0", 81), inode: 2 }, { ...socket("*", 82), inode: 2 }];
  const rule = tcpRule(80, 80, { address: "0.0.0.0", lastPort: 82 });
  assertEquals(missingListeners([tcpRule(80, 80), rule], sockets, ({ inode }) => inode === 1), [
    {
      rule: 1,
      ports: [{ first: 80, last: 80, taken: false }, { first: 81, last: 81, taken: true }, {
        first: 82,
        last: 82,
        taken: false,
      }],
    },
  ]);
});

Deno.test("verifyListeners() finds the sockets of a server in the same namespace, and those that aren't there", async () => {
  const folder = await Deno.makeTempDir();
  using control = Deno.listen({ transport: "unix", path: `${folder}/control` });
  using served = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = served.addr;
  const [there, missing] = [tcpRule(port, 80), tcpRule(port, 80, { address: "127.0.0.77" })];
  assertEquals(verifyListeners(control.addr.path, [there, missing]), {
    kind: "known",
    missing: [{ rule: 1, ports: [{ first: port, last: port, taken: false }] }],
  });
  await Deno.writeTextFile(`${folder}/file`, "");
  assertEquals(verifyListeners(`${folder}/file`, [there]), { kind: "unknown" });
  control.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("verifyListeners() doesn't take another program's socket for the server's", async () => {
  const folder = await Deno.makeTempDir();
  using control = Deno.listen({ transport: "unix", path: `${folder}/control` });
  const script = `const listener = Deno.listen({ port: 0, hostname: "127.0.0.1" });
    console.log(listener.addr.port);
    await new Response(Deno.stdin.readable).text();`;
  const other = new Deno.Command(Deno.execPath(), { args: ["eval", script], stdin: "piped", stdout: "piped" }).spawn();
  const reader = other.stdout.getReader();
  const port = Number(new TextDecoder().decode((await reader.read()).value));
  assertEquals(verifyListeners(control.addr.path, [tcpRule(port, 80)]), {
    kind: "known",
    missing: [{
      rule: 0,
      ports: [{ first: port, last: port, taken: true, holders: [{ pid: other.pid, command: commandOf(other.pid) }] }],
    }],
  });
  await other.stdin.close();
  await reader.cancel();
  await other.status;
  control.close();
  await Deno.remove(folder, { recursive: true });
});
