import { z } from 'zod';
import { reflectorSchema } from '../detect/bfd/section.js';
import { detectSchema } from '../detect/section.js';
import { boolean, choice, integer, mapping, pattern } from '../fields.js';
import { DEFAULT_MODEL, PLANNED, STEERED, STEERED_NAMES } from '../models/table.js';
import { announceSchema } from './announce.js';
import { policySchema } from './policy.js';

/**
 * The configuration file's shape: one vocabulary for the file, the API and the code, so keys stay in snake_case and carry their
 * unit (`_ms`, `_us`).
 */

export const DEFAULT_CONFIG_PATH = '/etc/vfailover/config.yaml';
export const DEFAULT_SOCKET = '/run/vfailover/vfailover.sock';
export const DEFAULT_PIN_ROOT = '/sys/fs/bpf/vfailover';

/** Bytes a socket path may have: the kernel's 107, less room for the temporary name that the server binds first. */
export const SOCKET_PATH_MAX = 90;

const deviceName = pattern(
  /^(?!\.{1,2}$)[^\s/:]{1,15}$/,
  'a device name (1 to 15 characters, no space, slash or colon)',
);
const ifindex = integer(1, 2_147_483_647, '', 'an ifindex');
const netns = pattern(
  /^(?!\.{1,2}$)(?:\/\S{1,4095}|[^\s/]{1,255})$/,
  'null (the daemon’s own), a name under /run/netns, or an absolute path',
);
const absolute = (max: number, what: string) =>
  pattern(new RegExp(`^/[^\\0]{1,${max - 1}}$`), `${what}: an absolute path of at most ${max} bytes`);

const mac = (what: string) =>
  pattern(
    /^(?!(?:00:){5}00$)[0-9A-Fa-f][02468ACEace](?::[0-9A-Fa-f]{2}){5}$/,
    'a unicast MAC address such as 52:54:00:12:34:56',
  )
    .toLowerCase()
    .describe(what)
    .exactOptional();
const bus = (what: string) =>
  pattern(/^\S{1,63}$/, 'a bus address such as 0000:01:10.0')
    .describe(what)
    .exactOptional();

/** What the master is, where its name or ifindex may change. */
export const masterSchema = z
  .strictObject(
    {
      name: deviceName.describe('device name of the master').exactOptional(),
      mac: mac(
        'MAC address of the master; alone it never means a PCI function, since the VF has the same MAC',
      ),
      bus: bus('bus address of the master: of a virtio device that of its PCI function, or virtio0'),
      driver: pattern(/^\S{1,32}$/, 'a driver such as virtio_net')
        .describe('driver of the master, as ethtool -i has it')
        .exactOptional(),
    },
    { error: mapping },
  )
  .refine((v) => Object.keys(v).length > 0, {
    error: 'one of name, mac, bus and driver, or several',
    // A misspelled key is told of already.
    when: ({ issues }) => issues.length === 0,
  });

/** How to recognise the VF. Every given key must match; none given: the device with the master's MAC. */
export const primarySchema = z.strictObject(
  {
    name: deviceName.describe('device name of the VF').exactOptional(),
    mac: mac('MAC address of the VF'),
    bus: bus('bus address of the VF, as in /sys/class/net/NAME/device'),
  },
  { error: mapping },
);

/** So many VLAN ids are let in at most, each by a device of its own on the slave: a trunk with all 4,094 would take as many. */
export const VLANS_MAX = 64;

export const INSTANCE_NAME = /^[a-z0-9][a-z0-9_.-]{0,30}$/;

export const instanceNameSchema = pattern(
  INSTANCE_NAME,
  'a name of 1 to 31 characters of a-z, 0-9, "_", "." and "-" that starts with a letter or digit',
);

export const instanceSchema = z
  .strictObject(
    {
      name: instanceNameSchema.describe('name of the failover instance'),
      model: z
        .enum(STEERED_NAMES, {
          error: ({ input }) =>
            Object.hasOwn(PLANNED, String(input)) ? 'available yet' : `one of ${STEERED_NAMES.join(', ')}`,
        })
        .default(DEFAULT_MODEL)
        .describe('how master and slaves relate'),
      netns: netns
        .nullable()
        .default(null)
        .describe('network namespace of the devices: null, a name under /run/netns or an absolute path'),
      master: z
        .union([deviceName, ifindex, masterSchema], {
          error:
            'a device name (1 to 15 characters), an ifindex (1 or more), or a mapping of mac, bus, driver and name',
        })
        .describe(
          'the master device, by name, ifindex, or mac, bus and driver; transparent: the virtio device; net-failover: the kernel’s failover device',
        ),
      check_roles: boolean()
        .default(true)
        .describe(
          'transparent: refuse a master that plainly is the VF; false: the roles are right as they are written',
        ),
      primary: primarySchema.prefault({}).describe('how to recognise the VF; {}: same MAC as the master'),
      policy: policySchema.prefault({}).describe('when to switch'),
      detect: detectSchema.prefault({}).describe('how faults are noticed that the link does not show'),
      reflector: reflectorSchema
        .describe('S-BFD reflector (RFC 7880): answers the questions of other machines, in the programs')
        .exactOptional(),
      groups: choice(['either', 'active'])
        .default('either')
        .describe(
          'by which slave broadcast and multicast come in; either: by whichever brings them, each frame once; active: by the active one alone, and by both (once) for 100 ms after a switch',
        ),
      slave_addresses: choice(['remove', 'refuse'])
        .default('remove')
        .describe(
          'addresses and routes that somebody gave the slave; remove: taken away, and put back when it leaves; refuse: it does not join',
        ),
      slave_vlans: z
        .array(integer(1, 4094, '', 'a VLAN id'), { error: 'a list of VLAN ids' })
        .max(VLANS_MAX, { error: `a list of at most ${VLANS_MAX} VLAN ids` })
        .refine((ids) => new Set(ids).size === ids.length, { error: 'a list without repeated ids' })
        .default([])
        .describe(
          'VLAN ids (802.1Q) that slaves let in beside those seen on the master: of VLAN devices that live in other network namespaces, such as those of containers',
        ),
      attach: choice(['auto', 'tcx', 'clsact'])
        .default('auto')
        .describe('how BPF programs attach; auto: tcx where the kernel has it (>= 6.6), else clsact'),
      announce: announceSchema
        .prefault({})
        .describe('gratuitous ARP, unsolicited NA and multicast reports after a switch'),
    },
    { error: mapping },
  )
  .refine((v) => !STEERED[v.model].masterOwnsSlaves || v.detect.carrier === 'alone', {
    path: ['detect', 'carrier'],
    error: 'alone, for the kernel’s failover driver leaves a slave without carrier by itself',
  });

export const workerSchema = z.strictObject(
  {
    count: integer(1, 256).default(1).describe('decision workers; instances are sharded over them'),
    wait: choice(['epoll', 'poll', 'spin'])
      .default('epoll')
      .describe(
        'how a worker waits: for events, every poll_interval_us, or spinning; spin needs a `cpu` that the daemon can leave to the worker',
      ),
    poll_interval_us: integer(50, 1_000_000, 'µs')
      .default(1000)
      .describe('µs between two looks at the links (epoll: 20 ms while no frame passes)'),
    cpu: integer(0, 8191)
      .nullable()
      .default(null)
      .describe('CPU of the first worker, the next ones on the CPUs after it; null: not pinned'),
    history: integer(16, 1_048_576).default(1024).describe('decisions kept in memory for `events`'),
  },
  { error: mapping },
);

export const configSchema = z
  .strictObject(
    {
      socket: absolute(SOCKET_PATH_MAX, 'a socket')
        .default(DEFAULT_SOCKET)
        .describe('unix socket of the API'),
      socket_group: z
        .union([pattern(/^[^\s:]{1,32}$/, 'a group'), integer(0, 4_294_967_294)], {
          error: 'null, the name of a group, or a gid',
        })
        .nullable()
        .default(null)
        .describe('group that may use the socket (mode 0660); null: only its owner (mode 0600)'),
      pin_root: absolute(255, 'a directory on a BPF file system')
        .default(DEFAULT_PIN_ROOT)
        .describe('where programs, links and maps are pinned'),
      capacity: integer(1, 4096).default(64).describe('instance slots; fixed once pinned'),
      log_level: choice(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
        .default('info')
        .describe('least severe message that is logged'),
      worker: workerSchema.prefault({}).describe('decision workers'),
      instances: z
        .array(instanceSchema, { error: 'a list of instances' })
        .default([])
        .describe('failover instances; names are unique, and so is each master within its namespace'),
    },
    { error: mapping },
  )
  .meta({ title: 'vfailover configuration' });

export type PrimaryMatch = z.output<typeof primarySchema>;
export type InstanceConfig = z.output<typeof instanceSchema>;
export type WorkerConfig = z.output<typeof workerSchema>;
export type Config = z.output<typeof configSchema>;
/** An instance as written in the file: keys with a default may be left out. */
export type InstanceInput = z.input<typeof instanceSchema>;
