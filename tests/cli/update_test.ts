import { PASST, PASST_MAGIC } from "../../codec/constants.ts";
import type { PasstVersion } from "../../codec/passt_record.ts";
import type { Rule } from "../../codec/types.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../assert.ts";
import { freePorts, TestServer } from "../harness.ts";
import { fromHex, toHex } from "../hex.ts";
import { sentTables } from "../recordings.ts";
import { tcpRule } from "../rules.ts";
import { captured } from "./captured.ts";
import { listingOf, refusing, ReleasedServer, taking } from "./released_server.ts";

/** A server of that version with the pifs that pasta has, and with these rules of HOST. */
function pasta(version: PasstVersion, ...rules: Rule[]): string {
  return listingOf(version, [
    { id: 1, name: "HOST", capabilities: PASST.CAPABILITIES, rules },
    { id: 3, name: "SPLICE", capabilities: PASST.CAPABILITIES, rules: [] },
  ]);
}

async function temporaryFolder(): Promise<AsyncDisposable & { readonly path: string }> {
  const path = await Deno.makeTempDir({ prefix: "pesto-test-" });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

Deno.test("pesto says that a released server refused a table, and exits with 1", async () => {
  await using server = await ReleasedServer.start(pasta(2), refusing);
  assertEquals(await captured(["-s", "-t", "8080", server.path]), {
    status: 1,
    stdout: "",
    complaints: ["Can't update the table: the server refused it, and doesn't say why"],
  });
  assert(await server.firstSent() !== "");
});

Deno.test("pesto exits with 4 when it can't tell whether a released server took a table", async () => {
  const other = pasta(2, tcpRule(9999, 1));
  await using changed = await ReleasedServer.start(pasta(2), (listed, sent) => sent === "" ? listed : other);
  assertEquals(await captured(["-t", "8080", changed.path]), {
    status: 4,
    stdout: "",
    complaints: ["Can't tell whether the table was updated: another client has changed it at the same time"],
  });
  await using gone = await ReleasedServer.start(pasta(2), () => "");
  const { status, complaints } = await captured(["-t", "8080", gone.path]);
  assertEquals(status, 4);
  assertEquals(complaints.at(-1), "Can't tell whether the tables were changed: no answer came");
});

Deno.test("pesto exits with 4 when a released server is gone before its table could be read back", async () => {
  await using folder = await temporaryFolder();
  const path = `${folder.path}/control`;
  using listener = Deno.listen({ transport: "unix", path });
  const served = (async () => {
    using connection = await listener.accept();
    await Deno.remove(path);
    await connection.write(fromHex(pasta(2)));
    while (await connection.read(new Uint8Array(4096)) !== null);
  })();
  assertEquals(await captured(["-t", "8080", path]), {
    status: 4,
    stdout: "",
    complaints: [
      `Can't connect to the control socket "${path}": there is no such file`,
      "Can't tell whether the tables were changed: no answer came",
    ],
  });
  await served;
});

Deno.test("pesto names the rules of a released server that have no socket, and exits with 3", async (test) => {
  await using server = await ReleasedServer.start(pasta(2), taking(2));
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const [first = 0] = freePorts(1);
  const specifiers = ["-t", `127.0.0.1/${taken.addr.port}:80`, "-t", `127.0.0.1/${first}:80`];
  const complaint = `Can't find a socket for TCP [127.0.0.1]:${first}  =>  80: nothing listens on port ${first}`;
  await test.step("for people", async () => {
    assertEquals(await captured([...specifiers, server.path]), { status: 3, stdout: "", complaints: [complaint] });
  });
  await test.step("when only the other table was changed", async () => {
    assertEquals(await captured(["-T", "3000", server.path]), { status: 3, stdout: "", complaints: [complaint] });
  });
  await test.step("for programs", async () => {
    const { status, stdout } = await captured([...specifiers, "--json", server.path]);
    const { outcome, dialect, version, verification, kept } = JSON.parse(stdout);
    assertEquals({ status, outcome, dialect, version, verification, kept }, {
      status: 3,
      outcome: "done",
      dialect: "passt",
      version: 2,
      verification: { kind: "known", missing: [{ rule: 1, ports: [{ first, last: first, taken: false }] }] },
      kept: undefined,
    });
  });
  await test.step("unless it is told not to look", async () => {
    const told = await captured([...specifiers, "--no-verify", server.path]);
    assertEquals(told, { status: 0, stdout: "", complaints: [] });
  });
  await test.step("and none if all have theirs", async () => {
    const good = await captured([...specifiers.slice(0, 2), server.path]);
    assertEquals(good, { status: 0, stdout: "", complaints: [] });
  });
});

Deno.test("pesto refuses what a released server has no words for, before it sends anything", async (test) => {
  const many = Array.from({ length: 256 }, (_, index) => String(2 * index + 1)).join(",");
  const cases: [string, PasstVersion, string[], string][] = [
    [
      "a target, in version 1",
      1,
      ["-t", "127.0.0.1/80:10.0.0.1/80"],
      `Can't send rule "TCP [127.0.0.1]:80  =>  10.0.0.1:80" of pif "HOST": it has a target address, and version 1 of ` +
      "the released protocol has none",
    ],
    [
      "a target of the other family",
      2,
      ["-t", "127.0.0.1/80:[fd00::1]/80"],
      `Can't add TCP [127.0.0.1]:80  =>  fd00::1:80: pif "HOST" can't forward from IPv4 to IPv6, both must be of one ` +
      'family, and the target is "fd00::1"',
    ],
    [
      "more than 255 rules",
      2,
      ["-t", many],
      `Can't take the table of pif "HOST": it has 256 rules, at most 255 are allowed`,
    ],
    [
      "a check",
      2,
      ["--check", "-t", "80"],
      "Can't send such an update: version 2 of the released protocol only has ones that are applied at once and kept",
    ],
  ];
  for (const [what, version, args, complaint] of cases) {
    await test.step(what, async () => {
      await using server = await ReleasedServer.start(pasta(version), refusing);
      assertEquals(await captured([...args, server.path]), { status: 1, stdout: "", complaints: [complaint] });
      assertEquals(await server.firstSent(), "");
    });
  }
});

Deno.test("pesto refuses servers that it can't understand, before it sends anything", async (test) => {
  const greeting = (...numbers: number[]) => {
    const fields = new DataView(new ArrayBuffer(4 * numbers.length));
    numbers.forEach((number, index) => fields.setUint32(4 * index, number));
    return `${toHex(PASST_MAGIC)}${toHex(new Uint8Array(fields.buffer))}00`;
  };
  const cases: [string, string][] = [
    [greeting(0, 128, 16), "Can't talk to this server: its version is 0, an experimental one, it must be 1 or 2"],
    [greeting(3, 128, 16), "Can't talk to this server: its version is 3, it must be 1 or 2"],
    [greeting(2, 64, 16), "Can't talk to this server: its pif names have 64 bytes, they must have 128"],
    [greeting(2, 128, 32), "Can't talk to this server: its interface names have 32 bytes, they must have 16"],
  ];
  for (const [listing, complaint] of cases) {
    await test.step(complaint, async () => {
      await using server = await ReleasedServer.start(listing, refusing);
      assertEquals(await captured(["-t", "80", server.path]), { status: 1, stdout: "", complaints: [complaint] });
      assertEquals(await server.firstSent(), "");
    });
  }
});

Deno.test("pesto shows both rules of a conflict, and the rule that may have been meant by a deletion", async () => {
  await using server = await ReleasedServer.start(pasta(2, tcpRule(80, 8080)), refusing);
  const complaints = async (...args: string[]) => (await captured([...args, server.path])).complaints;
  assertEquals(await complaints("-A", "-t", "70-90"), [
    "Can't add TCP [*]:70-90  =>  70-90: it conflicts with TCP [127.0.0.1]:80  =>  8080",
  ]);
  assertEquals(await complaints("-D", "-t", "127.0.0.1/80"), [
    "Can't delete TCP [127.0.0.1]:80  =>  80: the table has TCP [127.0.0.1]:80  =>  8080 instead",
  ]);
  assertEquals(await complaints("-D", "-t", "81"), ["Can't delete TCP [*]:81  =>  81: there is no such rule"]);
  assertEquals(await complaints("-A", "-t", "none"), [
    `Can't take "none": the table already has TCP [127.0.0.1]:80  =>  8080`,
  ]);
});

Deno.test("pesto --debug tells on standard error what is going on", async () => {
  await using server = await ReleasedServer.start(pasta(1, tcpRule(80, 8080)), taking(1));
  const { status, stdout, complaints } = await captured(["-d", "-T", "3000", "--no-verify", server.path]);
  assertEquals([status, stdout], [0, ""]);
  assertEquals(complaints, [
    `Connected to "${server.path}": passt dialect, version 1`,
    'Pif 1 "HOST": 1 rule, can do ipv4, ipv6, tcp, udp, scan, interface',
    'Pif 3 "SPLICE": 0 rules, can do ipv4, ipv6, tcp, udp, scan, interface',
    'Table of "HOST": as it is',
    'New table of "SPLICE": 1 rule',
    "    TCP [*]%lo:3000  =>  3000",
  ]);
});

Deno.test("pesto --json prints the tables before and after with --show", async () => {
  await using server = await ReleasedServer.start(pasta(2), taking(2));
  const { stdout } = await captured(["--json", "-s", "-t", "auto", "--no-verify", server.path]);
  const { before, after } = JSON.parse(stdout);
  assertEquals([before[0].name, before[0].rules], ["HOST", []]);
  // Such a server doesn't tell.
  assertEquals([before[0].failures, after[0].failures], [undefined, undefined]);
  assert(after[0].rules[0].scan && after[0].rules[0].weak);
});

Deno.test("pesto keeps escape sequences of a server off the terminal", async () => {
  await using server = await ReleasedServer.start(
    listingOf(2, [{ id: 1, name: "HO\x1b[2JST", capabilities: 0, rules: [] }]),
    refusing,
  );
  const { stdout, complaints } = await captured(["-d", server.path]);
  assertMatch(stdout, /HO\ufffd\[2JST/);
  assert(!complaints.join("").includes("\x1b"));
});

/** What podman calls for one published port, and its undoing. */
function podman(port: number, family4: string, family6: string): Record<"add" | "remove", string[]> {
  const specifiers = ["-t", `0.0.0.0/${port}${family4}`, "-t", `[::]/${port}${family6}`];
  return { add: ["--add", ...specifiers], remove: ["--delete", ...specifiers] };
}

for (const version of [1, 2] as const) {
  Deno.test(`podman's calls work against a released server of version ${version}`, async () => {
    const before = tcpRule(9, 9);
    await using server = await ReleasedServer.start(pasta(version, before), taking(version));
    const calls = version === 1 ? podman(8080, ":80", ":80") : podman(8080, ":10.88.0.2/80", ":[fd00::2]/80");
    const quiet = { status: 0, stdout: "", complaints: [] } as const;
    assertEquals(await captured([...calls.add, "--no-verify", server.path]), quiet);
    const target = (address: string) => version === 1 ? {} : { target: address };
    assertEquals(
      sentTables(await server.firstSent(), version),
      new Map([
        [1, [
          before,
          tcpRule(8080, 80, { address: "0.0.0.0", ...target("10.88.0.2") }),
          tcpRule(8080, 80, { address: "::", ...target("fd00::2") }),
        ]],
        [3, []],
      ]),
    );
    assertEquals(await captured([...calls.remove, "--no-verify", server.path]), quiet);
    assertStringIncludes((await captured([server.path])).stdout, "  HOST\n    TCP [127.0.0.1]:9  =>  9 \n  SPLICE\n");
  });
}

Deno.test("podman's calls work against a server of ours, on either of its control sockets", async (test) => {
  await using folder = await temporaryFolder();
  const passtPath = `${folder.path}/passt`;
  await using it = await TestServer.start({ passtPath });
  for (const path of [it.path, passtPath]) {
    await test.step(path === it.path ? "native" : "passt", async () => {
      const [port = 0] = freePorts(1);
      const calls = podman(port, ":10.88.0.2/80", ":[fd00::2]/80");
      assertEquals(await captured([...calls.add, path]), { status: 0, stdout: "", complaints: [] });
      assertEquals((await it.rules()).map(({ address, target }) => [address, target]), [
        ["0.0.0.0", "10.88.0.2"],
        ["::", "fd00::2"],
      ]);
      assertEquals(await captured([...calls.remove, path]), { status: 0, stdout: "", complaints: [] });
      assertEquals(await it.rules(), []);
    });
  }
});

Deno.test("pesto tells by the read-back that the passt socket of a server of ours refused a table", async () => {
  await using folder = await temporaryFolder();
  const passtPath = `${folder.path}/passt`;
  await using _server = await TestServer.start({ passtPath });
  using taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const [port = 0] = freePorts(1);
  assertEquals((await captured(["-t", `127.0.0.1/${port}:1`, passtPath])).status, 0);
  const { status, complaints } = await captured(["-A", "-t", `127.0.0.1/${taken.addr.port}:1`, passtPath]);
  assertEquals(status, 1);
  assertEquals(complaints, ["Can't update the table: the server refused it, and doesn't say why"]);
  assertEquals(
    (await captured([passtPath])).stdout,
    `passt/pasta configuration (${passtPath})\n  HOST\n    TCP [127.0.0.1]:${port}  =>  1 \n`,
  );
});
