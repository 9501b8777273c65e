import { endpointText } from "../../sync/endpoint.ts";
import { assertEquals } from "../assert.ts";

Deno.test("endpointText() writes an endpoint as printed tables do", () => {
  assertEquals(endpointText({ protocol: "tcp", address: "127.0.0.1", port: 80 }), "TCP [127.0.0.1]:80");
  assertEquals(endpointText({ protocol: "udp", address: "::", port: 53 }), "UDP [::]:53");
  assertEquals(endpointText({ protocol: "tcp", address: "*", interface: "lo", port: 3000 }), "TCP [*]%lo:3000");
});

Deno.test("endpointText() is the same for equal endpoints and differs in every field", () => {
  const endpoint = { protocol: "tcp", address: "::1", interface: "lo", port: 80 } as const;
  assertEquals(endpointText({ ...endpoint }), endpointText(endpoint));
  const others = [
    { ...endpoint, protocol: "udp" },
    { ...endpoint, address: "::" },
    { ...endpoint, interface: "eth0" },
    { ...endpoint, port: 81 },
    { protocol: "tcp", address: "::1", port: 80 },
  ] as const;
  assertEquals(new Set([endpoint, ...others].map(endpointText)).size, others.length + 1);
});
