import { PestoError } from "../../../codec/errors.ts";
import { linuxAvailable, readSystemFile } from "../../../sync/linux.ts";
import { assertEquals, assertThrows } from "../../assert.ts";

const ignore = linuxAvailable().kind === "unavailable";

Deno.test({
  name: "readSystemFile() reads all of a file of the kernel's",
  ignore,
  fn() {
    const path = "/proc/sys/net/ipv4/ip_local_port_range";
    assertEquals(readSystemFile(path), Deno.readTextFileSync(path));
    // Longer than one read.
    assertEquals(readSystemFile("/proc/kallsyms").length > 65536, true);
  },
});

Deno.test({
  name: "readSystemFile() says what is wrong with a path",
  ignore,
  fn() {
    const error = assertThrows(() => readSystemFile("/proc/none"), PestoError);
    assertEquals([error.code, error.message], ["ENOENT", `Can't read "/proc/none": no such file (ENOENT)`]);
  },
});
