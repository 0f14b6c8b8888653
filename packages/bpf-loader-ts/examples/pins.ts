// A program that outlives its process: the first run pins it, the second adopts it, exchanges the code and tidies up.
// node pins.ts [DEVICE] [FOLDER]
import { existsSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import {
  attachTcx,
  BpfMap,
  decode,
  encode,
  ensurePinFolder,
  Link,
  listPins,
  u32,
  u64,
  unpin,
} from 'bpf-loader-ts';
import { PacketSocket } from 'bpf-loader-ts/sys';
import { FRAME, ifindex } from './helpers.ts';
import { pins } from './pins.bpf.ts';

const device = ifindex(process.argv[2] ?? 'lo');
const folder = process.argv[3] ?? '/sys/fs/bpf/bpf-loader-ts-example';
const [mapPin, linkPin] = [join(folder, 'frames'), join(folder, 'link')];
const send = (n: number): void => {
  const socket = new PacketSocket({ ifindex: device, protocol: 0 });
  socket.sendBatch(FRAME, FRAME.length, n);
  socket.close();
};
const count = (map: BpfMap): bigint => decode(u64, map.lookup(encode(u32, 0))!);

if (!existsSync(linkPin)) {
  ensurePinFolder(folder);
  const object = pins.load('pins.bpf.o');
  object.maps.frames.bytes.pin(mapPin);
  const link = attachTcx(object.programs.count, device, 'egress');
  link.pin(linkPin);
  for (const handle of [link, object]) handle.close();
  console.log(
    'pinned',
    listPins(folder)
      .map((pin) => pin.kind)
      .join(' and '),
    '- run me again',
  );
  send(3);
} else {
  send(4); // counted, though nobody has the program open
  const map = BpfMap.fromPin(mapPin);
  console.log('adopted after', count(map), 'frames');

  // The new code takes the old map; no frame passes between the old program and the new one.
  const object = pins.load('pins.bpf.o', { reuse: { frames: map } });
  const link = Link.fromPin(linkPin);
  link.update(object.programs.count);
  send(5);
  console.log('after the exchange', count(map), 'frames');
  for (const { path } of listPins(folder)) unpin(path);
  rmdirSync(folder);
  for (const handle of [link, object, map]) handle.close();
}
