// Runs a program on a packet of ours, with a context, without any device: how programs are tested and measured (Linux 4.12).

import { packetTo } from './helpers.ts';
import { testrun } from './testrun.bpf.ts';

const object = testrun.load('testrun.bpf.o');
const { mark } = object.programs;
const data = packetTo('192.0.2.1');

console.log('without a mark:', mark.testRun({ data }).retval);

// struct __sk_buff of include/uapi/linux/bpf.h: the mark is its third word.
const ctx = new Uint32Array(48);
const ctxOut = new Uint32Array(48);
const dataOut = new Uint8Array(data.length);
ctx[2] = 41;
const bytes = (words: Uint32Array): Uint8Array => new Uint8Array(words.buffer);
const { retval, dataSize } = mark.testRun({ data, dataOut, ctx: bytes(ctx), ctxOut: bytes(ctxOut) });
console.log('with a mark:', retval, '- mark', ctxOut[2], '- TTL', dataOut[22], '- bytes', dataSize);

const { durationNs } = mark.testRun({ data, repeat: 1_000_000 });
console.log(durationNs < 10_000 ? 'fast' : 'slow', 'in the mean of a million runs');
object.close();
