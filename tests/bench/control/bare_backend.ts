/**
 * A backend that has no sockets, for what the rest costs.
 *
 * @module
 */

import { CAPABILITY } from "../../../codec/constants.ts";
import type { Backend, Endpoint, Listener, Route } from "../../../sync/backend.ts";

/** Says yes to everything, and does nothing. */
export class BareBackend implements Backend {
  readonly name = "portable";
  readonly capabilities = CAPABILITY.IPV4 | CAPABILITY.IPV6 | CAPABILITY.TCP | CAPABILITY.UDP | CAPABILITY.ANY_TARGET;
  readonly counts = { listeners: 0, tcpFlows: 0, udpFlows: 0 };
  #nextId = 1;

  open(endpoint: Endpoint, route: Route): Promise<Listener> {
    return Promise.resolve({ endpoint, route, socketId: this.#nextId++, parked: false, close() {} });
  }

  probe(): Promise<void> {
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}
