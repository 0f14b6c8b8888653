import { InvalidArgumentError } from 'commander';
import { parseDuration } from './render/units.js';

/** Parser of a whole-number option. @throws InvalidArgumentError, which becomes USAGE */
export function integerOption(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d{1,16}$/.test(text) || value < min || value > max) {
      throw new InvalidArgumentError(`It must be an integer from ${min} to ${max}.`);
    }
    return value;
  };
}

/** Parser of a duration option, giving ms. @throws InvalidArgumentError, which becomes USAGE */
export function durationOption(minMs: number, maxMs: number): (text: string) => number {
  return (text) => {
    const value = parseDuration(text);
    if (value === undefined || value < minMs || value > maxMs) {
      throw new InvalidArgumentError(
        `It must be a time from ${minMs} ms to ${maxMs} ms, such as 500ms, 30s, 5min or 2h.`,
      );
    }
    return value;
  };
}

/** Parser of a list option: `a,b`, each one of `choices`, none twice. @throws InvalidArgumentError, which becomes USAGE */
export function listOption(choices: readonly string[]): (text: string) => string[] {
  return (text) => {
    const items = [...new Set(text.split(',').map((item) => item.trim()))];
    const wrong = items.find((item) => !choices.includes(item));
    if (wrong !== undefined) throw new InvalidArgumentError(`"${wrong}" is none of ${choices.join(', ')}.`);
    return items;
  };
}
