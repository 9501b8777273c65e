import { UsageError } from "../../cli/arguments.ts";
import { Supervisor } from "../../cli/supervisor.ts";
import { linuxAvailable } from "../../sync/linux.ts";
import { assertEquals, assertThrows } from "../assert.ts";
import { DatagramReceiver } from "../datagram_receiver.ts";

const ignore = linuxAvailable().kind === "unavailable";

/** A supervisor that NOTIFY_SOCKET names, and what it logs. */
function named(socket: string | undefined) {
  const before = Deno.env.get("NOTIFY_SOCKET");
  if (socket === undefined) Deno.env.delete("NOTIFY_SOCKET");
  else Deno.env.set("NOTIFY_SOCKET", socket);
  try {
    const logged: string[] = [];
    return { supervisor: new Supervisor(undefined, (message) => logged.push(message)), logged };
  } finally {
    if (before === undefined) Deno.env.delete("NOTIFY_SOCKET");
    else Deno.env.set("NOTIFY_SOCKET", before);
  }
}

Deno.test({
  name: "Supervisor tells the socket that NOTIFY_SOCKET names when it is ready, and when it stops",
  ignore,
  async fn() {
    using receiver = new DatagramReceiver(`@pesto-test-${crypto.randomUUID()}`);
    const { supervisor, logged } = named(receiver.name);
    await supervisor.ready("/run/pes\nto");
    await supervisor.stopping();
    assertEquals(receiver.poll(), 'READY=1\nSTATUS=Control socket "/run/pes\\nto"');
    assertEquals(receiver.poll(), "STOPPING=1");
    assertEquals(logged, []);
  },
});

Deno.test({
  name: "Supervisor waits for room where the socket is busy",
  ignore,
  async fn() {
    using receiver = new DatagramReceiver(`@pesto-test-${crypto.randomUUID()}`);
    const { supervisor, logged } = named(receiver.name);
    // The kernel keeps 10 datagrams or so, and the last of these has to wait.
    const telling = (async () => {
      for (let count = 0; count < 20; count++) await supervisor.stopping();
    })();
    for (let count = 0; count < 20; count++) assertEquals(await receiver.next(), "STOPPING=1");
    await telling;
    assertEquals(logged, []);
  },
});

Deno.test({
  name: "Supervisor logs that a socket can't be told, and says nothing where there is none",
  ignore,
  async fn() {
    const wrong = named("/nowhere/notify");
    await wrong.supervisor.ready("/run/pesto");
    assertEquals(wrong.logged, [
      "Can't tell the supervisor that NOTIFY_SOCKET names: Can't send to socket \"/nowhere/notify\": no such file (ENOENT)",
    ]);
    const long = named(`/${"x".repeat(200)}`);
    await long.supervisor.stopping();
    assertEquals(long.logged.length, 1);
    for (const none of [undefined, ""]) {
      const nobody = named(none);
      await nobody.supervisor.ready("/run/pesto");
      await nobody.supervisor.stopping();
      assertEquals(nobody.logged, []);
    }
  },
});

Deno.test({
  name: "Supervisor refuses a descriptor that the program was not given",
  ignore,
  fn() {
    const { message } = assertThrows(() => new Supervisor(1_000_000, () => {}), UsageError);
    assertEquals(
      message,
      `Can't take "--ready-fd 1000000": whoever starts the program must have opened it, and has not`,
    );
  },
});
