import './sys/dispose.js';
import { native } from './binding.js';
import { BpfError } from './errors.js';

const open = new Map<Handle, string>();

/** What is open in this thread, each with the stack of where it was opened: for leak reports. */
export const openHandles = (): { what: string; openedAt: string }[] =>
  [...open].map(([h, stack]) => ({ what: h.what, openedAt: stack }));

/** Owns one file descriptor. Closing twice is allowed; using it after is BPF_CLOSED. */
export abstract class Handle implements Disposable {
  #fd: number;
  readonly what: string;

  protected constructor(fd: number, what: string) {
    this.#fd = fd;
    this.what = what;
    open.set(this, new Error(what).stack ?? '');
  }

  get fd(): number {
    if (this.#fd < 0) throw new BpfError('BPF_CLOSED', `${this.what} is closed`);
    return this.#fd;
  }

  get closed(): boolean {
    return this.#fd < 0;
  }

  close(): void {
    if (this.#fd < 0) return;
    native.fdClose(this.#fd);
    this.#fd = -1;
    open.delete(this);
  }

  [Symbol.dispose](): void {
    this.close();
  }
}
