import { describe, expect, it } from 'vitest';
import { VfBfdPacket, VfCause, VfEvent, VfRecord } from '../../bpf/vfailover.bpf.js';
import { ROLES } from '../../src/device.js';

const KINDS = Object.values(VfRecord).filter((kind) => typeof kind === 'number');

describe('records of the ring buffer', () => {
  it('have their kind and their slot in one place, whatever they are', () => {
    expect(VfBfdPacket.offsets.kind).toBe(VfEvent.offsets.kind);
    expect(VfBfdPacket.offsets.slot).toBe(VfEvent.offsets.slot);
    expect(VfBfdPacket.offsets.ns).toBe(VfEvent.offsets.ns);
  });

  it('are told from those of layout 7, which had a cause or a path where the kind is', () => {
    const causes = Object.values(VfCause).filter((cause) => typeof cause === 'number');
    expect(KINDS).toHaveLength(3);
    expect(Math.min(...KINDS)).toBeGreaterThan(Math.max(...causes, ROLES.length));
  });
});
