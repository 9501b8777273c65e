import { completionScript } from "../../cli/completions.ts";
import { COMMANDS, SERVE_OPTIONS, SHELLS, UPDATE_OPTIONS } from "../../cli/options.ts";
import { assertEquals, assertStringIncludes } from "../assert.ts";
import { captured } from "./captured.ts";

async function has(shell: string): Promise<boolean> {
  try {
    return (await new Deno.Command(shell, { args: ["--version"], stdout: "null", stderr: "null" }).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

const present = new Map(await Promise.all(SHELLS.map(async (shell) => [shell, await has(shell)] as const)));

/** A test that needs a shell; without it, its name says why it is skipped. */
function withShell(shell: (typeof SHELLS)[number], name: string, run: () => Promise<void>): void {
  if (present.get(shell)) Deno.test(name, run);
  else Deno.test.ignore(`${name} (skipped: there is no ${shell})`, run);
}

/** What bash would offer for the last of these words. */
async function bashOffers(...words: string[]): Promise<string[]> {
  const quoted = words.map((word) => `'${word}'`).join(" ");
  const script = `${completionScript("bash")}
COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}
_pesto
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, code } = await new Deno.Command("bash", { args: ["-c", script], cwd: "/proc/self/fdinfo" })
    .output();
  assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "" && !/^\d+$/.test(line));
}

withShell("bash", "completionScript() lets bash offer commands, options, words and paths", async () => {
  assertEquals(await bashOffers("pesto", ""), COMMANDS.map(({ name }) => name));
  assertEquals(await bashOffers("pesto", "con"), ["confirm"]);
  assertEquals(await bashOffers("pesto", "--c"), ["--clear", "--check", "--confirm"]);
  assertEquals(await bashOffers("pesto", "-C", ""), ["HOST", "SPLICE"]);
  assertEquals(await bashOffers("pesto", "-A", "-t", ""), []);
  assertEquals(await bashOffers("pesto", "serve", "--b"), ["--backend"]);
  assertEquals(await bashOffers("pesto", "serve", "--backend", ""), ["linux", "portable"]);
  assertEquals(await bashOffers("pesto", "serve", "--state", "/proc/self/comm"), ["/proc/self/comm"]);
  assertEquals(await bashOffers("pesto", "completions", ""), [...SHELLS]);
  assertEquals(await bashOffers("pesto", "confirm", "/proc/self/comm"), ["/proc/self/comm"]);
});

for (const shell of SHELLS) {
  const check = shell === "fish" ? "--no-execute" : "-n";
  withShell(shell, `completionScript() writes what ${shell} can read`, async () => {
    const child = new Deno.Command(shell, { args: [check], stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(completionScript(shell)));
    await writer.close();
    const { code, stderr } = await child.output();
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
  });

  Deno.test(`completionScript() names every option and every command for ${shell}`, () => {
    const script = completionScript(shell);
    for (const { name } of [...UPDATE_OPTIONS, ...SERVE_OPTIONS]) {
      assertStringIncludes(script, shell === "fish" ? `-l ${name} ` : `--${name}`);
    }
    for (const { name } of COMMANDS) assertStringIncludes(script, name);
  });
}

Deno.test("pesto completions prints the script of a shell that it knows", async () => {
  const script = completionScript("fish");
  assertEquals(await captured(["completions", "fish"]), { status: 0, stdout: script, complaints: [] });
  for (const args of [["tcsh"], [], ["bash", "zsh"]]) {
    assertEquals(await captured(["completions", ...args]), {
      status: 1,
      stdout: "",
      complaints: [
        `Can't take "${args.join(" ")}": it must be one of bash, zsh, fish`,
        'Try "pesto completions --help"',
      ],
    });
  }
});
