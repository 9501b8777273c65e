import { C, epollEventLayout, ERRNO, LAYOUT, openLibc, systemFailure } from "../../../sync/linux/libc.ts";
import { systemError } from "../../../sync/errno.ts";
import { linuxAvailable } from "../../../sync/linux.ts";
import { assertEquals } from "../../assert.ts";
import { openFiles } from "../harness.ts";

const available = linuxAvailable();
const compiler = available.kind === "available" ? findCompiler() : undefined;
const HEADERS = [
  "errno.h",
  "fcntl.h",
  "netinet/in.h",
  "netinet/tcp.h",
  "sched.h",
  "stddef.h",
  "stdio.h",
  "sys/epoll.h",
  "sys/eventfd.h",
  "sys/resource.h",
  "sys/socket.h",
  "sys/un.h",
];

Deno.test({
  name: `C, ERRNO and LAYOUT are what a C compiler says${compiler === undefined ? " (no C compiler here)" : ""}`,
  ignore: compiler === undefined,
  async fn() {
    const expected = new Map<string, number>(Object.entries({ ...C, ...ERRNO }));
    for (const [struct, { size, ...fields }] of Object.entries(LAYOUT)) {
      expected.set(`sizeof(struct ${struct})`, size);
      for (const [field, offset] of Object.entries(fields)) {
        expected.set(`offsetof(struct ${struct}, ${field})`, offset);
      }
    }
    assertEquals(await compiled(compiler ?? "", [...expected.keys()]), expected);
  },
});

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

function findCompiler(): string | undefined {
  for (const name of ["cc", "gcc", "clang"]) {
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

/** The values of C expressions. */
async function compiled(compiler: string, expressions: readonly string[]): Promise<Map<string, number>> {
  const directory = await Deno.makeTempDir({ prefix: "pesto-test-" });
  try {
    const lines = [
      "#define _GNU_SOURCE",
      ...HEADERS.map((header) => `#include <${header}>`),
      "int main(void) {",
      ...expressions.map((expression) => `printf("%s\\t%lld\\n", "${expression}", (long long)(${expression}));`),
      "}",
    ];
    await Deno.writeTextFile(`${directory}/values.c`, lines.join("\n"));
    await run(compiler, ["-o", `${directory}/values`, `${directory}/values.c`]);
    const output = await run(`${directory}/values`, []);
    return new Map(
      output.trimEnd().split("\n").map((line): [string, number] => {
        const [expression = "", value] = line.split("\t");
        return [expression, Number(value)];
      }),
    );
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

async function run(program: string, args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`Can't run ${program}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}
