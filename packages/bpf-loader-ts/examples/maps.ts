// Maps with typed keys and values: hash, LRU hash, longest prefix match, per-CPU; and many entries in one system call.
import { decode } from 'bpf-loader-ts';
import { packetTo } from './helpers.ts';
import { maps, Zone } from './maps.bpf.ts';

const object = maps.load('maps.bpf.o');
const { routes, packets, last_seen, bytes } = object.maps;

routes.update({ bits: 8, address: Uint8Array.of(10, 0, 0, 0) }, { name: 'inside' });
routes.update({ bits: 24, address: Uint8Array.of(10, 9, 8, 0) }, { name: 'lab' });
for (const name of ['inside', 'lab']) packets.update({ name }, 0);

for (const address of ['10.1.1.1', '10.9.8.7', '10.9.8.9', '192.0.2.1'])
  object.programs.account.testRun({ data: packetTo(address) });

console.log('10.9.8.7 is in', routes.lookup({ bits: 32, address: Uint8Array.of(10, 9, 8, 7) })?.name);
console.log('in the lab:', packets.lookup({ name: 'lab' }), 'elsewhere:', packets.lookup({ name: 'moon' }));
console.log('addresses seen:', [...last_seen.keys()].length);
// One value for each possible CPU.
console.log(
  'bytes:',
  bytes.lookup(0)!.reduce((sum, n) => sum + n, 0n),
);

// Every entry in one system call, where there may be a million; given to the next read, it allocates nothing.
const batch = packets.bytes.readAll();
console.log('zones:', [...batch].map(([key]) => decode(Zone, key).name).sort());
packets.bytes.deleteBatch(batch.keys.subarray(0, batch.count * batch.keySize));
console.log('left:', packets.bytes.readAll(batch).count);
object.close();
