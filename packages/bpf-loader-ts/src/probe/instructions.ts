/** Instructions as a little-endian machine has them (struct bpf_insn): 8 bytes each. */
export function instruction(code: number, dst = 0, src = 0, offset = 0, immediate = 0): number[] {
  const bytes = new DataView(new ArrayBuffer(8));
  bytes.setUint8(0, code);
  bytes.setUint8(1, (src << 4) | dst);
  bytes.setInt16(2, offset, true);
  bytes.setInt32(4, immediate, true);
  return [...new Uint8Array(bytes.buffer)];
}

export const EXIT = instruction(0x95);
/** `dst = immediate` */
export const move = (dst: number, immediate: number): number[] => instruction(0xb7, dst, 0, 0, immediate);
export const call = (helper: number): number[] => instruction(0x85, 0, 0, 0, helper);

export const program = (...instructions: number[][]): Uint8Array => Uint8Array.from(instructions.flat());

/** `return n` */
export const returning = (n: number): Uint8Array => program(move(0, n), EXIT);
