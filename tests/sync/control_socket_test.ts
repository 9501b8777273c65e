import { PestoError } from "../../codec/errors.ts";
import { ControlSocket } from "../../sync/control_socket.ts";
import { assertEquals, assertRejects } from "../assert.ts";
import { listeners } from "./control_listeners.ts";

/** A folder for one test. */
async function folder() {
  const path = await Deno.makeTempDir();
  return {
    socket: `${path}/control`,
    names: () => [...Deno.readDirSync(path)].map(({ name }) => name).toSorted(),
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Takes the first client, and hangs up on it. */
async function firstClient(socket: ControlSocket): Promise<void> {
  for await (const connection of socket.listener) return connection.close();
}

/** Leaves the file of a socket that nobody listens on any more. */
async function leaveDead(path: string): Promise<void> {
  const listener = Deno.listen({ transport: "unix", path: `${path}.before` });
  // Closing removes the name that was bound, so the file gets another one first.
  await Deno.rename(`${path}.before`, path);
  listener.close();
}

/** A test of control sockets on listeners of each kind. */
function test(name: string, run: (kind: (typeof listeners)[number]) => Promise<void>): void {
  for (const kind of listeners) Deno.test({ name: `${name} (${kind.name})`, ignore: kind.ignore, fn: () => run(kind) });
}

test("ControlSocket.claim() makes a socket for its owner only, and removes it when disposed of", async ({ listen }) => {
  await using at = await folder();
  await using socket = await ControlSocket.claim(at.socket, listen);
  assertEquals((Deno.statSync(at.socket).mode ?? 0) & 0o777, 0o600);
  assertEquals(at.names(), ["control"]);
  socket[Symbol.dispose]();
  socket[Symbol.dispose]();
  assertEquals(at.names(), []);
});

test("ControlSocket.claim() replaces a dead socket", async ({ listen }) => {
  await using at = await folder();
  await leaveDead(at.socket);
  assertEquals(at.names(), ["control"]);
  await using socket = await ControlSocket.claim(at.socket, listen);
  (await Deno.connect({ transport: "unix", path: at.socket })).close();
  await firstClient(socket);
  assertEquals(at.names(), ["control"]);
});

test("ControlSocket.claim() never replaces a live one", async ({ listen }) => {
  await using at = await folder();
  await using first = await ControlSocket.claim(at.socket, listen);
  const error = await assertRejects(() => ControlSocket.claim(at.socket, listen), PestoError);
  assertEquals(error.code, "in-use");
  assertEquals(error.message, `Can't make the control socket "${at.socket}": another server listens there`);
  await firstClient(first);
  (await Deno.connect({ transport: "unix", path: at.socket })).close();
});

test("ControlSocket.claim() gives the path to one of many that start at once", async ({ listen }) => {
  await using at = await folder();
  await leaveDead(at.socket);
  const claims = await Promise.allSettled(Array.from({ length: 20 }, () => ControlSocket.claim(at.socket, listen)));
  await using won = new AsyncDisposableStack();
  for (const claim of claims) if (claim.status === "fulfilled") won.use(claim.value);
  assertEquals(claims.filter(({ status }) => status === "fulfilled").length, 1);
});

test("ControlSocket.claim() leaves alone what isn't a socket, and says why a path can't be used", async ({ listen }) => {
  await using at = await folder();
  await Deno.writeTextFile(at.socket, "precious");
  const file = await assertRejects(() => ControlSocket.claim(at.socket, listen), PestoError);
  assertEquals(file.message, `Can't make the control socket "${at.socket}": something that isn't a socket is there`);
  assertEquals(await Deno.readTextFile(at.socket), "precious");
  const nowhere = await assertRejects(() => ControlSocket.claim(`${at.socket}/x/y`, listen), PestoError);
  assertEquals(nowhere.code, "control-socket");
});

test("ControlSocket removes nothing that another server has put in its place", async ({ listen }) => {
  await using at = await folder();
  await using socket = await ControlSocket.claim(at.socket, listen);
  await Deno.remove(at.socket);
  await using _other = await ControlSocket.claim(at.socket, listen);
  socket[Symbol.dispose]();
  assertEquals(at.names(), ["control"]);
});
