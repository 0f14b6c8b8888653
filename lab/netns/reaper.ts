import { type ChildProcess, spawn } from 'node:child_process';

/**
 * Removes files when this process is gone, however it went: a shell that waits for the end of a pipe whose other end only we hold.
 * Namespaces need no such thing (they are anonymous and die with their descriptors); pins do.
 */
export class Reaper {
  readonly #child: ChildProcess;

  constructor(...paths: string[]) {
    this.#child = spawn('/bin/sh', ['-c', 'cat >/dev/null; rm -rf "$@"', 'reaper', ...paths], {
      stdio: ['pipe', 'ignore', 'ignore'],
      // Its own session: a ctrl-C on the terminal must not end it first.
      detached: true,
    });
    this.#child.unref();
  }

  /** Removes them now. Again is harmless. */
  async reap(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((done) => this.#child.once('exit', done));
    this.#child.ref();
    this.#child.stdin!.end();
    await ended;
  }
}
