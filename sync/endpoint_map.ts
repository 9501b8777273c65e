/**
 * Values by endpoint, for thousands of ports that differ in nothing else: one map of port numbers for each *row*, which
 * is a protocol, an address and an interface. Whoever goes through a range finds the row without making a string.
 *
 * @module
 */

import type { Endpoint } from "./backend.ts";

/** The ports that share all but their number. */
interface Row<Value> extends Omit<Endpoint, "port"> {
  readonly ports: Map<number, Value>;
}

/** As `Map`, with endpoints for keys. */
export class EndpointMap<Value> {
  readonly #rows = new Map<string, Row<Value>>();
  /** The row that was asked for last. */
  #last: Row<Value> | undefined;
  #size = 0;

  /** How many endpoints have a value. */
  get size(): number {
    return this.#size;
  }

  /** The value of an endpoint, if it has one. */
  get(endpoint: Endpoint): Value | undefined {
    return this.#row(endpoint)?.ports.get(endpoint.port);
  }

  /** Gives an endpoint a value, in the place of the one that it may have. */
  set(endpoint: Endpoint, value: Value): void {
    const { ports } = this.#row(endpoint) ?? this.#newRow(endpoint);
    const before = ports.size;
    ports.set(endpoint.port, value);
    this.#size += ports.size - before;
  }

  /** Takes an endpoint's value away; whether it had one. */
  delete(endpoint: Endpoint): boolean {
    const row = this.#row(endpoint);
    if (row === undefined || !row.ports.delete(endpoint.port)) return false;
    this.#size--;
    if (row.ports.size === 0) {
      this.#rows.delete(rowKey(row));
      this.#last = undefined;
    }
    return true;
  }

  /** All values, row by row. */
  *values(): Generator<Value> {
    for (const { ports } of this.#rows.values()) yield* ports.values();
  }

  #row(endpoint: Endpoint): Row<Value> | undefined {
    const last = this.#last;
    if (
      last !== undefined && last.address === endpoint.address && last.protocol === endpoint.protocol &&
      last.interface === endpoint.interface
    ) {
      return last;
    }
    const row = this.#rows.get(rowKey(endpoint));
    if (row !== undefined) this.#last = row;
    return row;
  }

  #newRow({ protocol, address, interface: name }: Endpoint): Row<Value> {
    const row = { protocol, address, ...(name !== undefined && { interface: name }), ports: new Map<number, Value>() };
    this.#rows.set(rowKey(row), row);
    this.#last = row;
    return row;
  }
}

/** Neither addresses nor names of interfaces have white space. */
function rowKey({ protocol, address, interface: name }: Omit<Endpoint, "port">): string {
  return `${protocol} ${address} ${name ?? ""}`;
}
