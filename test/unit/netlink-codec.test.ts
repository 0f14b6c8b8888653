import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { walks } from '../../packages/bpf-loader-ts/test/walks.js';
import { VfError } from '../../src/errors.js';
import { formatIp, parseIp, parsePrefix } from '../../src/frames/address.js';
import { formatMac, parseMac } from '../../src/frames/mac.js';
import { parseAddress } from '../../src/netlink/addresses.js';
import * as c from '../../src/netlink/constants.js';
import { parseBridgeEntry } from '../../src/netlink/forwarding.js';
import { parseLink, parseLinkHeader } from '../../src/netlink/links.js';
import {
  attributesAfter,
  MessageBuilder,
  type NlMessage,
  parseAck,
  parseAttributes,
  readString,
  readU32,
  splitMessages,
} from '../../src/netlink/message.js';
import { parseQdisc } from '../../src/netlink/tc.js';

/** A link as a driver of an SR-IOV VF would show it, with everything parseLink() reads. */
function fullLink(): Uint8Array {
  return new MessageBuilder(c.RTM_NEWLINK, 0)
    .ifinfo(7, c.IFF_UP | c.IFF_LOWER_UP)
    .string(c.IFLA_IFNAME, 'vf0')
    .u32(c.IFLA_MTU, 1500)
    .u32(c.IFLA_MIN_MTU, 68)
    .u32(c.IFLA_MAX_MTU, 9710)
    .u32(c.IFLA_MASTER, 3)
    .u32(c.IFLA_LINK, 9)
    .u32(c.IFLA_LINK_NETNSID, 0xffffffff)
    .u8(c.IFLA_OPERSTATE, 6)
    .u8(c.IFLA_CARRIER, 1)
    .attr(c.IFLA_ADDRESS, parseMac('02:00:00:00:00:01'))
    .attr(c.IFLA_PERM_ADDRESS, parseMac('02:00:00:00:00:02'))
    .string(c.IFLA_PARENT_DEV_NAME, '0000:01:10.0')
    .string(c.IFLA_PARENT_DEV_BUS_NAME, 'pci')
    .string(c.IFLA_PHYS_PORT_NAME, 'p0')
    .nest(c.IFLA_LINKINFO, (m) => m.string(c.IFLA_INFO_KIND, 'veth'))
    .nest(c.IFLA_XDP, (m) => m.u8(c.IFLA_XDP_ATTACHED, 1).u32(c.IFLA_XDP_PROG_ID, 42))
    .nest(c.IFLA_AF_SPEC, (m) => m.nest(c.AF_INET6, (n) => n.u8(c.IFLA_INET6_ADDR_GEN_MODE, 1)))
    .finish(1)
    .slice();
}

const only = (bytes: Uint8Array): NlMessage => {
  const all = [...splitMessages(bytes)];
  expect(all).toHaveLength(1);
  return all[0]!;
};

/** Every reader over everything in a datagram. */
function readAll(bytes: Uint8Array): void {
  for (const message of splitMessages(bytes)) {
    for (const read of [parseLinkHeader, parseLink, parseAddress, parseQdisc, parseAttributes])
      quiet(() => read(message.data));
    quiet(() => parseAck(message));
    quiet(() => parseBridgeEntry(message.data, 2));
  }
}

function quiet(fn: () => unknown): void {
  try {
    fn();
  } catch (error) {
    if (!(error instanceof VfError) || error.code !== 'NETLINK') throw error;
  }
}

describe('messages', () => {
  it('are built with lengths, padding and nesting, and read back', () => {
    const bytes = new MessageBuilder(c.RTM_NEWLINK, 5)
      .ifinfo(3)
      .string(1, 'abc')
      .nest(2, (m) => m.u8(3, 9).nest(4, (n) => n.u32(5, 0xdeadbeef)))
      .finish(77);
    const message = only(bytes);
    expect(message).toMatchObject({ type: 16, flags: 5, seq: 77 });
    const attrs = attributesAfter(message.data, 16);
    expect(readString(attrs.get(1)!)).toBe('abc');
    const inner = parseAttributes(attrs.get(2)!);
    expect([...inner.keys()]).toEqual([3, 4]);
    expect(readU32(parseAttributes(inner.get(4)!).get(5)!)).toBe(0xdeadbeef);
    expect(bytes.length % 4).toBe(0);
  });

  it('grow beyond the first buffer and stop at what an attribute can hold', () => {
    const builder = new MessageBuilder(1, 0);
    for (let i = 0; i < 1000; i++) builder.u32(i, i);
    const attrs = parseAttributes(only(builder.finish(1)).data);
    expect(attrs.size).toBe(1000);
    expect(readU32(attrs.get(999)!)).toBe(999);
    expect(() => builder.attr(1, new Uint8Array(65_532))).toThrow(VfError);
    expect(() => builder.nest(1, (m) => m.attr(1, new Uint8Array(65_530)))).toThrow(VfError);
  });

  it('several share a datagram, and those before a malformed one are delivered', () => {
    const one = fullLink();
    const both = new Uint8Array(one.length * 2 + 5);
    both.set(one);
    both.set(one, one.length);
    const seen: number[] = [];
    expect(() => {
      for (const m of splitMessages(both)) seen.push(parseLink(m.data).ifindex);
    }).toThrow(VfError);
    expect(seen).toEqual([7, 7]);
  });
});

describe('parseLink', () => {
  it('reads every field', () => {
    expect(parseLink(only(fullLink()).data)).toEqual({
      ifindex: 7,
      name: 'vf0',
      type: 0,
      address: '02:00:00:00:00:01',
      permAddress: '02:00:00:00:00:02',
      mtu: 1500,
      minMtu: 68,
      maxMtu: 9710,
      up: true,
      carrier: true,
      operstate: 'up',
      kind: 'veth',
      master: 3,
      link: 9,
      linkNetnsId: -1,
      parentDev: '0000:01:10.0',
      parentBus: 'pci',
      physPortName: 'p0',
      xdp: { mode: 'driver', progId: 42 },
      addrGenMode: 1,
    });
  });

  it('leaves out what is absent, and takes the carrier from the flags then', () => {
    const link = (flags: number): Uint8Array =>
      only(new MessageBuilder(c.RTM_NEWLINK, 0).ifinfo(1, flags).string(c.IFLA_IFNAME, 'a').finish(1)).data;
    expect(parseLink(link(c.IFF_LOWER_UP))).toEqual({
      ifindex: 1,
      name: 'a',
      type: 0,
      address: '',
      mtu: 0,
      up: false,
      carrier: true,
      operstate: 'unknown',
    });
    expect(parseLink(link(c.IFF_UP)).carrier).toBe(false);
  });

  it('knows the XDP modes, several at once included', () => {
    const xdp = (fill: (m: MessageBuilder) => void): unknown =>
      parseLink(
        only(
          new MessageBuilder(c.RTM_NEWLINK, 0)
            .ifinfo(1)
            .string(c.IFLA_IFNAME, 'a')
            .nest(c.IFLA_XDP, fill)
            .finish(1),
        ).data,
      ).xdp;
    expect(xdp((m) => m.u8(c.IFLA_XDP_ATTACHED, 0))).toBeUndefined();
    expect(xdp((m) => m.u8(c.IFLA_XDP_ATTACHED, 2).u32(c.IFLA_XDP_PROG_ID, 5))).toEqual({
      mode: 'generic',
      progId: 5,
    });
    expect(xdp((m) => m.u8(c.IFLA_XDP_ATTACHED, 3).u32(c.IFLA_XDP_PROG_ID, 6))).toEqual({
      mode: 'offload',
      progId: 6,
    });
    expect(
      xdp((m) => m.u8(c.IFLA_XDP_ATTACHED, 4).u32(c.IFLA_XDP_SKB_PROG_ID, 8).u32(c.IFLA_XDP_DRV_PROG_ID, 7)),
    ).toEqual({ mode: 'multi', progId: 7 });
    expect(xdp((m) => m.u8(c.IFLA_XDP_ATTACHED, 99))).toBeUndefined();
  });

  it('refuses a link without a name', () => {
    const nameless = only(new MessageBuilder(c.RTM_NEWLINK, 0).ifinfo(1).u32(c.IFLA_MTU, 1).finish(1));
    expect(() => parseLink(nameless.data)).toThrow(/without a name/);
  });
});

describe('parseAck', () => {
  const ack = (flags: number, errno: number, rest: (m: MessageBuilder) => void): NlMessage => {
    const head = new Uint8Array(20);
    new DataView(head.buffer).setInt32(0, -errno, true);
    new DataView(head.buffer).setUint32(4, 24, true); // the request: header and 8 bytes
    const builder = new MessageBuilder(c.NLMSG_ERROR, flags).raw(head);
    rest(builder);
    return only(builder.finish(1));
  };

  it("finds the kernel's words behind a whole and behind a capped request", () => {
    const text = (m: MessageBuilder): unknown => m.string(c.NLMSGERR_ATTR_MSG, 'mtu too large');
    expect(parseAck(ack(c.NLM_F_CAPPED | c.NLM_F_ACK_TLVS, 22, text))).toEqual({
      errno: 22,
      message: 'mtu too large',
    });
    expect(parseAck(ack(c.NLM_F_ACK_TLVS, 22, (m) => text(m.raw(new Uint8Array(8)))))).toEqual({
      errno: 22,
      message: 'mtu too large',
    });
    expect(parseAck(ack(c.NLM_F_CAPPED, 0, () => {}))).toEqual({ errno: 0 });
    expect(parseAck(ack(c.NLM_F_CAPPED | c.NLM_F_ACK_TLVS, 17, () => {}))).toEqual({ errno: 17 });
  });

  it('takes the end of a dump with and without an error', () => {
    const done = (payload: Uint8Array): NlMessage =>
      only(new MessageBuilder(c.NLMSG_DONE, 0).raw(payload).finish(1));
    expect(parseAck(done(new Uint8Array(0)))).toEqual({ errno: 0 });
    expect(parseAck(done(Uint8Array.of(0xea, 0xff, 0xff, 0xff)))).toEqual({ errno: 22 });
    expect(() => parseAck(done(Uint8Array.of(0, 0, 0, 0x80)))).toThrow(VfError);
  });
});

describe('hostile bytes', () => {
  const samples = [fullLink(), Uint8Array.of(...fullLink(), ...fullLink())];

  it('a message cut at any byte', () => {
    for (const sample of samples) {
      for (let n = 0; n < sample.length; n++) quiet(() => readAll(sample.subarray(0, n)));
    }
  });

  it('a message whose length was shortened at any byte', () => {
    const sample = fullLink();
    for (let n = 0; n < sample.length; n++) {
      const cut = sample.slice();
      new DataView(cut.buffer).setUint32(0, n, true);
      quiet(() => readAll(cut.subarray(0, n)));
      quiet(() => parseLink(sample.subarray(16, 16 + n)));
    }
  });

  it('random mutations', () => {
    // Lengths and types sit in small numbers: zeros, ones and small values find more than noise does.
    const byte = fc.oneof(fc.nat(255), fc.constant(0), fc.constant(0xff), fc.nat(7));
    const damage = fc.array(fc.tuple(fc.nat(), byte), { minLength: 1, maxLength: 4 });
    const cut = fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, fc.nat());
    const property = fc.property(fc.constantFrom(...samples), damage, cut, (sample, bytes, left) => {
      const damaged = sample.slice();
      for (const [at, to] of bytes) damaged[at % damaged.length] = to;
      quiet(() => readAll(damaged.subarray(0, damaged.length - (left % damaged.length))));
    });
    fc.assert(property, walks(20_000));
  });

  it('noise', () => {
    const property = fc.property(fc.uint8Array({ maxLength: 63, size: 'max' }), (bytes) => {
      quiet(() => readAll(bytes));
      quiet(() => parseAttributes(bytes));
      quiet(() => parseLink(bytes));
    });
    fc.assert(property, walks(10_000));
  });
});

describe('addresses', () => {
  it('MACs', () => {
    expect(formatMac(parseMac('AA:0b:00:00:00:ff'))).toBe('aa:0b:00:00:00:ff');
    for (const bad of [
      '',
      'aa:bb:cc:dd:ee',
      'aa:bb:cc:dd:ee:fg',
      'aa-bb-cc-dd-ee-ff',
      'aa:bb:cc:dd:ee:ff:00',
    ]) {
      expect(() => parseMac(bad)).toThrow(expect.objectContaining({ code: 'NETLINK', value: bad }));
    }
  });

  it('IP addresses, there and back', () => {
    const canonical = {
      '10.0.0.1': '10.0.0.1',
      '255.255.255.255': '255.255.255.255',
      '::': '::',
      '::1': '::1',
      'fd00::': 'fd00::',
      'FD00:0:0:1::2': 'fd00:0:0:1::2',
      '1:0:0:2:0:0:0:3': '1:0:0:2::3',
      '1:0:2:3:4:5:6:7': '1:0:2:3:4:5:6:7',
      '::ffff:10.1.2.3': '::ffff:a01:203',
      '64:ff9b::255.0.0.1': '64:ff9b::ff00:1',
    };
    for (const [text, want] of Object.entries(canonical)) expect(formatIp(parseIp(text).bytes)).toBe(want);
    for (const bad of ['', '10.0.0', '10.0.0.256', 'fe80::1%eth0', '1::2::3', 'localhost', '10.0.0.1/8']) {
      expect(() => parseIp(bad)).toThrow(VfError);
    }
  });

  it('prefixes', () => {
    expect(parsePrefix('10.0.0.1/24').prefix).toBe(24);
    expect(parsePrefix('10.0.0.1').prefix).toBe(32);
    expect(parsePrefix('fd00::1/128').prefix).toBe(128);
    for (const bad of [
      '10.0.0.1/33',
      '10.0.0.1/',
      '10.0.0.1/-1',
      '10.0.0.1/1/2',
      '/8',
      'fd00::/129',
      '1.2.3.4/1e1',
    ]) {
      expect(() => parsePrefix(bad)).toThrow(VfError);
    }
  });
});
