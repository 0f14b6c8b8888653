import { BpfError } from './errors.js';
import { closeFd, OwnedFd } from './sys/fd.js';

/** The descriptor of a map, program or link. Closing twice is allowed; using it after is BPF_CLOSED. */
export abstract class Handle extends OwnedFd {
  protected override closedError(): BpfError {
    return new BpfError('BPF_CLOSED', `${this.what} is closed`);
  }
}

/** Makes an owner of a descriptor that nobody else knows: closed if that fails. */
export function adopt<T>(fd: number, make: (fd: number) => T): T {
  try {
    return make(fd);
  } catch (e) {
    closeFd(fd);
    throw e;
  }
}
