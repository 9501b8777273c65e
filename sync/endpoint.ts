/**
 * Endpoints as text.
 *
 * @module
 */

import type { Endpoint } from "./backend.ts";

/** `TCP [127.0.0.1]%lo:80`, as printed tables write it; dual stack is `TCP [*]:80`. No two have the same. */
export function endpointText({ protocol, address, interface: name, port }: Endpoint): string {
  return `${protocol.toUpperCase()} [${address}]${name === undefined ? "" : `%${name}`}:${port}`;
}
