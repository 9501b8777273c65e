import type { Endpoint } from "../../sync/backend.ts";
import { EndpointMap } from "../../sync/endpoint_map.ts";
import { assertEquals } from "../assert.ts";

/** Endpoints that differ from their neighbours in one thing. */
const ENDPOINTS: readonly Endpoint[] = [
  { protocol: "tcp", address: "127.0.0.1", port: 80 },
  { protocol: "tcp", address: "127.0.0.1", port: 81 },
  { protocol: "udp", address: "127.0.0.1", port: 81 },
  { protocol: "udp", address: "*", port: 81 },
  { protocol: "udp", address: "*", interface: "lo", port: 81 },
  { protocol: "udp", address: "*", interface: "eth0", port: 81 },
  { protocol: "udp", address: "::", interface: "eth0", port: 81 },
];

Deno.test("EndpointMap tells endpoints apart by all that they say, in whatever order they are asked for", () => {
  const map = new EndpointMap<number>();
  ENDPOINTS.forEach((endpoint, index) => map.set({ ...endpoint }, index));
  assertEquals(map.size, ENDPOINTS.length);
  for (const order of [ENDPOINTS, ENDPOINTS.toReversed()]) {
    for (const endpoint of order) assertEquals(map.get({ ...endpoint }), ENDPOINTS.indexOf(endpoint));
  }
  assertEquals(map.get({ protocol: "tcp", address: "127.0.0.1", port: 82 }), undefined);
  assertEquals(map.get({ protocol: "tcp", address: "::1", port: 80 }), undefined);
});

Deno.test("EndpointMap.set() replaces, and delete() takes away only what is there", () => {
  const map = new EndpointMap<string>();
  const [first, second] = ENDPOINTS as [Endpoint, Endpoint];
  map.set(first, "old");
  map.set(first, "new");
  map.set(second, "second");
  assertEquals([map.size, map.get(first)], [2, "new"]);
  assertEquals([map.delete(first), map.delete(first), map.size], [true, false, 1]);
  assertEquals([...map.values()], ["second"]);
});

Deno.test("EndpointMap takes endpoints of a row that was emptied", () => {
  const map = new EndpointMap<string>();
  const [first, second] = ENDPOINTS as [Endpoint, Endpoint];
  map.set(first, "gone");
  map.delete(first);
  map.set(second, "there");
  assertEquals([map.get(first), map.get(second), map.size, [...map.values()]], [undefined, "there", 1, ["there"]]);
});
