/** The part of as-bind 0.8.2 that the core's loader uses; the package's own declarations say `any`. */

export interface BoundInstance {
  /** Exports that take and give strings as strings. */
  readonly exports: Readonly<Record<string, unknown>>;
  readonly loadedModule: { readonly instance: WebAssembly.Instance };
}

/** Compiles and instantiates at once a module that was built with `--transform as-bind --exportRuntime`. */
export function instantiateSync(source: BufferSource, imports: WebAssembly.Imports): BoundInstance;
