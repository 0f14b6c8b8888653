import { monotonicNs, PacketSocket } from 'bpf-loader-ts/sys';
import { describe, expect, test } from 'vitest';
import { VfArm } from '../../bpf/vfailover.bpf.js';
import { arm, pathOf } from '../../src/datapath/line.js';
import { LINE, PROBE_PATH, probePathBase } from '../../src/datapath/offsets.js';
import { PRIMARY, STANDBY } from '../../src/device.js';
import { CAUSE_PROBE } from '../../src/policy/evaluate.js';
import { word } from '../helpers/in-process.js';
import { echoReply, frame, ICMP, type Scene, scene } from '../helpers/probe-scene.js';
import { elapse, until } from '../helpers/wait.js';

describe('the deadline in the programs', () => {
  /** As if the worker had sent and died: the deadline stands, traffic runs. */
  async function armed(dueMs: number): Promise<Scene> {
    const s = await scene();
    arm(s.b.lines, s.b.base, VfArm.VF_ARM_PRIMARY_SILENT);
    const at = probePathBase(s.b.datapath.slot, PRIMARY);
    const write = (field: number, ns: number) => {
      s.words[at + field] = (ns % 2 ** 32) | 0;
      s.words[at + field + 1] = Math.floor(ns / 2 ** 32);
    };
    const now = monotonicNs();
    write(PROBE_PATH.look_ns, now);
    write(PROBE_PATH.slack_ns, 20e6);
    write(PROBE_PATH.due_ns, now + dueMs * 1e6);
    s.wait(PRIMARY, ICMP, 55);
    Atomics.store(s.words, at + PROBE_PATH.wait, 1 << ICMP);
    return s;
  }
  /** A frame of the guest's own. */
  function guestSends(s: Scene): void {
    const { world } = s.b;
    const socket = new PacketSocket({ netns: world.guest, ifindex: world.virtio.guestIfindex, protocol: 0 });
    socket.send(frame([0x88, 0xb5], new Uint8Array(60)));
    socket.close();
  }

  test('an answer that stays out moves the traffic at its deadline, with nobody alive', async () => {
    const s = await armed(30);
    guestSends(s);
    expect(pathOf(word(s.b))).toBe(PRIMARY);
    await until(
      () => {
        guestSends(s);
        return pathOf(word(s.b));
      },
      (p) => p === STANDBY,
    );
    expect(s.b.lines[s.b.base + LINE.flip_cause]).toBe(CAUSE_PROBE);
  });

  test('one that has come does not, nor does time alone, nor without being armed', async () => {
    const s = await armed(30);
    s.send(PRIMARY, echoReply(s, PRIMARY, 55));
    await until(
      () => s.answered(PRIMARY, ICMP),
      (n) => n === 55,
    );
    const unarmed = await armed(1);
    arm(unarmed.b.lines, unarmed.b.base, VfArm.VF_ARM_PRIMARY | VfArm.VF_ARM_STANDBY_SILENT);
    for (let i = 0; i < 20; i++) {
      await elapse(5);
      guestSends(s);
      guestSends(unarmed);
    }
    expect([pathOf(word(s.b)), pathOf(word(unarmed.b))]).toEqual([PRIMARY, PRIMARY]);
  });

  test('the first frame after a pause of ours gives the answer a little more time, once', async () => {
    const s = await armed(1);
    await elapse(60);
    guestSends(s);
    expect(pathOf(word(s.b))).toBe(PRIMARY);
    s.send(PRIMARY, echoReply(s, PRIMARY, 55));
    await until(
      () => s.answered(PRIMARY, ICMP),
      (n) => n === 55,
    );
    const late = await armed(1);
    await elapse(60);
    guestSends(late);
    await elapse(60);
    guestSends(late);
    guestSends(s);
    expect([pathOf(word(s.b)), pathOf(word(late.b))]).toEqual([PRIMARY, STANDBY]);
  });
});
