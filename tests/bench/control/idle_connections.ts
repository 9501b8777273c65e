/**
 * Run by the memory benchmark: many TCP connections that say one byte, and then nothing.
 *
 *     idle_connections.ts target PORT
 *     idle_connections.ts clients PORT COUNT     prints a line when each has had its answer
 */

const LOOPBACK = "127.0.0.1";
/** Connections under way at a time: fewer than wait for a listener at most. */
const AT_ONCE = 64;

const [role, port, count] = Deno.args;
switch (role) {
  case "target":
    await target(Number(port));
    break;
  case "clients":
    await clients(Number(port), Number(count));
    break;
  default:
    throw new TypeError(`Can't be "${role}": it must be target or clients`);
}

async function target(port: number): Promise<void> {
  for await (const connection of Deno.listen({ hostname: LOOPBACK, port })) answer(connection);
}

async function answer(connection: Deno.Conn): Promise<void> {
  const byte = new Uint8Array(1);
  while (await connection.read(byte) !== null) await connection.write(byte);
  connection.close();
}

async function clients(port: number, count: number): Promise<void> {
  const connections: Deno.Conn[] = [];
  const connectOne = async () => {
    const connection = await Deno.connect({ hostname: LOOPBACK, port });
    connections.push(connection);
    const byte = new Uint8Array(1);
    await connection.write(byte);
    await connection.read(byte);
  };
  while (connections.length < count) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, count - connections.length) }, connectOne));
  }
  console.log("ready");
  await new Promise((resolve) => setTimeout(resolve, 3_600_000));
  console.log(connections.length);
}
