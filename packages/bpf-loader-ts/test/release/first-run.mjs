// What package.test.ts runs on the bare machine: loads basic.bpf.o, runs a program of it, reads a map, writes its module.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { libbpfVersion, parseSpec } from 'bpf-loader-ts';

const object = parseSpec('basic.bpf.o').load();
object.program('count').testRun({ data: new Uint8Array(64), repeat: 7 });
const counts = new BigUint64Array(object.map('percpu').lookup(new Uint8Array(4)).buffer);
object.close();

const maps = readFileSync('/proc/self/maps', 'utf8');
console.log(
  JSON.stringify({
    counted: counts.reduce((sum, n) => sum + Number(n & 0xffffffffn), 0),
    libbpf: libbpfVersion,
    module: spawnSync(process.execPath, ['node_modules/.bin/bpf2ts', 'basic.bpf.o', '-o', '-'], { encoding: 'utf8' }).stdout?.split('\n')[0],
    libraries: [...new Set([...maps.matchAll(/\/([^/\n]*\.(?:so[.\d]*|node))$/gm)].map((m) => m[1]))].sort(),
    compilers: ['cc', 'gcc', '/usr/bin/cc', '/usr/bin/gcc', '/usr/bin/clang'].map((c) => spawnSync(c).error?.code),
    installed: readdirSync('node_modules'),
  }),
);
