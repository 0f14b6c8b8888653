// Errors have a code, the kernel's error name, and a message that says what was done to what; the verifier's log is behind it.
import { attachTcx, BpfError, onLibbpfMessage, openHandles } from 'bpf-loader-ts';
import { errors } from './errors.bpf.ts';

function attempt(what: string, fn: () => unknown): void {
  try {
    fn();
  } catch (e) {
    if (!(e instanceof BpfError)) throw e;
    console.log(`${what}: ${e.code} ${e.errno ?? '-'}: ${e.message}`);
    if (e.log)
      console.log(`  the whole log has ${e.log.split('\n').length > 10 ? 'more than 10' : 'few'} lines`);
  }
}

// libbpf never prints. Who wants to hear it, listens.
let heard = 0;
const listening = onLibbpfMessage(() => heard++, { level: 'debug' });
attempt('verifier', () => errors.load('errors.bpf.o'));
listening[Symbol.dispose]();
console.log(heard > 0 ? 'libbpf had something to say' : 'libbpf was silent');

const object = errors.load('errors.bpf.o', { skip: ['careless'] });
const { careful } = object.programs;
attempt('no such device', () => attachTcx(careful, 0x7fffffff, 'ingress'));
attempt('wrong value', () => object.variables.table.set([1, 2, 3]));
attempt('no object', () => errors.load('/etc/hostname'));
object.close();
attempt('closed', () => careful.testRun());
console.log('left open:', openHandles().length);
