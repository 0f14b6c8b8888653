import { BpfError } from './errors.js';
import { OwnedFd } from './sys/fd.js';

/** The descriptor of a map, program or link. Closing twice is allowed; using it after is BPF_CLOSED. */
export abstract class Handle extends OwnedFd {
  protected override closedError(): BpfError {
    return new BpfError('BPF_CLOSED', `${this.what} is closed`);
  }
}
