import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { LogSink } from '../../src/daemon/log-sink.js';
import { elapse, until } from '../helpers/wait.js';

const LINE = `${'x'.repeat(999)}\n`;

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'vf-log-'));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

function sinkOn(fd: number): LogSink {
  const sink = new LogSink(fd);
  onTestFinished(() => sink.close());
  return sink;
}

/** Both ends of a named pipe, the reading one non-blocking. */
function pipe(): { read: number; write: number } {
  const path = join(folder(), 'p');
  execFileSync('mkfifo', [path]);
  const read = openSync(path, 0x800);
  return { read, write: openSync(path, 'w') };
}

/** All that a non-blocking descriptor has. */
function drain(fd: number): string {
  const bytes = Buffer.alloc(1 << 16);
  let text = '';
  for (;;) {
    try {
      const n = readSync(fd, bytes);
      if (n === 0) return text;
      text += bytes.toString('latin1', 0, n);
    } catch {
      return text;
    }
  }
}

describe('a log that cannot be written costs lines, which are counted', () => {
  test('a full device', () => {
    const fd = openSync('/dev/full', 'w');
    const sink = sinkOn(fd);
    for (let i = 0; i < 3; i++) sink.write(LINE);
    expect(sink.lost).toBe(3);
    closeSync(fd);
  });

  test('a pipe whose reader is gone', () => {
    const { read, write } = pipe();
    const sink = sinkOn(write);
    sink.write(LINE);
    expect(sink.lost).toBe(0);
    closeSync(read);
    sink.write(LINE);
    expect(sink.lost).toBe(1);
    closeSync(write);
  });

  test('a pipe that nobody reads: it is never waited for; what was kept comes out in order, whole, and the loss is told', async () => {
    const { read, write } = pipe();
    const sink = sinkOn(write);
    const told: number[] = [];
    sink.onRoom = (lines) => told.push(lines);
    const started = performance.now();
    for (let i = 0; i < 1000; i++) sink.write(`${String(i).padStart(5, '0')} ${LINE}`);
    expect(performance.now() - started).toBeLessThan(1000);
    // A pipe holds 64 KiB, the sink 256 KiB.
    expect(sink.lost).toBeGreaterThan(600);
    expect(sink.lost).toBeLessThan(720);
    let text = '';
    await until(
      () => {
        text += drain(read);
        return text.split('\n').length;
      },
      (n) => n > 1000 - sink.lost,
      10_000,
    );
    const lines = text.split('\n').slice(0, -1);
    expect(lines).toHaveLength(1000 - sink.lost);
    lines.forEach((line, i) => {
      expect(line).toBe(`${String(i).padStart(5, '0')} ${LINE.slice(0, -1)}`);
    });
    expect(told).toEqual([sink.lost]);
    closeSync(read);
    closeSync(write);
  });

  test('the flags of a pipe that others write to stay as they were', () => {
    const { read, write } = pipe();
    sinkOn(write);
    const flags = /flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${write}`, 'utf8'))![1]!;
    expect(Number.parseInt(flags, 8) & 0o4000).toBe(0);
    closeSync(read);
    closeSync(write);
  });

  test('a file takes everything', () => {
    const path = join(folder(), 'log');
    writeFileSync(path, '');
    const fd = openSync(path, 'a');
    const sink = sinkOn(fd);
    for (let i = 0; i < 100; i++) sink.write(LINE);
    expect(readFileSync(path, 'utf8')).toBe(LINE.repeat(100));
    closeSync(fd);
  });

  test('a socket, as the journal is: a reader that stands still is not waited for', async () => {
    const path = join(folder(), 's');
    const accepted = new Promise<Socket>((done) => {
      const server = createServer((s) => done(s.pause())).listen(path);
      onTestFinished(() => void server.close());
    });
    const client = connect(path);
    await new Promise((done) => client.once('connect', done));
    const far = await accepted;
    onTestFinished(() => {
      far.destroy();
      client.destroy();
    });
    const { fd } = (client as unknown as { _handle: { fd: number } })._handle;
    const sink = new LogSink(fd);
    for (let i = 0; i < 2000; i++) {
      sink.write(LINE);
      if (i % 100 === 0) await elapse(1);
    }
    expect(sink.lost).toBeGreaterThan(500);
  });
});
