/**
 * To which of this machine's addresses a datagram was sent, and from which one the answer is to leave: the control messages
 * IP_PKTINFO and IPV6_PKTINFO.
 *
 * @module
 */

import { C, LAYOUT } from "./libc.ts";

const { cmsghdr, in_pktinfo, in6_pktinfo } = LAYOUT;
/** Control messages are aligned to this many bytes. */
const ALIGNMENT = 8;

/** No control message: the socket's own address will do, or the kernel chooses. */
export const NO_CONTROL: Uint8Array<ArrayBuffer> = new Uint8Array();

/**
 * The control message with which an answer leaves from the address that a datagram was sent to.
 *
 * @param received the datagram's own control message, at the beginning
 * @returns {@linkcode NO_CONTROL} if it doesn't say, or was sent to no address of this machine alone
 */
export function answerControl(received: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(received.buffer, received.byteOffset, received.byteLength);
  const level = view.getInt32(cmsghdr.cmsg_level, true);
  const type = view.getInt32(cmsghdr.cmsg_type, true);
  const data = received.subarray(cmsghdr.size);
  if (level === C.IPPROTO_IP && type === C.IP_PKTINFO) {
    // On arrival `ipi_spec_dst` is our own address even if the datagram was sent to a broadcast address.
    const address = data.subarray(in_pktinfo.ipi_spec_dst, in_pktinfo.ipi_addr);
    const info = new Uint8Array(in_pktinfo.size);
    info.set(address, in_pktinfo.ipi_spec_dst);
    return controlMessage(level, type, info);
  }
  if (level === C.IPPROTO_IPV6 && type === C.IPV6_PKTINFO) {
    const address = data.subarray(in6_pktinfo.ipi6_addr, in6_pktinfo.ipi6_ifindex);
    if (isMulticast(address)) return NO_CONTROL;
    const info = new Uint8Array(in6_pktinfo.size);
    info.set(address, in6_pktinfo.ipi6_addr);
    // Only link-local addresses need an interface to go with them; for others the routes decide.
    if (isLinkLocal(address)) {
      info.set(data.subarray(in6_pktinfo.ipi6_ifindex, in6_pktinfo.size), in6_pktinfo.ipi6_ifindex);
    }
    return controlMessage(level, type, info);
  }
  return NO_CONTROL;
}

function controlMessage(level: number, type: number, info: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = cmsghdr.size + info.length;
  const bytes = new Uint8Array(Math.ceil(length / ALIGNMENT) * ALIGNMENT);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(cmsghdr.cmsg_len, BigInt(length), true);
  view.setInt32(cmsghdr.cmsg_level, level, true);
  view.setInt32(cmsghdr.cmsg_type, type, true);
  bytes.set(info, cmsghdr.size);
  return bytes;
}

function isMulticast([first]: Uint8Array): boolean {
  return first === 0xff;
}

/** fe80::/10 */
function isLinkLocal([first, second = 0]: Uint8Array): boolean {
  return first === 0xfe && (second & 0xc0) === 0x80;
}
