import { parseAddress } from "../../../codec/address.ts";
import { C, LAYOUT } from "../../../sync/linux/libc.ts";
import { answerControl, NO_CONTROL } from "../../../sync/linux/packet_info.ts";
import { assertEquals } from "../../assert.ts";

const { cmsghdr, in_pktinfo, in6_pktinfo } = LAYOUT;
const INTERFACE = 7;

/** A control message with this data, with room behind it as in a buffer for control messages. */
function control(level: number, type: number, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(cmsghdr.cmsg_len, BigInt(cmsghdr.size + data.length), true);
  view.setInt32(cmsghdr.cmsg_level, level, true);
  view.setInt32(cmsghdr.cmsg_type, type, true);
  bytes.set(data, cmsghdr.size);
  return bytes;
}

function info6(address: string, index: number): Uint8Array {
  const data = new Uint8Array(in6_pktinfo.size);
  data.set(parseAddress(address), in6_pktinfo.ipi6_addr);
  new DataView(data.buffer).setUint32(in6_pktinfo.ipi6_ifindex, index, true);
  return data;
}

/** The data of the answer's control message to what was sent to an IPv6 address. */
function answer6(address: string): Uint8Array {
  const message = answerControl(control(C.IPPROTO_IPV6, C.IPV6_PKTINFO, info6(address, INTERFACE)));
  return message.slice(cmsghdr.size, cmsghdr.size + in6_pktinfo.size);
}

Deno.test("answerControl() names our own IPv4 address also when the datagram went to a broadcast address", () => {
  const data = new Uint8Array(in_pktinfo.size);
  data.set([INTERFACE], in_pktinfo.ipi_ifindex);
  data.set([10, 9, 0, 1], in_pktinfo.ipi_spec_dst);
  data.set([10, 9, 0, 255], in_pktinfo.ipi_addr);
  const expected = new Uint8Array(in_pktinfo.size);
  expected.set([10, 9, 0, 1], in_pktinfo.ipi_spec_dst);
  const message = answerControl(control(C.IPPROTO_IP, C.IP_PKTINFO, data));
  assertEquals(message.slice(cmsghdr.size, cmsghdr.size + in_pktinfo.size), expected);
});

Deno.test("answerControl() names an IPv6 address, and the interface of a link-local one only", () => {
  assertEquals(answer6("fd09::2"), info6("fd09::2", 0));
  assertEquals(answer6("fe80::2"), info6("fe80::2", INTERFACE));
});

Deno.test("answerControl() leaves the address to the kernel where none is told, or a multicast one", () => {
  assertEquals(answerControl(new Uint8Array(64)), NO_CONTROL);
  const multicast = control(C.IPPROTO_IPV6, C.IPV6_PKTINFO, info6("ff02::1", INTERFACE));
  assertEquals(answerControl(multicast), NO_CONTROL);
});
