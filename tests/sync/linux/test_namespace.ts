/** Network namespaces for tests. */

import { linuxAvailable } from "../../../sync/linux.ts";

/** Why namespaces can't be made here, if so. */
export async function noNamespaces(): Promise<string | undefined> {
  const available = linuxAvailable();
  if (available.kind === "unavailable") return available.reason;
  if (Deno.uid() !== 0) return "only root may make namespaces";
  try {
    await using _namespace = await TestNamespace.make();
    return undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "ip(8) is not installed";
    if (error instanceof IpError) return error.message;
    throw error;
  }
}

/** The command ip(8) refused something. */
class IpError extends Error {}

/** A network namespace with a name of its own, removed at the end. */
export class TestNamespace implements AsyncDisposable {
  /** As ip(8) knows it. */
  readonly name: string = `pesto-test-${crypto.randomUUID().slice(0, 8)}`;

  /** Makes one, with its loopback interface up. */
  static async make(): Promise<TestNamespace> {
    const namespace = new TestNamespace();
    await ip("netns", "add", namespace.name);
    await namespace.ip("link", "set", "lo", "up");
    return namespace;
  }

  /** Its file. */
  get path(): string {
    return `/run/netns/${this.name}`;
  }

  /** Runs ip(8) inside. */
  async ip(...args: string[]): Promise<void> {
    await ip("-n", this.name, ...args);
  }

  /** Runs a program inside; what it prints. */
  async run(...command: string[]): Promise<string> {
    return await ip("netns", "exec", this.name, ...command);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await ip("netns", "delete", this.name);
  }
}

async function ip(...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("ip", { args }).output();
  const decoder = new TextDecoder();
  if (!success) throw new IpError(`ip ${args.join(" ")} failed: ${decoder.decode(stderr).trim()}`);
  return decoder.decode(stdout);
}
