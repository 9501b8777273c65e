import { bindErrorOf, bindFailure } from "../../sync/bind_failure.ts";
import { systemError } from "../../sync/errno.ts";
import { assertEquals, assertStrictEquals } from "../assert.ts";

const endpoint = { protocol: "tcp", address: "127.0.0.1", port: 80 } as const;

Deno.test("bindFailure() keeps what the runtime threw as the cause", () => {
  const cause = Object.assign(new Error("any text"), { code: "EACCES" });
  const error = bindFailure(endpoint, cause);
  assertEquals(error.message, "Can't listen on TCP [127.0.0.1]:80: permission denied (EACCES)");
  assertEquals([error.code, error.errno, error.endpoint], ["EACCES", 13, endpoint]);
  assertStrictEquals(error.cause, cause);
});

Deno.test("bindFailure() leaves an error as it is that was made before", () => {
  const error = bindErrorOf(endpoint, systemError("EADDRINUSE"));
  assertStrictEquals(bindFailure({ ...endpoint, port: 81 }, error), error);
});
