/** Every error code of vfailover, with what it means. docs/errors.md documents each; a test compares the two. */
export const ERROR_CODES = {
  CONFIG_INVALID:
    'a configuration value is missing, of the wrong type, out of range or in conflict with another',
  CONFIG_UNKNOWN_KEY: 'a configuration key does not exist',
  CONFIG_UNREADABLE: 'the configuration file cannot be read or is not YAML',
  USAGE: 'the command line is wrong',
  CAPABILITY_MISSING: 'the process lacks a capability that the operation needs',
  KERNEL_UNSUPPORTED: 'the running kernel lacks a feature that the operation needs',
  BTF_ABSENT: 'the kernel publishes no BTF (/sys/kernel/btf/vmlinux)',
  DEVICE_NOT_FOUND: 'no such network device',
  DEVICE_NOT_ETHERNET: 'the device is not an Ethernet device',
  DEVICE_OWNED: 'the device belongs to a bridge, bond, team or other master',
  DEVICE_FOREIGN_PROGRAM: 'a program that is not ours sits on the device where ours must go',
  MASTER_UNFIT: 'the device cannot be the master in the model chosen',
  SLAVE_NOT_TAKEN: "the kernel's failover master has not taken the device as its slave",
  MAC_MISMATCH: 'the two devices have different MAC addresses',
  MAC_AMBIGUOUS: 'more than one device, or more than one instance, matches the MAC address',
  MTU_MISMATCH: "the slave cannot carry the master's MTU",
  SLAVE_ADDRESSED: 'the slave has addresses of its own, and the configuration says to refuse such',
  SLOT_TAKEN: 'the role is already filled by another device',
  INSTANCE_EXISTS: 'an instance of this name, or with this master, exists already',
  INSTANCE_NOT_FOUND: 'no such instance',
  INSTANCE_LIMIT: 'no free slot for another instance',
  UNDO_FULL: 'no room to keep what a leave has to take back',
  INSTANCE_BUSY: 'another daemon owns this instance',
  PATH_NOT_READY: 'the slave asked for has no device, no carrier, or is judged dead',
  PATH_IN_MAINTENANCE: 'the slave asked for, or the only other one, is out of service by order',
  JOIN_FAILED: 'a step of a join failed and all of it was undone',
  BPF_LOAD: 'the kernel refused a BPF program or map',
  BPF_ATTACH: 'a BPF program cannot be attached',
  PIN_INCOMPATIBLE: 'what is pinned was made by a version with another layout',
  NETLINK: 'the kernel refused an rtnetlink request',
  NETNS_NOT_FOUND: 'no such network namespace',
  API_UNREACHABLE: 'no daemon answers on the socket',
  API_BAD_REQUEST: 'a request on the socket is malformed',
  API_UNKNOWN_METHOD: 'a request names a method that does not exist',
  QMP_FAILED: 'QEMU refused a command, or did not answer in time',
  QMP_CLOSED: 'no connection to the QMP socket of QEMU, or it was lost',
  VM_UNAVAILABLE: 'what a lab guest is made of (QEMU, a kernel, tools) cannot be had',
  VM_FAILED: 'a lab guest did not boot, ended or does not answer',
  WORKER_FAILED: 'a worker thread ended or does not answer',
  INTERNAL: 'a defect of vfailover: please report it',
} as const;

export type ErrorCode = keyof typeof ERROR_CODES;

export interface ErrorDetail {
  /** The field, argument or device concerned, as the user wrote it: `instances[0].primary.mac`. */
  field?: string;
  /** The offending value. */
  value?: unknown;
  /** What to do about it, as an instruction. */
  fix?: string;
  cause?: unknown;
}

/** The one error class of vfailover: what is wrong, where, with which value, and what to do. */
export class VfError extends Error {
  readonly code: ErrorCode;
  readonly field: string | undefined;
  readonly value: unknown;
  readonly fix: string | undefined;

  constructor(code: ErrorCode, message: string, detail: ErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.name = 'VfError';
    this.code = code;
    this.field = detail.field;
    this.value = detail.value;
    this.fix = detail.fix;
  }

  /** As sent over the API and printed with `--json`. */
  toJSON(): { code: ErrorCode; message: string; field?: string; value?: unknown; fix?: string } {
    return {
      code: this.code,
      message: this.message,
      ...(this.field !== undefined && { field: this.field }),
      ...(this.value !== undefined && { value: this.value }),
      ...(this.fix !== undefined && { fix: this.fix }),
    };
  }

  /** As printed on a terminal: one line for the fault, one for the cure. */
  override toString(): string {
    const where = this.field === undefined ? '' : ` [${this.field}]`;
    return `${this.code}${where}: ${this.message}${this.fix === undefined ? '' : `\n  fix: ${this.fix}`}`;
  }
}
