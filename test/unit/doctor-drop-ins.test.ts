import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { settleDropIns } from '../../src/doctor/drop-in-files.js';
import { dropInsFor, isOurs } from '../../src/doctor/drop-ins.js';
import type { Candidate, CandidateDevice, Configurator } from '../../src/doctor/findings.js';

const MAC = '52:54:00:00:00:01';
const device = (
  name: string,
  driver: string | null,
  more: Partial<CandidateDevice> = {},
): CandidateDevice => ({
  name,
  ifindex: 2,
  driver,
  managedBy: [],
  foreign: [],
  xdp: [],
  qdisc: null,
  permanentMac: true,
  addresses: [],
  routes: [],
  promiscuous: false,
  letsIn: { macs: [], vlans: [] },
  ...more,
});
const pairOf = (visible: CandidateDevice, ...hidden: CandidateDevice[]): Candidate => ({
  mac: MAC,
  master: visible,
  others: hidden,
  owner: null,
  visible,
  hidden,
  stacked: [],
});
const pair = pairOf(device('ens4', 'virtio_net'), device('ens5', 'iavf'));
const ALL: Configurator[] = ['systemd-networkd', 'netplan', 'NetworkManager', 'cloud-init'];
const made = (candidates: Candidate[], configurators = ALL, networkConfigured = true) =>
  dropInsFor({ configurators, networkConfigured }, candidates);
const contentOf = (candidates: Candidate[], path: string): string =>
  made(candidates).find((d) => d.path === path)?.content ?? '';

describe('drop-ins', () => {
  it('are made for what is installed, and only for a plain pair', () => {
    expect(made([pair]).map((d) => d.path)).toEqual([
      '/etc/systemd/network/05-vfailover.network',
      '/etc/systemd/network/05-vfailover.link',
      '/etc/udev/rules.d/99-vfailover.rules',
      '/etc/NetworkManager/conf.d/90-vfailover.conf',
      '/etc/cloud/cloud.cfg.d/90-vfailover.cfg',
    ]);
    expect(made([pair], [])).toEqual([]);
    expect(made([{ ...pair, visible: null, hidden: [] }])).toEqual([]);
    // Without another configuration a machine would boot without a network.
    expect(made([pair], ['cloud-init'], false)).toEqual([]);
  });

  it('tell the slave from its master by driver and MAC, whatever its name and place', () => {
    const network = contentOf([pair], '/etc/systemd/network/05-vfailover.network');
    expect(network).toContain(`[Match]\nPermanentMACAddress=${MAC}\nDriver=iavf\n\n[Link]\nUnmanaged=yes\n`);
    expect(network).not.toContain('Name=');
    const rules = contentOf([pair], '/etc/udev/rules.d/99-vfailover.rules');
    expect(rules).toContain(
      `ATTR{address}=="${MAC}", DRIVERS=="iavf", ENV{ID_NET_NAME}=="?*", NAME="$env{ID_NET_NAME}"`,
    );
    const nm = contentOf([pair], '/etc/NetworkManager/conf.d/90-vfailover.conf');
    expect(nm).toContain(`match-device=mac:${MAC},except:driver:virtio_net,except:type:vlan`);
    expect(nm).toContain('managed=0');
  });

  it('go by the name where the driver tells nothing, and by the current MAC where there is no permanent one', () => {
    const same = pairOf(device('ens4', 'veth'), device('ens5', 'veth'));
    expect(made([same], ['systemd-networkd']).map((d) => d.path)).toEqual([
      '/etc/systemd/network/05-vfailover-name.network',
    ]);
    expect(contentOf([same], '/etc/systemd/network/05-vfailover-name.network')).toContain('Name=ens5');
    expect(contentOf([same], '/etc/NetworkManager/conf.d/90-vfailover.conf')).toContain(
      'match-device=interface-name:=ens5',
    );
    const no = pairOf(device('ens4', 'virtio_net'), device('ens5', 'iavf', { permanentMac: false }));
    expect(contentOf([no], '/etc/systemd/network/05-vfailover-mac.network')).toContain(
      `\nMACAddress=${MAC}\n`,
    );
  });

  it("never hide the kernel's own master", () => {
    const three = pairOf(
      device('eth0', 'net_failover'),
      device('eth0nsby', 'virtio_net'),
      device('ens5', 'iavf'),
    );
    const network = contentOf([three], '/etc/systemd/network/05-vfailover.network');
    expect(network).toContain('Driver=iavf virtio_net\n');
    expect(network).not.toContain('net_failover');
    expect(contentOf([three], '/etc/NetworkManager/conf.d/90-vfailover.conf')).toContain(
      'except:driver:net_failover',
    );
  });
});

describe('files', () => {
  const wanted = made([pair]);
  function tree(): string {
    const root = mkdtempSync(join(tmpdir(), 'vfailover-drop-ins-'));
    onTestFinished(() => rmSync(root, { recursive: true }));
    return root;
  }
  const states = (root: string, write: boolean) => settleDropIns(wanted, { write, root }).map((d) => d.state);

  it('are written once, and only when that is asked for', () => {
    const root = tree();
    expect(states(root, false)).toEqual(wanted.map(() => 'absent'));
    expect(readdirSync(root)).toEqual([]);
    expect(states(root, true)).toEqual(wanted.map(() => 'written'));
    expect(states(root, true)).toEqual(wanted.map(() => 'current'));
    for (const { path, content } of wanted) {
      expect(readFileSync(join(root, path), 'utf8')).toBe(content);
      expect(isOurs(content)).toBe(true);
      // Nothing is left that a manager could read.
      expect(readdirSync(join(root, dirname(path))).filter((f) => f.includes('vfailover-new'))).toEqual([]);
    }
  });

  it('of an earlier version are replaced, those of others and edited ones are kept', () => {
    const root = tree();
    const put = (at: number, text: string): string => {
      const file = join(root, wanted[at]!.path);
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, text);
      return file;
    };
    const older = made([pairOf(device('ens4', 'virtio_net'), device('ens5', 'mlx5_core'))])[0]!.content;
    put(0, older);
    const theirs = put(1, '[Match]\nOriginalName=*\n');
    const edited = put(2, `${wanted[2]!.content}# mine\n`);
    expect(states(root, false)).toEqual(['outdated', 'kept', 'kept', 'absent', 'absent']);
    expect(states(root, true)).toEqual(['updated', 'kept', 'kept', 'written', 'written']);
    expect(readFileSync(theirs, 'utf8')).toBe('[Match]\nOriginalName=*\n');
    expect(readFileSync(edited, 'utf8')).toMatch(/# mine\n$/);
  });

  it('that cannot be written say why', () => {
    const root = tree();
    // Where a folder should be is a file.
    writeFileSync(join(root, 'etc'), '');
    for (const d of settleDropIns(wanted, { write: true, root }))
      expect(d).toMatchObject({ state: 'failed', reason: expect.stringMatching(/ENOTDIR/) });
  });
});
