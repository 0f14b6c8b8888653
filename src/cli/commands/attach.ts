import { type Command, Option } from 'commander';
import { type InstanceConfig, loadConfig, parseInstance } from '../../config/index.js';
import { VfError } from '../../errors.js';
import { STEERED_NAMES } from '../../models/table.js';
import { type CliContext, usage } from '../context.js';
import { integerOption } from '../options.js';
import { summaryLine } from '../render/status.js';

interface AttachOptions {
  config?: string;
  model?: string;
  master?: string;
  masterMac?: string;
  masterBus?: string;
  masterDriver?: string;
  checkRoles: boolean;
  netns?: string;
  primaryName?: string;
  primaryMac?: string;
  primaryBus?: string;
  prefer?: string;
  reselect?: string;
  holdDownMs?: number;
  healthyProbes?: number;
  upDelayMs?: number;
  damping?: boolean;
  downDelayMs?: number;
  tier0: boolean;
  attach?: string;
}

const HOUR_MS = 3_600_000;

export function addAttach(program: Command, ctx: CliContext): void {
  program
    .command('attach')
    .description(
      'make a failover instance in the running daemon; it lasts until detach or the next boot, also over restarts of the daemon',
    )
    .argument('<name>', 'name of the instance')
    .option('--config <file>', 'take the instance of that name from a configuration file')
    .addOption(new Option('--model <model>', 'how master and slaves relate').choices([...STEERED_NAMES]))
    .option('--master <device>', 'the master device, by name or ifindex')
    .option('--master-mac <mac>', 'recognise the master by its MAC')
    .option('--master-bus <address>', 'recognise the master by its bus address')
    .option('--master-driver <driver>', 'recognise the master by its driver, such as virtio_net')
    .option('--no-check-roles', 'take a master that looks like the VF: the roles are right as given')
    .option('--netns <netns>', 'namespace of the devices: a name under /run/netns or an absolute path')
    .option('--primary-name <device>', 'recognise the VF by its name')
    .option('--primary-mac <mac>', 'recognise the VF by its MAC address')
    .option('--primary-bus <address>', 'recognise the VF by its bus address')
    .addOption(
      new Option('--prefer <slave>', 'the slave to return to').choices([
        'primary',
        'standby',
        'latency',
        'none',
      ]),
    )
    .addOption(
      new Option('--reselect <when>', 'when to return to it').choices(['always', 'better', 'failure']),
    )
    .option('--hold-down-ms <ms>', 'ms of health before failback', integerOption(0, HOUR_MS))
    .option('--healthy-probes <count>', 'healthy probes before failback', integerOption(0, 1000))
    .option('--up-delay-ms <ms>', 'ms of health before a slave counts as up', integerOption(0, HOUR_MS))
    .option('--damping', 'suppress a slave that flaps')
    .option('--down-delay-ms <ms>', 'ms that a fault must last before failover', integerOption(0, HOUR_MS))
    .option('--no-tier0', 'do not arm the fallback inside the BPF programs')
    .addOption(new Option('--attach <how>', 'how BPF programs attach').choices(['auto', 'tcx', 'clsact']))
    .option('--json', 'print JSON')
    .action(async (name: string, options: AttachOptions) => {
      const instance =
        options.config === undefined ? fromOptions(name, options) : fromFile(name, options.config, options);
      const status = await ctx.withClient((client) =>
        client.request('attach', instance, { timeout_ms: 30_000 }),
      );
      if (ctx.json) ctx.printJson(status);
      else ctx.print(summaryLine(status, ctx.colour));
    });
}

function fromFile(
  name: string,
  file: string,
  { config: _, tier0, checkRoles, ...others }: AttachOptions,
): InstanceConfig {
  if (!tier0 || !checkRoles || Object.keys(others).some((key) => key !== 'json')) {
    throw usage(
      '--config and the options of an instance exclude each other',
      'write the instance in the file, or leave --config out',
    );
  }
  const { instances } = loadConfig(file);
  const found = instances.find((instance) => instance.name === name);
  if (found !== undefined) return found;
  const names = instances.map((instance) => instance.name);
  throw new VfError('INSTANCE_NOT_FOUND', `${file} has no instance ${name}`, {
    field: 'name',
    value: name,
    fix: names.length === 0 ? 'add it to the file' : `name one of ${names.join(', ')}`,
  });
}

function fromOptions(name: string, options: AttachOptions): InstanceConfig {
  const given = <K extends string>(key: K, value: unknown) => (value === undefined ? {} : { [key]: value });
  return parseInstance(
    {
      name,
      master: masterOf(options),
      check_roles: options.checkRoles,
      ...given('model', options.model),
      ...given('netns', options.netns),
      ...given('attach', options.attach),
      primary: {
        ...given('name', options.primaryName),
        ...given('mac', options.primaryMac),
        ...given('bus', options.primaryBus),
      },
      policy: {
        ...given('prefer', options.prefer),
        ...given('reselect', options.reselect),
        ...given('hold_down_ms', options.holdDownMs),
        ...given('healthy_probes', options.healthyProbes),
        ...given('up_delay_ms', options.upDelayMs),
        ...given('damping', options.damping && {}),
        ...given('down_delay_ms', options.downDelayMs),
        tier0: options.tier0,
      },
    },
    'the arguments',
  );
}

/** The master as the options name it: by name or ifindex, or by what it is. */
function masterOf({ master, masterMac, masterBus, masterDriver }: AttachOptions): unknown {
  const parts = Object.entries({ mac: masterMac, bus: masterBus, driver: masterDriver });
  const selector = Object.fromEntries(parts.filter(([, value]) => value !== undefined));
  if (Object.keys(selector).length === 0) {
    if (master === undefined)
      throw usage('attach needs a master or --config', 'name the master: --master ens3, or --master-mac MAC');
    return /^\d+$/.test(master) ? Number(master) : master;
  }
  return master === undefined ? selector : { name: master, ...selector };
}
