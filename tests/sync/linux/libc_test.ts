import { C, epollEventLayout, ERRNO, LAYOUT, openLibc, systemFailure } from "../../../sync/linux/libc.ts";
import { systemError } from "../../../sync/errno.ts";
import { linuxAvailable } from "../../../sync/linux.ts";
import { assertEquals } from "../../assert.ts";
import { openFiles } from "../harness.ts";

const available = linuxAvailable();
const HEADERS = [
  "errno.h",
  "fcntl.h",
  "netinet/in.h",
  "netinet/tcp.h",
  "poll.h",
  "sched.h",
  "stddef.h",
  "sys/epoll.h",
  "sys/eventfd.h",
  "sys/resource.h",
  "sys/socket.h",
  "sys/un.h",
];

for (const arch of ["x86_64", "aarch64"]) {
  const compiler = findCompiler(arch);
  Deno.test({
    name: `C, ERRNO and LAYOUT are what a C compiler for ${arch} says${compiler === undefined ? " (none here)" : ""}`,
    ignore: compiler === undefined,
    async fn() {
      const expected = new Map<string, number>(Object.entries({ ...C, ...ERRNO }));
      for (const [struct, { size, ...fields }] of Object.entries({ ...LAYOUT, epoll_event: epollEventLayout(arch) })) {
        expected.set(`sizeof(struct ${struct})`, size);
        for (const [field, offset] of Object.entries(fields)) {
          expected.set(`offsetof(struct ${struct}, ${field})`, offset);
        }
      }
      assertEquals(await complaints(compiler ?? "", expected), []);
      // It does look.
      assertEquals(await complaints(compiler ?? "", new Map([["SOL_SOCKET", C.SOL_SOCKET + 1]])), ["SOL_SOCKET"]);
    },
  });
}

Deno.test("epollEventLayout() is packed on x86_64 only", () => {
  assertEquals(epollEventLayout("x86_64"), { size: 12, events: 0, data: 4 });
  assertEquals(epollEventLayout("aarch64"), { size: 16, events: 0, data: 8 });
});

Deno.test({
  name: "openLibc() gives calls and their error numbers, and keeps nothing when disposed of",
  ignore: available.kind === "unavailable",
  fn() {
    const before = openFiles();
    {
      using first = openLibc();
      using second = openLibc();
      first[Symbol.dispose]();
      first[Symbol.dispose]();
      assertEquals(second.call.close(-1), -1);
      assertEquals(second.errno, systemError("EBADF").errno);
    }
    assertEquals(openFiles(), before);
  },
});

Deno.test("systemFailure() says what was tried and has the system's name of the error as its code", () => {
  const { code, message } = systemFailure("Can't make a pipe", systemError("EMFILE"));
  assertEquals([code, message], ["EMFILE", "Can't make a pipe: too many open files (EMFILE)"]);
});

/** A C compiler for a processor; it needn't make programs that run here. */
function findCompiler(arch: string): string | undefined {
  if (available.kind === "unavailable") return undefined;
  for (const name of [`${arch}-linux-gnu-gcc`, ...arch === Deno.build.arch ? ["cc", "gcc", "clang"] : []]) {
    try {
      if (new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success) {
        return name;
      }
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return undefined;
}

/** Those of the C expressions that have another value than expected. */
async function complaints(compiler: string, expected: ReadonlyMap<string, number>): Promise<string[]> {
  const directory = await Deno.makeTempDir({ prefix: "pesto-test-" });
  try {
    const source = [
      "#define _GNU_SOURCE",
      ...HEADERS.map((header) => `#include <${header}>`),
      ...[...expected].map(([name, value]) =>
        `_Static_assert((long long)(${name}) == ${value}LL, "<${name}> differs");`
      ),
    ];
    await Deno.writeTextFile(`${directory}/values.c`, source.join("\n"));
    const { success, stderr } = await new Deno.Command(compiler, {
      args: ["-fsyntax-only", `${directory}/values.c`],
      env: { LC_ALL: "C" },
    }).output();
    const said = new TextDecoder().decode(stderr);
    const differing = [...said.matchAll(/error:.*<(.*)> differs/g)].map(([, name = ""]) => name);
    if (!success && differing.length === 0) throw new Error(`Can't run ${compiler}: ${said}`);
    return differing;
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}
