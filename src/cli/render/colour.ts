import type { Writable } from 'node:stream';

const CODES = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;

export type Colour = keyof typeof CODES;
export type Palette = Record<Colour, (text: string) => string>;

/** Colours for a stream: none unless it is a terminal, none with NO_COLOR set (no-color.org) or on a dumb terminal. */
export function palette(stream: Writable & { isTTY?: boolean }, env: NodeJS.ProcessEnv): Palette {
  const on = stream.isTTY === true && !env.NO_COLOR && env.TERM !== 'dumb';
  const paint = (code: number) => (text: string) =>
    on && text !== '' ? `\x1b[${code}m${text}\x1b[0m` : text;
  return {
    bold: paint(CODES.bold),
    dim: paint(CODES.dim),
    red: paint(CODES.red),
    green: paint(CODES.green),
    yellow: paint(CODES.yellow),
    cyan: paint(CODES.cyan),
  };
}

/** Text without control characters: a device may be named with an escape sequence. */
export function plain(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
}
