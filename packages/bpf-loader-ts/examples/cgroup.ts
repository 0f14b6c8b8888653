// A cgroup whose processes may not connect to a port (cgroup links: Linux 5.7).
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { attachCgroup, queryCgroup } from 'bpf-loader-ts';
import { cgroup } from './cgroup.bpf.ts';

const root = readFileSync('/proc/self/mounts', 'utf8').match(/^\S+ (\S+) cgroup2 /m)![1]!;
const folder = join(root, `bpf-loader-ts-example-${process.pid}`);
mkdirSync(folder);

const object = cgroup.load('cgroup.bpf.o', { variables: { port: 7777 } });
const link = attachCgroup(object.programs.connect4, folder, 'cgroup_inet4_connect');
console.log('attached:', queryCgroup(folder, 'cgroup_inet4_connect').length);

/** What a process in the cgroup hears when it connects. */
const connect = (port: number): string =>
  execFileSync(
    'sh',
    [
      '-c',
      `echo $$ >${folder}/cgroup.procs && exec ${process.execPath} -e "$0"`,
      `require('net').connect(${port}, '127.0.0.1').on('error', (e) => console.log(e.code))`,
    ],
    { encoding: 'utf8' },
  ).trim();

console.log('port 7777:', connect(7777));
console.log('port 7778:', connect(7778));
console.log('refused by the program:', object.variables.refused.get());
link.close();
object.close();
rmdirSync(folder);
