/**
 * The C library: the functions, structs and constants that the Linux backend uses, and nothing else of this project
 * knows. The constants are those of Linux on x86_64 and aarch64, which differ in one struct only;
 * `tests/sync/linux/libc_test.ts` compares all of it with what C compilers for both say. No call goes by its number, and
 * `open` and `fcntl`, which C declares with variable arguments, take them in the same registers as any others on both.
 *
 * Theory of operation. The library is open as long as somebody has a {@linkcode Libc}; the first one opens it, the last
 * one closes it, so that a program that has disposed of its backends holds nothing. The runtime compiles a way into each
 * function when the library is opened, 0.2 ms for each: those that a server calls only when it has something to relay, or
 * clients to answer, are opened when the first of them is called.
 *
 * Rules that calls keep to:
 * - A parameter of type `size_t` is declared as `usize` and only used off the hot path, where a call costs twice as much
 *   (600 ns instead of 300 on the machine of `tests/bench/relay_bench.ts`). The hot path passes sizes in structs
 *   (`readv`, `sendmsg`), because the upper half of a register is undefined for an `i32`.
 * - Memory that the library is to see again after a call, through an address in a struct, is a whole `ArrayBuffer`:
 *   short typed arrays may lie on V8's heap, where they move.
 * - `errno` belongs to a thread, and calls that aren't `nonblocking` run on the caller's. It is read from its place in
 *   memory, directly after the call, so that nothing comes in between that could change it.
 *
 * @module
 */

import { PestoError } from "../../codec/errors.ts";
import { errorText, type SystemError, systemErrorOfNumber } from "../errno.ts";

/** Where the functions are: the GNU C library. */
const LIBRARY = "libc.so.6";

/** The functions that a server calls before it is ready, as `Deno.dlopen` wants them. */
const FIRST = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  bind: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  listen: { parameters: ["i32", "i32"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "i32"], result: "i32" },
  /** On a thread of its own. */
  fcntl_aside: { name: "fcntl", parameters: ["i32", "i32", "i32"], result: "i32", nonblocking: true },
  epoll_create1: { parameters: ["i32"], result: "i32" },
  epoll_ctl: { parameters: ["i32", "i32", "i32", "buffer"], result: "i32" },
  /** On a thread of its own, until something happens. */
  poll_aside: { name: "poll", parameters: ["buffer", "usize", "i32"], result: "i32", nonblocking: true },
  eventfd: { parameters: ["u32", "i32"], result: "i32" },
  read: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  open: { parameters: ["buffer", "i32"], result: "i32" },
  geteuid: { parameters: [], result: "u32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  __errno_location: { parameters: [], result: "pointer" },
} as const satisfies Deno.ForeignLibraryInterface;

/** All others. */
const FURTHER = {
  accept4: { parameters: ["i32", "pointer", "pointer", "i32"], result: "i32" },
  connect: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  getsockopt: { parameters: ["i32", "i32", "i32", "buffer", "buffer"], result: "i32" },
  shutdown: { parameters: ["i32", "i32"], result: "i32" },
  readv: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  sendmsg: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  send: { parameters: ["i32", "buffer", "usize", "i32"], result: "i32" },
  recvmmsg: { parameters: ["i32", "buffer", "u32", "i32", "pointer"], result: "i32" },
  sendmmsg: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  splice: { parameters: ["i32", "pointer", "i32", "pointer", "usize", "u32"], result: "i32" },
  pipe2: { parameters: ["buffer", "i32"], result: "i32" },
  epoll_wait: { parameters: ["i32", "buffer", "i32", "i32"], result: "i32" },
  eventfd_write: { parameters: ["i32", "u64"], result: "i32" },
  setns: { parameters: ["i32", "i32"], result: "i32" },
  write: { parameters: ["i32", "buffer", "usize"], result: "i32" },
  /** On a thread of its own. */
  read_aside: { name: "read", parameters: ["i32", "buffer", "usize"], result: "i32", nonblocking: true },
} as const satisfies Deno.ForeignLibraryInterface;

/** The constants, under their names in C. */
export const C = {
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 10,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_RCVBUF: 8,
  SO_KEEPALIVE: 9,
  SO_LINGER: 13,
  SO_PEERCRED: 17,
  SO_BINDTODEVICE: 25,
  IPPROTO_IP: 0,
  IP_PKTINFO: 8,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  IPPROTO_IPV6: 41,
  IPV6_V6ONLY: 26,
  IPV6_RECVPKTINFO: 49,
  IPV6_PKTINFO: 50,
  SHUT_WR: 1,
  MSG_DONTWAIT: 0x40,
  MSG_NOSIGNAL: 0x4000,
  MSG_MORE: 0x8000,
  SPLICE_F_MOVE: 1,
  SPLICE_F_NONBLOCK: 2,
  O_RDONLY: 0,
  O_WRONLY: 1,
  O_NONBLOCK: 0o4000,
  O_CLOEXEC: 0o2000000,
  O_ACCMODE: 3,
  F_GETFD: 1,
  F_GETFL: 3,
  F_DUPFD_CLOEXEC: 1030,
  F_SETPIPE_SZ: 1031,
  FD_CLOEXEC: 1,
  EPOLL_CLOEXEC: 0o2000000,
  EPOLL_CTL_ADD: 1,
  EPOLLIN: 0x001,
  EPOLLOUT: 0x004,
  EPOLLERR: 0x008,
  EPOLLHUP: 0x010,
  EPOLLRDHUP: 0x2000,
  EPOLLET: 0x80000000,
  POLLIN: 0x001,
  EFD_NONBLOCK: 0o4000,
  EFD_CLOEXEC: 0o2000000,
  CLONE_NEWNET: 0x40000000,
  RLIMIT_NOFILE: 7,
} as const;

/** Error numbers that the relays act upon. */
export const ERRNO = {
  EPERM: 1,
  EINTR: 4,
  EAGAIN: 11,
  EPIPE: 32,
  EPROTO: 71,
  EADDRINUSE: 98,
  ECONNABORTED: 103,
  ECONNRESET: 104,
  EINPROGRESS: 115,
} as const;

/** Layout of `struct epoll_event`, which is packed on x86_64 only. */
export function epollEventLayout(
  arch: string,
): { readonly size: number; readonly events: number; readonly data: number } {
  return arch === "x86_64" ? { size: 12, events: 0, data: 4 } : { size: 16, events: 0, data: 8 };
}

/** Bytes of structs, and of their fields from the start. All of them are little-endian but for the network's own. */
export const LAYOUT = {
  epoll_event: epollEventLayout(Deno.build.arch),
  pollfd: { size: 8, fd: 0, events: 4, revents: 6 },
  iovec: { size: 16, iov_base: 0, iov_len: 8 },
  msghdr: {
    size: 56,
    msg_name: 0,
    msg_namelen: 8,
    msg_iov: 16,
    msg_iovlen: 24,
    msg_control: 32,
    msg_controllen: 40,
    msg_flags: 48,
  },
  mmsghdr: { size: 64, msg_hdr: 0, msg_len: 56 },
  cmsghdr: { size: 16, cmsg_len: 0, cmsg_level: 8, cmsg_type: 12 },
  in_pktinfo: { size: 12, ipi_ifindex: 0, ipi_spec_dst: 4, ipi_addr: 8 },
  in6_pktinfo: { size: 20, ipi6_addr: 0, ipi6_ifindex: 16 },
  sockaddr_in: { size: 16, sin_family: 0, sin_port: 2, sin_addr: 4 },
  sockaddr_in6: { size: 28, sin6_family: 0, sin6_port: 2, sin6_flowinfo: 4, sin6_addr: 8, sin6_scope_id: 24 },
  sockaddr_un: { size: 110, sun_family: 0, sun_path: 2 },
  ucred: { size: 12, pid: 0, uid: 4, gid: 8 },
  linger: { size: 8, l_onoff: 0, l_linger: 4 },
  rlimit: { size: 16, rlim_cur: 0, rlim_max: 8 },
} as const;

/** The open library. */
export interface Libc extends Disposable {
  /** The functions; they return -1 on failure. */
  readonly call: Deno.StaticForeignLibraryInterface<typeof FIRST & typeof FURTHER>;
  /** The calling thread's error number; good until the next call. */
  readonly errno: number;
}

class OpenLibc implements Libc {
  readonly call: Libc["call"];
  readonly #errno: Int32Array;
  #disposed = false;

  constructor({ call, errno }: Loaded) {
    this.call = call;
    this.#errno = errno;
  }

  get errno(): number {
    return this.#errno[0] ?? 0;
  }

  [Symbol.dispose](): void {
    if (this.#disposed) return;
    this.#disposed = true;
    release();
  }
}

interface Loaded {
  readonly call: Libc["call"];
  readonly errno: Int32Array;
  close(): void;
}

let loaded: Loaded | undefined;
let users = 0;

/**
 * The C library, until it is disposed of.
 *
 * @throws {Deno.errors.NotCapable} without the permission to use FFI
 * @throws {Error} if there is no such library here
 */
export function openLibc(): Libc {
  loaded ??= load();
  users++;
  return new OpenLibc(loaded);
}

function load(): Loaded {
  const first = Deno.dlopen(LIBRARY, FIRST);
  let further: Deno.DynamicLibrary<typeof FURTHER> | undefined;
  const place = first.symbols.__errno_location();
  if (place === null) throw new PestoError("internal", `Can't use ${LIBRARY}: it doesn't say where errno is`);
  return {
    call: withFurther(first.symbols, () => (further ??= Deno.dlopen(LIBRARY, FURTHER)).symbols),
    errno: new Int32Array(Deno.UnsafePointerView.getArrayBuffer(place, 4)),
    close() {
      first.close();
      further?.close();
    },
  };
}

type Symbols<Functions extends Deno.ForeignLibraryInterface> = Deno.StaticForeignLibraryInterface<Functions>;

/**
 * The first functions, and accessors behind them that get all others when one of these is wanted for the first time. From
 * then on all are properties alike.
 */
function withFurther(first: Symbols<typeof FIRST>, open: () => Symbols<typeof FURTHER>): Libc["call"] {
  const accessors = {};
  const call = Object.create(accessors);
  const add = (functions: object) => {
    for (const [name, value] of Object.entries(functions)) Object.defineProperty(call, name, { value });
  };
  for (const name of Object.keys(FURTHER)) {
    Object.defineProperty(accessors, name, {
      get() {
        add(open());
        return call[name];
      },
    });
  }
  add(first);
  return call;
}

function release(): void {
  users--;
  if (users > 0) return;
  loaded?.close();
  loaded = undefined;
}

/** What the last call failed with. */
export function lastError(libc: Libc): SystemError {
  return systemErrorOfNumber(libc.errno);
}

/**
 * An error about a call that should not have failed, with the system's name of the error as its code.
 *
 * @param what what was tried, as in "Can't make a pipe"
 */
export function systemFailure(what: string, error: SystemError): PestoError {
  return new PestoError(error.name, `${what}: ${errorText(error)}`);
}

/** The address of the first byte; it stays the same as long as the array is reachable. */
export function addressOf(memory: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(memory));
}

/** Text as the C library wants it. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}
