/**
 * Linux's error numbers: the ones that binding, listening and connecting can give, with a short text for people. They
 * are what PORTS frames carry, on whatever system the server runs.
 *
 * @module
 */

/** Number and text of each. Source of the numbers: Linux's uapi headers `errno-base.h` and `errno.h`. */
const ERRORS = {
  EPERM: [1, "operation not permitted"],
  ENOENT: [2, "no such file"],
  EINTR: [4, "interrupted"],
  EIO: [5, "input or output failed"],
  ENXIO: [6, "no such device or address"],
  EBADF: [9, "bad file descriptor"],
  EAGAIN: [11, "temporarily unavailable"],
  ENOMEM: [12, "out of memory"],
  EACCES: [13, "permission denied"],
  EFAULT: [14, "bad memory address"],
  EBUSY: [16, "busy"],
  EEXIST: [17, "exists already"],
  ENODEV: [19, "no such device"],
  ENOTDIR: [20, "not a directory"],
  EINVAL: [22, "invalid argument"],
  ENFILE: [23, "too many open files in the system"],
  EMFILE: [24, "too many open files"],
  ENOSPC: [28, "no space left"],
  EROFS: [30, "read-only file system"],
  EPIPE: [32, "broken pipe"],
  ENAMETOOLONG: [36, "name too long"],
  ENOSYS: [38, "function not implemented"],
  ENOTSOCK: [88, "not a socket"],
  EMSGSIZE: [90, "message too long"],
  ENOPROTOOPT: [92, "option not available"],
  EPROTONOSUPPORT: [93, "protocol not supported"],
  ESOCKTNOSUPPORT: [94, "socket type not supported"],
  EOPNOTSUPP: [95, "operation not supported"],
  EAFNOSUPPORT: [97, "address family not supported"],
  EADDRINUSE: [98, "address in use"],
  EADDRNOTAVAIL: [99, "address not available"],
  ENETDOWN: [100, "network is down"],
  ENETUNREACH: [101, "network unreachable"],
  ECONNABORTED: [103, "connection aborted"],
  ECONNRESET: [104, "connection reset"],
  ENOBUFS: [105, "no buffer space"],
  EISCONN: [106, "connected already"],
  ENOTCONN: [107, "not connected"],
  ESHUTDOWN: [108, "shut down already"],
  ETIMEDOUT: [110, "timed out"],
  ECONNREFUSED: [111, "connection refused"],
  EHOSTDOWN: [112, "host is down"],
  EHOSTUNREACH: [113, "host unreachable"],
  EALREADY: [114, "under way already"],
  EINPROGRESS: [115, "in progress"],
} as const;

/** An error of this table, as `EADDRINUSE`. */
export type ErrorName = keyof typeof ERRORS;

/** One of Linux's errors. */
export interface SystemError {
  /** As `EADDRINUSE`. */
  readonly name: string;
  readonly errno: number;
  /** Lower case, without a period. */
  readonly text: string;
}

const names = new Map<number, ErrorName>();
for (const name of Object.keys(ERRORS)) if (isErrorName(name)) names.set(ERRORS[name][0], name);

/** The error of that name. */
export function systemError(name: ErrorName): SystemError {
  const [errno, text] = ERRORS[name];
  return { name, errno, text };
}

/** The error with that Linux number; one that this table lacks is named after its number. */
export function systemErrorOfNumber(errno: number): SystemError {
  const name = names.get(errno);
  return name === undefined ? { name: `E${errno}`, errno, text: `error number ${errno}` } : systemError(name);
}

/**
 * The error that an exception of the runtime stands for: by its `code`, or for want of one by its kind. What remains
 * unknown is an `EIO`, because there must be a number to put on the wire.
 */
export function systemErrorOf(thrown: unknown): SystemError {
  if (thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" && isErrorName(thrown.code)) {
    return systemError(thrown.code);
  }
  // Deno's own permission check refuses without a code.
  if (thrown instanceof Deno.errors.NotCapable || thrown instanceof Deno.errors.PermissionDenied) {
    return systemError("EACCES");
  }
  return systemError("EIO");
}

/** An error for people: `permission denied (EACCES)`. */
export function errorText({ name, text }: SystemError): string {
  return `${text} (${name})`;
}

function isErrorName(name: string): name is ErrorName {
  return Object.hasOwn(ERRORS, name);
}
