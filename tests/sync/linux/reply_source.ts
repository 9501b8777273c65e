/**
 * Run in a network namespace whose loopback interface has further addresses, which are the arguments: on each wildcard a
 * peer at the first of a family writes to the others of that family. Prints from where the answers came.
 */

import { linuxBackend } from "../../../sync/linux.ts";
import { Datagrams, endpointAt, freePort, namedDatagrams, routeTo } from "../harness.ts";

await using target = namedDatagrams("a");
await using backend = linuxBackend();
const six = Deno.args.filter((address) => address.includes(":"));
const four = Deno.args.filter((address) => !address.includes(":"));
const answers: string[] = [];
for (const [wildcard, addresses] of [["0.0.0.0", four], ["::", six], ["*", four], ["*", six]] as const) {
  const [own, ...others] = addresses;
  const port = await freePort("udp");
  const listener = await backend.open(endpointAt("udp", wildcard, port), routeTo(port, target.port));
  await using peer = new Datagrams(own);
  // In turns, so that each flow has its own way back.
  for (const address of [...others, ...others]) {
    peer.send("hello", port, address);
    const answer = await peer.receive();
    answers.push(`${wildcard} ${answer.address} ${answer.port === port}`);
  }
  listener.close();
}
console.log(JSON.stringify(answers));
