import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { HOST_ADDRESS, type World } from '../../lab/netns/world.js';
import { SLOWDOWN } from '../../packages/bpf-loader-ts/test/kernel.js';
import { events, inGuest, lab, status, untilActive } from '../helpers/daemon.js';
import { until } from '../helpers/wait.js';

/** What waits in a dead slave's queue: TCP sends nothing again that this host still holds, however good the new path is. */

/** A program of Node's in a namespace. */
function node(netns: string, script: string): ReturnType<typeof spawn> {
  const child = spawn('nsenter', [`--net=${netns}`, process.execPath, '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

/** A TCP stream from the guest to the host, beside questions by UDP: a stream that stands still asks nothing, and the watchdog needs to see frames. Returns how many bytes have arrived so far. */
async function tcpStream(world: World): Promise<() => number> {
  let bytes = 0;
  const server = node(
    `/proc/${process.pid}/fd/${world.host}`,
    `let n = 0; require('net').createServer((s) => s.on('data', (d) => (n += d.length)))
       .listen(7413, '${HOST_ADDRESS}', () => setInterval(() => console.log(n), 20));
     const u = require('dgram').createSocket('udp4').bind(7415, '${HOST_ADDRESS}');
     u.on('message', (m, from) => u.send(m, from.port, from.address));`,
  );
  server.stdout!.on('data', (text: Buffer) => (bytes = Number(text.toString().trim().split('\n').at(-1))));
  await once(server.stdout!, 'data');
  node(
    world.guestPath,
    `const s = require('net').connect(7413, '${HOST_ADDRESS}');
     const b = Buffer.alloc(65536); const send = () => { while (s.write(b)); }; s.on('connect', send).on('drain', send);
     const u = require('dgram').createSocket('udp4'); setInterval(() => u.send('?', 7415, '${HOST_ADDRESS}'), 5);`,
  );
  await until(
    () => bytes,
    (n) => n > 1e6,
  );
  return () => bytes;
}

/** A device that takes frames and sends none. The burst is large enough that frames are not segmented, for then TCP would not know them again. */
const stuck = (world: World): string =>
  inGuest(world, ...'tc qdisc replace dev vf0 root tbf rate 8bit burst 128kb limit 4mb'.split(' '));

test('a failover frees what waits in the queue of the slave that was left', async () => {
  const l = await lab('veth', {
    policy: { prefer: 'none' },
    detect: { unanswered: { timeout_us: 50_000, ack_timeout_us: 200_000, udp: true } },
  });
  await until(
    () => status(l),
    (s) => s.primary.state === 'joined' && s.state === 'ok',
  );
  await l.client.request('switch', { name: 'net0', to: 'primary' });
  await l.client.request('switch', { name: 'net0', to: 'auto' });
  const arrived = await tcpStream(l.world);
  stuck(l.world);
  await untilActive(l, 'standby');
  const before = arrived();
  await until(arrived, (n) => n > before + 1e6, 10_000);
  expect((await events(l)).at(-1)).toMatchObject({ cause: 'unanswered', to: 'standby' });
  // Both the kind of queue and its length are what they were.
  expect(inGuest(l.world, 'tc', 'qdisc', 'show', 'dev', 'vf0')).toMatch(/^qdisc tbf/);
  expect(inGuest(l.world, 'ip', 'link', 'show', 'vf0')).toContain('qlen 1000');
});

test('a planned switch lets the queue run empty', async () => {
  const l = await lab();
  await untilActive(l, 'primary');
  // Frames have to wait still when the switch is over: 1.7 s for all of them, and longer where a switch takes longer.
  const rate = `${300 / SLOWDOWN}kbit`;
  inGuest(l.world, ...`tc qdisc replace dev vf0 root tbf rate ${rate} burst 1600 limit 4mb`.split(' '));
  const sent = 60;
  const server = node(
    `/proc/${process.pid}/fd/${l.world.host}`,
    `let n = 0; const s = require('dgram').createSocket('udp4'); s.on('message', () => n++);
     s.bind(7414, '${HOST_ADDRESS}', () => setInterval(() => console.log(n), 20));`,
  );
  let arrived = 0;
  server.stdout!.on('data', (text: Buffer) => (arrived = Number(text.toString().trim().split('\n').at(-1))));
  await once(server.stdout!, 'data');
  const client = node(
    l.world.guestPath,
    `const s = require('dgram').createSocket('udp4');
     const sent = () => ++done === ${sent} && console.log('sent');
     let done = 0;
     for (let i = 0; i < ${sent}; i++) s.send(Buffer.alloc(1000), 7414, '${HOST_ADDRESS}', sent);`,
  );
  await once(client.stdout!, 'data');
  await l.client.request('switch', { name: 'net0', to: 'standby' });
  expect(arrived).toBeLessThan(sent);
  await until(
    () => arrived,
    (n) => n === sent,
    15_000,
  );
});
