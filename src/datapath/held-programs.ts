import { type BpfObject, Program } from 'bpf-loader-ts';
import { dupFd } from 'bpf-loader-ts/sys';

/** Programs without the object that they were loaded from. */
export interface HeldPrograms<P> {
  readonly programs: P;
  /** Their `.bss`, mapped: variables that they read while they run. */
  readonly bss: DataView;
  close(): void;
}

/**
 * Keeps an object's programs and closes the object, with its descriptors of every map and of its types: an instance then holds 4
 * descriptors where it would hold 19. The kernel keeps what the programs need.
 */
export function holdPrograms<P extends { readonly [name in keyof P]: Program }>(object: {
  readonly object: BpfObject;
  readonly programs: P;
  close(): void;
}): HeldPrograms<P> {
  try {
    // A mapping needs no descriptor.
    const map = object.object.map('.bss');
    const memory = map.mmap({ writable: true });
    map.close();
    const held = Object.entries<Program>(object.programs).map(
      ([name, { fd, expectedAttachType }]) => [name, Program.fromFd(dupFd(fd), expectedAttachType)] as const,
    );
    return {
      programs: Object.fromEntries(held) as unknown as P,
      bss: memory.view(),
      close: () => {
        memory.close();
        for (const [, program] of held) program.close();
      },
    };
  } finally {
    object.close();
  }
}
