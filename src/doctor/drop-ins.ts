/**
 * Files that tell managers to leave the slaves of a pair alone. Pure. A slave is told from its master by its driver, since both have one MAC,
 * and by that MAC, since other devices have the same driver. Neither changes when it is renamed, or plugged in somewhere else.
 */
import { createHash } from 'node:crypto';
import type { Candidate, CandidateDevice, DropIn, HostFindings } from './findings.js';

/** A slave to hide, and its pair. */
interface Hidden {
  device: CandidateDevice;
  mac: string;
  visible: CandidateDevice;
}

/** Files that this machine needs for its pairs. Empty where no pair is plain, or nothing is installed that would read them. */
export function dropInsFor(
  { configurators, networkConfigured }: Pick<HostFindings, 'configurators' | 'networkConfigured'>,
  candidates: readonly Candidate[],
): DropIn[] {
  const hidden = candidates.flatMap(({ mac, visible, hidden }) =>
    visible === null ? [] : hidden.map((device): Hidden => ({ device, mac, visible })),
  );
  if (hidden.length === 0) return [];
  const installed = (name: HostFindings['configurators'][number]): boolean => configurators.includes(name);
  return [
    ...(installed('systemd-networkd') ? networkd(hidden) : []),
    ...(installed('netplan') ? links(hidden) : []),
    ...(installed('NetworkManager') ? [networkManager(hidden)] : []),
    ...(installed('cloud-init') && networkConfigured ? [cloudInit()] : []),
  ];
}

const MARK = /^# Written by `vfailover doctor --fix` \(([0-9a-f]{12})\)/;

const digest = (body: string): string => createHash('sha256').update(body).digest('hex').slice(0, 12);

/** A file's text below a line that says whose it is, with a digest by which an edit is noticed. */
function marked(body: string): string {
  return `# Written by \`vfailover doctor --fix\` (${digest(body)}). Edit it, and vfailover leaves it alone.\n${body}`;
}

/** True if the text is one that we wrote and nobody has edited since. */
export function isOurs(text: string): boolean {
  const end = text.indexOf('\n') + 1;
  return MARK.exec(text)?.[1] === digest(text.slice(end));
}

/** True if the driver alone tells the slave from its master. */
const distinct = ({ device, visible }: Hidden): boolean =>
  device.driver !== null && device.driver !== visible.driver;

const unique = (words: readonly string[]): string => [...new Set(words)].sort().join(' ');

/**
 * [Match] sections, with the suffix of their file. The keys of one section must all agree, so slaves that are known by other keys are in
 * another file.
 */
function matches(hidden: readonly Hidden[]): { suffix: string; match: string }[] {
  const section = (suffix: string, of: readonly Hidden[], macKey: string) =>
    of.length === 0
      ? []
      : [
          {
            suffix,
            match: `${macKey}=${unique(of.map((h) => h.mac))}\nDriver=${unique(of.map((h) => h.device.driver!))}`,
          },
        ];
  const byDriver = hidden.filter(distinct);
  const byName = hidden.filter((h) => !distinct(h));
  return [
    // The permanent one where there is one: the current one follows the master's when that is changed.
    ...section(
      '',
      byDriver.filter((h) => h.device.permanentMac),
      'PermanentMACAddress',
    ),
    ...section(
      '-mac',
      byDriver.filter((h) => !h.device.permanentMac),
      'MACAddress',
    ),
    ...(byName.length === 0
      ? []
      : [{ suffix: '-name', match: `Name=${unique(byName.map((h) => h.device.name))}` }]),
  ];
}

function networkd(hidden: readonly Hidden[]): DropIn[] {
  return matches(hidden).map(({ suffix, match }) => ({
    for: 'systemd-networkd',
    path: `/etc/systemd/network/05-vfailover${suffix}.network`,
    content: marked(`# Before every file that matches by MAC or name: the first match decides.
[Match]
${match}

[Link]
Unmanaged=yes
`),
    effect: 'networkctl reload, or the next boot',
  }));
}

/**
 * netplan names devices by MAC (`set-name`), in a .link file and in a udev rule that comes after all .link files. So the slave needs a .link
 * file that says its own name, and a rule that comes last and takes this name.
 */
function links(hidden: readonly Hidden[]): DropIn[] {
  const effect = 'the next boot, or the next time the VF is plugged in';
  const files = matches(hidden).map(
    ({ suffix, match }): DropIn => ({
      for: 'netplan',
      path: `/etc/systemd/network/05-vfailover${suffix}.link`,
      content:
        marked(`# Before netplan's files, which name every device with the master's MAC after the master.
[Match]
${match}

[Link]
NamePolicy=keep kernel database onboard slot path
AlternativeNamesPolicy=database onboard slot path
MACAddressPolicy=none
`),
      effect,
    }),
  );
  const rules = hidden.filter(distinct).map((h) => {
    const match = `ACTION=="add", SUBSYSTEM=="net", ATTR{address}=="${h.mac}", DRIVERS=="${h.device.driver}"`;
    return `${match}, ENV{ID_NET_NAME}=="?*", NAME="$env{ID_NET_NAME}"\n${match}, ENV{ID_NET_NAME}=="", NAME="%k"\n`;
  });
  if (rules.length === 0) return files;
  const content = marked(
    `# After 99-netplan-*.rules, which do the same once more.\n${[...new Set(rules)].sort().join('')}`,
  );
  return [...files, { for: 'netplan', path: '/etc/udev/rules.d/99-vfailover.rules', content, effect }];
}

/** Devices on top of the master, which have its MAC: NetworkManager may go on managing them. */
const STACKED = ['vlan', 'macvlan', 'macsec', 'bridge', 'bond', 'team', 'vrf', 'ip-tunnel'];

/** `mac:` is the permanent MAC. An `except:` outweighs every other item. */
function networkManager(hidden: readonly Hidden[]): DropIn {
  const groups = new Map<string, string>();
  for (const h of hidden) {
    const except = [`driver:${h.visible.driver}`, ...STACKED.map((type) => `type:${type}`)];
    groups.set(
      distinct(h) && h.visible.driver !== null ? `${h.mac} ${h.visible.driver}` : h.device.name,
      distinct(h) && h.visible.driver !== null
        ? [`mac:${h.mac}`, ...except.map((e) => `except:${e}`)].join(',')
        : `interface-name:=${h.device.name}`,
    );
  }
  const sections = [...groups.values()].map(
    (match, i) => `[device-vfailover-${i + 1}]\nmatch-device=${match}\nmanaged=0\n`,
  );
  return {
    for: 'NetworkManager',
    path: '/etc/NetworkManager/conf.d/90-vfailover.conf',
    content: marked(
      `# By configuration and not by udev: NetworkManager keeps what it manages already, and a rename empties udev's database.\n${sections.join('\n')}`,
    ),
    effect: 'systemctl restart NetworkManager, or the next boot',
  };
}

/** cloud-init refuses two devices of one MAC before it renders any configuration. */
function cloudInit(): DropIn {
  return {
    for: 'cloud-init',
    path: '/etc/cloud/cloud.cfg.d/90-vfailover.cfg',
    content:
      marked(`# cloud-init ends with "duplicate mac found" when it sees a pair. The network stays as it is configured now.
network:
  config: disabled
`),
    effect: 'the next boot',
  };
}
