import { errorFromJson } from '../../api/client.js';
import type {
  DaemonStatus,
  DeviceStatus,
  InstanceStatus,
  ReflectorStatus,
  SlaveStatus,
} from '../../api/types.js';
import { type Palette, plain } from './colour.js';
import { decisionLine } from './events.js';
import { table } from './table.js';
import { bytes, count, duration, speed } from './units.js';

const STATE_COLOUR = {
  ok: 'green',
  degraded: 'yellow',
  waiting: 'yellow',
  starting: 'yellow',
  failed: 'red',
} as const;

/** The whole daemon: a line about itself, then each instance. `now` is wall-clock ms, for what is relative. */
export function renderStatus(status: DaemonStatus, colour: Palette, now: number): string {
  const { worker, netlink } = status;
  const wait = worker.wait === 'poll' ? `poll every ${worker.poll_interval_us} µs` : worker.wait;
  const shards = worker.shards.length === 1 ? '1 worker' : `${worker.shards.length} workers`;
  const lame = worker.shards.filter(({ state }) => state !== 'running' && state !== 'ok');
  const head = [
    `vfailover ${status.version}`,
    `pid ${status.pid}`,
    `up ${duration(status.uptime_ms)}`,
    `${shards} (${wait})${lame.map(({ id, state }) => `, ${id} is ${plain(state)}`).join('')}`,
    `netlink ${count(netlink.messages)} messages, ${netlink.overruns} overruns, ${netlink.resyncs} resyncs`,
  ].join('   ');
  const body =
    status.instances.length === 0
      ? ['no instances: write them in the configuration, or use `vfailover attach`']
      : status.instances.map((instance) => renderInstance(instance, colour, now));
  return [colour.dim(head), ...body].join('\n\n');
}

function summary(instance: InstanceStatus): string {
  switch (instance.state) {
    case 'waiting':
      return instance.master.ifindex === null ? 'its master is absent' : 'it has no slave';
    case 'starting':
      return 'its slaves were not looked at yet';
    case 'failed':
      if (instance.master.ifindex === null) return 'it cannot be attached: the reason is below';
      return instance.master.up
        ? 'no slave carries traffic'
        : `its master ${plain(instance.master.name ?? '')} is down: nothing is sent or received`;
    default:
      return `${instance.active} carries traffic`;
  }
}

/** An instance in a line: `net0: degraded, standby carries traffic`. */
export function summaryLine(instance: InstanceStatus, colour: Palette): string {
  const state = colour[STATE_COLOUR[instance.state]](instance.state);
  return `${colour.bold(plain(instance.name))}: ${state}, ${summary(instance)}`;
}

/** One instance: what it does now, how it came to that, then its devices and their counters. */
export function renderInstance(instance: InstanceStatus, colour: Palette, now: number): string {
  const { last_switch: last, override_until: until } = instance;
  const lines = [summaryLine(instance, colour)];
  const fact = (name: string, text: string): void => {
    lines.push(`  ${colour.dim(name.padEnd(9))} ${text}`);
  };
  fact(
    'model',
    `${instance.model}, attached by ${instance.attach}, netns ${plain(instance.netns ?? '(own)')}`,
  );
  const { armed, carrier_signal_missing: missing } = instance.tier0;
  fact(
    'tier 0',
    armed.length === 0 ? colour.yellow('not armed') : `armed for ${armed.map(plain).join(', ')}`,
  );
  if (missing !== null)
    fact(
      'signal',
      `a lost carrier is noticed by the first frame, not by the driver's report: ${plain(missing)}`,
    );
  if (instance.override !== 'auto') {
    const end = until === null ? '' : `, for ${duration(Date.parse(until) - now)} more (until ${until})`;
    fact('override', colour.yellow(`${instance.override} by hand${end}`));
  }
  if (instance.maintenance !== null)
    fact('service', colour.yellow(`${instance.maintenance} is in maintenance`));
  for (const role of ['primary', 'standby'] as const) {
    const { penalty, suppressed_until: until } = instance[role].damping;
    if (until !== null)
      fact(
        'damping',
        colour.yellow(
          `${role} flaps: suppressed for ${duration(Date.parse(until) - now)} more (until ${until}), penalty ${penalty}`,
        ),
      );
  }
  if (instance.reflector !== null) fact('reflector', reflected(instance.reflector));
  for (const note of instance.notes) fact('note', colour.yellow(plain(note)));
  for (const { severity, message, fix } of instance.impairments) {
    fact(severity, colour.yellow(plain(message)));
    if (fix !== undefined) fact('fix', plain(fix));
  }
  fact('switches', `${count(instance.switches)}, epoch ${instance.epoch}`);
  if (last !== null) fact('last', `${duration(now - Date.parse(last.at))} ago: ${decisionLine(last)}`);
  if (instance.would_switch !== '') fact('next', plain(instance.would_switch));

  lines.push(
    '',
    ...devices(instance, colour),
    '',
    ...counters(instance, colour),
    ...detectors(instance, colour),
  );
  for (const { device, error } of instance.refusals) {
    const text = errorFromJson(error).toString().replaceAll('\n', '\n    ');
    lines.push('', `    ${colour.red('refused')} ${plain(device)}: ${text}`);
  }
  return lines.join('\n');
}

function reflected({ answered, refused }: ReflectorStatus): string {
  const why = Object.entries(refused).filter(([, n]) => n > 0);
  const list = why.map(([reason, n]) => `${count(n)} (${reason})`).join(', ');
  return `${count(answered)} S-BFD packets answered${list === '' ? '' : `, refused: ${list}`}`;
}

function mark(instance: InstanceStatus, role: 'primary' | 'standby', colour: Palette): string {
  const active = instance.active === role && (instance.state === 'ok' || instance.state === 'degraded');
  return active ? colour.green(`* ${role}`) : `  ${role}`;
}

function devices(instance: InstanceStatus, colour: Palette): string[] {
  const row = (
    role: string,
    device: DeviceStatus,
    state: string,
    failures: string,
    reason: string,
  ): string[] => [
    role,
    device.ifindex === null ? '-' : `${plain(device.name ?? '?')} (${device.ifindex})`,
    state,
    device.ifindex === null ? '' : link(device, colour),
    device.ifindex === null ? '' : failures,
    speed(device.speed),
    device.mtu === null ? '' : String(device.mtu),
    device.mac ?? '',
    plain(device.driver ?? ''),
    plain(device.bus ?? ''),
    plain(reason),
  ];
  const slave = (role: 'primary' | 'standby'): string[] => {
    const status: SlaveStatus = instance[role];
    const state = status.state === 'refused' ? colour.red(status.state) : status.state;
    const failures = count(status.link_failure_count);
    return row(mark(instance, role, colour), status, state, failures, status.reason ?? '');
  };
  const titles = ['', 'DEVICE', 'STATE', 'LINK', 'LOST', 'SPEED', 'MTU', 'MAC', 'DRIVER', 'BUS', 'REASON'];
  const numbers = ['LOST', 'SPEED', 'MTU'];
  return table(
    titles.map((title) => ({ title, right: numbers.includes(title) })),
    [row('  master', instance.master, '', '', ''), slave('primary'), slave('standby')],
    '  ',
  );
}

function link(device: DeviceStatus, colour: Palette): string {
  if (!device.up) return colour.red('down');
  if (!device.carrier) return colour.red('no carrier');
  return device.operstate === 'up' || device.operstate === 'unknown' ? 'up' : plain(device.operstate);
}

const DETECTOR_COLOUR = { ok: 'green', suspect: 'yellow', down: 'red', off: 'dim' } as const;

/** Nothing where no detector is configured. */
function detectors(instance: InstanceStatus, colour: Palette): string[] {
  const rows = (['primary', 'standby'] as const).flatMap((role) =>
    instance[role].detectors.map((d) => [
      mark(instance, role, colour),
      d.name,
      colour[DETECTOR_COLOUR[d.state]](d.state),
      d.since ?? '',
      plain(d.detail),
      plain(d.to_switch),
    ]),
  );
  if (rows.length === 0) return [];
  const titles = ['', 'DETECTOR', 'STATE', 'SINCE', 'SEES', 'CHANGES WITH'];
  return [
    '',
    ...table(
      titles.map((title) => ({ title })),
      rows,
      '  ',
    ),
  ];
}

function counters(instance: InstanceStatus, colour: Palette): string[] {
  const row = (role: 'primary' | 'standby'): string[] => {
    const { tx, rx } = instance[role].counters;
    return [
      mark(instance, role, colour),
      count(tx.packets),
      bytes(tx.bytes),
      count(tx.drops),
      count(tx.rerouted),
      count(rx.packets),
      bytes(rx.bytes),
      count(rx.drops),
      count(rx.suppressed),
    ];
  };
  const titles = ['TX PACKETS', 'BYTES', 'DROPS', 'REROUTED', 'RX PACKETS', 'BYTES', 'DROPS', 'SUPPRESSED'];
  return table(
    [{ title: '' }, ...titles.map((title) => ({ title, right: true }))],
    [row('primary'), row('standby')],
    '  ',
  );
}
