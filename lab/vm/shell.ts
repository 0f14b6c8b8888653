/** What became of a command. */
export interface ExecResult {
  /** Exit status; 128 + signal for one that was killed. */
  code: number;
  stdout: string;
  stderr: string;
}

/** A command under way. */
export interface Running {
  kill(signal: 'TERM' | 'KILL' | 'STOP' | 'CONT' | 'INT'): Promise<void>;
  readonly done: Promise<ExecResult>;
}

/** A machine that runs commands: a guest, or a namespace of this one. */
export interface Shell {
  /** Runs `sh -c command`. A status other than 0 is no error here. */
  exec(command: string, o?: { timeoutMs?: number; stdin?: string }): Promise<ExecResult>;
  spawn(command: string): Promise<Running>;
  readFile(path: string): Promise<Buffer>;
  writeFile(path: string, data: Uint8Array | string, mode?: number): Promise<void>;
}
