import { assertEquals } from "./assert.ts";

const ROOT = new URL("../", import.meta.url);

/** Serves the project's files over HTTP, as a web server that hosts the module would. */
function hosting() {
  return Deno.serve({ port: 0, hostname: "127.0.0.1", onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url);
    try {
      const text = await Deno.readTextFile(new URL(`.${pathname}`, ROOT));
      return new Response(text, { headers: { "content-type": "application/typescript" } });
    } catch {
      return new Response("not here", { status: 404 });
    }
  });
}

/** Runs a program of a folder that knows nothing of the project. */
async function run(source: string, ...permissions: string[]) {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/program.ts`, source);
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-lock", ...permissions, "program.ts"],
    cwd: folder,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  await Deno.remove(folder, { recursive: true });
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { status: code, stdout: text(stdout), stderr: text(stderr) };
}

Deno.test("mod.ts can be imported by URL, without configuration and without a permission", async () => {
  await using web = hosting();
  const host = `127.0.0.1:${web.addr.port}`;
  const source = `
    import { connect, look, parseSpecifier, ruleText, serve } from "http://${host}/mod.ts";
    const parsed = parseSpecifier("127.0.0.1/8080:80", { protocol: "tcp" });
    if (parsed.kind === "rules") console.log(parsed.rules.map(ruleText), [connect, look, serve].map((f) => typeof f));
  `;
  assertEquals(await run(source, `--allow-import=${host}`), {
    status: 0,
    stdout: `[ "TCP [127.0.0.1]:8080  =>  80" ] [ "function", "function", "function" ]\n`,
    stderr: "",
  });
});

Deno.test("mod.ts imported by URL serves with the permissions that its documentation names", async () => {
  await using web = hosting();
  const host = `127.0.0.1:${web.addr.port}`;
  const source = `
    import { look, serve } from "http://${host}/mod.ts";
    await using server = await serve({ path: "control" });
    console.log((await look(server.path)).pifs.map(({ name }) => name));
  `;
  assertEquals(
    await run(source, `--allow-import=${host}`, "--allow-net", "--allow-read", "--allow-write", "--allow-sys"),
    { status: 0, stdout: `[ "HOST" ]\n`, stderr: "" },
  );
});
