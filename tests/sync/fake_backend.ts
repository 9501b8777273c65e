import { CAPABILITY } from "../../codec/constants.ts";
import { type Backend, BindError, type Endpoint, type Listener, type Route } from "../../sync/backend.ts";
import { endpointText } from "../../sync/endpoint.ts";

/** A backend without sockets: it keeps a book of what was asked of it, and fails where a test wants it to. */
export class FakeBackend implements Backend {
  readonly name = "portable";
  readonly capabilities: number;
  /** What was done, in order, as `open TCP [127.0.0.1]:80`. */
  readonly book: string[] = [];
  /** Bound now, by key. */
  readonly bound = new Map<string, FakeListener>();
  /** Whether an attempt to bind fails. */
  fails: (endpoint: Endpoint) => boolean = () => false;
  #nextId = 1;

  constructor(
    capabilities = CAPABILITY.IPV4 | CAPABILITY.IPV6 | CAPABILITY.TCP | CAPABILITY.UDP | CAPABILITY.ANY_TARGET,
  ) {
    this.capabilities = capabilities;
  }

  get counts() {
    return { listeners: this.bound.size, tcpFlows: 0, udpFlows: 0 };
  }

  open(endpoint: Endpoint, route: Route): Promise<Listener> {
    const key = endpointText(endpoint);
    if (this.fails(endpoint) || this.bound.has(key)) return Promise.reject(inUse(endpoint));
    const listener = new FakeListener(this, endpoint, route, this.#nextId++);
    this.bound.set(key, listener);
    this.note("open", endpoint);
    return Promise.resolve(listener);
  }

  probe(endpoint: Endpoint): Promise<void> {
    this.note("probe", endpoint);
    return this.fails(endpoint) ? Promise.reject(inUse(endpoint)) : Promise.resolve();
  }

  note(what: string, endpoint: Endpoint): void {
    this.book.push(`${what} ${endpointText(endpoint)}`);
  }

  /** What is served now: `TCP [127.0.0.1]:80 -> 127.0.0.1:8080 #1`, with the socket's id, parked ones left out. */
  serving(): string[] {
    return [...this.bound.values()].filter(({ parked }) => !parked).map(({ endpoint, route, socketId }) =>
      `${endpointText(endpoint)} -> ${route.address}:${endpoint.port + route.shift} #${socketId}`
    ).toSorted();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.bound.clear();
    return Promise.resolve();
  }
}

class FakeListener implements Listener {
  #route: Route;
  #parked = false;
  constructor(
    readonly backend: FakeBackend,
    readonly endpoint: Endpoint,
    route: Route,
    readonly socketId: number,
  ) {
    this.#route = route;
  }
  get route(): Route {
    return this.#route;
  }
  set route(route: Route) {
    this.#route = route;
    this.backend.note("route", this.endpoint);
  }
  get parked(): boolean {
    return this.#parked;
  }
  set parked(parked: boolean) {
    this.#parked = parked;
    this.backend.note(parked ? "park" : "unpark", this.endpoint);
  }
  close(): void {
    if (this.backend.bound.delete(endpointText(this.endpoint))) this.backend.note("close", this.endpoint);
  }
}

function inUse(endpoint: Endpoint): BindError {
  return new BindError(
    endpoint,
    "EADDRINUSE",
    98,
    `Can't listen on ${endpointText(endpoint)}: address in use (EADDRINUSE)`,
  );
}
