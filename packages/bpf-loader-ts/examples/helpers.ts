import { execFileSync } from 'node:child_process';

/** The number of a device of this network namespace. */
export function ifindex(name: string): number {
  const json = execFileSync('ip', ['-j', 'link', 'show', 'dev', name], { encoding: 'utf8' });
  return (JSON.parse(json) as { ifindex: number }[])[0]!.ifindex;
}

/** An Ethernet frame with an empty IPv4 packet to this address, for test runs. */
export function packetTo(address: string): Uint8Array {
  const frame = new Uint8Array(64);
  frame.set([0x08, 0x00, 0x45], 12);
  frame.set(address.split('.').map(Number), 30);
  return frame;
}

/** A frame to everybody, of the EtherType that is free for experiments (0x88b5): examples count these alone. */
export const FRAME = Uint8Array.from({ length: 64 }, (_, i) =>
  i < 6 ? 0xff : ({ 12: 0x88, 13: 0xb5 }[i] ?? 0),
);
