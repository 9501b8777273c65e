import { PestoError } from "../../codec/errors.ts";
import { ControlSocket } from "../../sync/control_socket.ts";
import { assertEquals, assertRejects } from "../assert.ts";

/** A folder for one test. */
async function folder() {
  const path = await Deno.makeTempDir();
  return {
    socket: `${path}/control`,
    names: () => [...Deno.readDirSync(path)].map(({ name }) => name).toSorted(),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Leaves the file of a socket that nobody listens on any more. */
async function leaveDead(path: string): Promise<void> {
  const listener = Deno.listen({ transport: "unix", path: `${path}.before` });
  // Closing removes the name that was bound, so the file gets another one first.
  await Deno.rename(`${path}.before`, path);
  listener.close();
}

Deno.test("ControlSocket.claim() makes a socket for its owner only, and removes it when disposed of", async () => {
  await using at = await folder();
  const socket = await ControlSocket.claim(at.socket);
  assertEquals((Deno.statSync(at.socket).mode ?? 0) & 0o777, 0o600);
  assertEquals(at.names(), ["control"]);
  socket[Symbol.dispose]();
  socket[Symbol.dispose]();
  assertEquals(at.names(), []);
});

Deno.test("ControlSocket.claim() replaces a dead socket", async () => {
  await using at = await folder();
  await leaveDead(at.socket);
  assertEquals(at.names(), ["control"]);
  using socket = await ControlSocket.claim(at.socket);
  (await Deno.connect({ transport: "unix", path: at.socket })).close();
  (await socket.listener.accept()).close();
  assertEquals(at.names(), ["control"]);
});

Deno.test("ControlSocket.claim() never replaces a live one", async () => {
  await using at = await folder();
  using first = await ControlSocket.claim(at.socket);
  const error = await assertRejects(() => ControlSocket.claim(at.socket), PestoError);
  assertEquals(error.code, "in-use");
  assertEquals(error.message, `Can't make the control socket "${at.socket}": another server listens there`);
  (await first.listener.accept()).close();
  (await Deno.connect({ transport: "unix", path: at.socket })).close();
});

Deno.test("ControlSocket.claim() gives the path to one of many that start at once", async () => {
  await using at = await folder();
  await leaveDead(at.socket);
  const claims = await Promise.allSettled(Array.from({ length: 20 }, () => ControlSocket.claim(at.socket)));
  using won = new DisposableStack();
  for (const claim of claims) if (claim.status === "fulfilled") won.use(claim.value);
  assertEquals(claims.filter(({ status }) => status === "fulfilled").length, 1);
});

Deno.test("ControlSocket.claim() leaves alone what isn't a socket, and says why a path can't be used", async () => {
  await using at = await folder();
  await Deno.writeTextFile(at.socket, "precious");
  const file = await assertRejects(() => ControlSocket.claim(at.socket), PestoError);
  assertEquals(file.message, `Can't make the control socket "${at.socket}": something that isn't a socket is there`);
  assertEquals(await Deno.readTextFile(at.socket), "precious");
  const nowhere = await assertRejects(() => ControlSocket.claim(`${at.socket}/x/y`), PestoError);
  assertEquals(nowhere.code, "control-socket");
});

Deno.test("ControlSocket removes nothing that another server has put in its place", async () => {
  await using at = await folder();
  const socket = await ControlSocket.claim(at.socket);
  await Deno.remove(at.socket);
  using _other = await ControlSocket.claim(at.socket);
  socket[Symbol.dispose]();
  assertEquals(at.names(), ["control"]);
});
