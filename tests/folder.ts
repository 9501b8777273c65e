import { linuxAvailable } from "../sync/linux.ts";

/** Registers a test in a folder of its own, for where the C library can be called. */
export function testInFolder(name: string, run: (folder: string) => void | Promise<void>): void {
  Deno.test({
    name,
    ignore: linuxAvailable().kind === "unavailable",
    async fn() {
      const folder = await Deno.makeTempDir({ prefix: "pesto-test-" });
      try {
        await run(folder);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    },
  });
}
