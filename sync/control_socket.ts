/**
 * The UNIX socket that a server is controlled through, as a file: claimed, and removed again.
 *
 * Theory of operation. The socket is bound to a name of its own beside the path, under a file mode mask that shuts out
 * everybody else from the first moment, and then linked to the path: linking never replaces anything, so of two servers
 * that start at once only one gets the path. (It also keeps the runtime, which removes the name that it has bound when
 * its own kind of socket is closed, from ever removing another server's socket.)
 *
 * A path with a socket that nobody listens on is what a killed server leaves behind; it is moved aside and removed,
 * after a second look that it is the same file that was found dead. At exit the file is removed if it is still ours.
 *
 * @module
 */

import { PestoError } from "../codec/errors.ts";
import type { ControlListener, Listen } from "./control_listener.ts";
import { listenPortably } from "./portable/control_listener.ts";

/** Permission bits that a control socket must not have: everything for group and others. */
const OWNER_ONLY = 0o177;

/**
 * A listening control socket. Disposing of it stops listening and removes the file; its connections go on, until it is
 * disposed of asynchronously.
 */
export class ControlSocket implements Disposable, AsyncDisposable {
  readonly path: string;
  readonly listener: ControlListener;
  readonly #inode: number | null;

  private constructor(path: string, listener: ControlListener) {
    this.path = path;
    this.listener = listener;
    this.#inode = Deno.lstatSync(path).ino;
  }

  /**
   * Listens at `path`, on what `listen` makes.
   *
   * @throws {PestoError} (as a rejection) with the code `in-use` if a live server listens there, or `control-socket` if
   * the socket can't be made
   */
  static async claim(path: string, listen: Listen = listenPortably): Promise<ControlSocket> {
    try {
      await removeDead(path);
      const own = `${path}.${Deno.pid}`;
      const listener = listenOwnerOnly(own, listen);
      try {
        Deno.linkSync(own, path);
        Deno.removeSync(own);
        return new ControlSocket(path, listener);
      } catch (error) {
        if (statAt(own) !== undefined) Deno.removeSync(own);
        await listener[Symbol.asyncDispose]();
        throw error;
      }
    } catch (cause) {
      if (cause instanceof PestoError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new PestoError("control-socket", `Can't make the control socket "${path}": ${reason}`, { cause });
    }
  }

  [Symbol.dispose](): void {
    if (inodeAt(this.path) === this.#inode) Deno.removeSync(this.path);
    this.listener.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this[Symbol.dispose]();
    await this.listener[Symbol.asyncDispose]();
  }
}

function listenOwnerOnly(path: string, listen: Listen): ControlListener {
  const mask = Deno.umask(OWNER_ONLY);
  try {
    return listen(path);
  } finally {
    Deno.umask(mask);
  }
}

async function removeDead(path: string): Promise<void> {
  const found = statAt(path);
  if (found === undefined) return;
  if (!found.isSocket) {
    throw new PestoError(
      "control-socket",
      `Can't make the control socket "${path}": something that isn't a socket is there`,
    );
  }
  if (await isAlive(path)) {
    throw new PestoError("in-use", `Can't make the control socket "${path}": another server listens there`);
  }
  const aside = `${path}.dead-${Deno.pid}`;
  Deno.renameSync(path, aside);
  if (inodeAt(aside) === found.ino) return Deno.removeSync(aside);
  // Another server has claimed the path since it was found dead: what was moved is alive, and goes back.
  Deno.renameSync(aside, path);
  throw new PestoError("in-use", `Can't make the control socket "${path}": another server listens there`);
}

async function isAlive(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.ConnectionRefused) return false;
    // More clients than it has room for are waiting there.
    if (error instanceof Deno.errors.WouldBlock) return true;
    throw error;
  }
}

function statAt(path: string): Deno.FileInfo | undefined {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function inodeAt(path: string): number | null | undefined {
  return statAt(path)?.ino;
}
