import { closest, distance } from 'fastest-levenshtein';
import type { z } from 'zod';
import { VfError } from '../errors.js';
import { PLANNED, STEERED_NAMES } from '../models/table.js';
import { inputSchema, mappingOf, nodeAt } from './json-schema.js';

/** Several problems in one input. Reads as its first problem to a program, and as one line per problem to a person. */
export class VfErrors extends VfError {
  readonly errors: readonly VfError[];

  /** @param errors two or more problems, in the order of the input */
  constructor(source: string, errors: readonly VfError[]) {
    const first = errors[0] ?? new VfError('INTERNAL', 'a list of problems without a problem');
    super(first.code, `${errors.length} problems in ${source}`, { cause: new AggregateError(errors) });
    this.errors = errors;
  }

  override toJSON(): ReturnType<VfError['toJSON']> & { errors: ReturnType<VfError['toJSON']>[] } {
    return { ...super.toJSON(), errors: this.errors.map((error) => error.toJSON()) };
  }

  override toString(): string {
    return [`${this.code}: ${this.message}`, ...this.errors.map((error) => error.toString())].join('\n');
  }
}

/** The error to throw for one or more problems: the problem itself, or `VfErrors` around several. */
export function asError(source: string, problems: readonly VfError[]): VfError {
  const [only] = problems;
  return only !== undefined && problems.length === 1 ? only : new VfErrors(source, problems);
}

/** A path as the user writes it: `instances[0].policy.prefer`. Keys that would read ambiguously are quoted. */
export function fieldName(path: readonly PropertyKey[]): string {
  let name = '';
  for (const step of path) {
    if (typeof step === 'number') name += `[${step}]`;
    else {
      const key = brief(String(step), 64);
      if (/^[A-Za-z0-9_-]+$/.test(key)) name += name === '' ? key : `.${key}`;
      else name += `[${JSON.stringify(key)}]`;
    }
  }
  return name;
}

function brief(text: string, max = 120): string {
  return text.length > max ? `${text.slice(0, max)}…` : text;
}

/** A value fit to be repeated in an error: scalars as they are, clipped; anything deep by its kind only. */
export function shown(value: unknown): string | number | boolean | null | undefined {
  if (typeof value === 'string') return brief(value);
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
  if (value === null || value === undefined || typeof value === 'boolean') return value;
  if (typeof value === 'bigint') return brief(String(value));
  return Array.isArray(value) ? `a list of ${value.length}` : 'a mapping';
}

/** The candidate that a misspelled word most likely means; undefined when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0 || word.length > 64) return undefined;
  const lower = word.toLowerCase();
  const best = closest(lower, candidates);
  const limit = Math.max(1, Math.ceil(Math.max(word.length, best.length) * 0.4));
  if (distance(lower, best) <= limit) return best;
  return candidates.find((candidate) => lower.length > 2 && candidate.startsWith(lower));
}

function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  let value = root;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<PropertyKey, unknown>)[step];
  }
  return value;
}

/** Keys of a section that holds a secret whose values are none. */
const NO_SECRETS = new Set<PropertyKey>(['type', 'key_id', 'key_file']);

/** A value fit to be repeated in an error about `path`: what may be a secret, or one in the wrong place, is not. */
function shownAt(path: readonly PropertyKey[], value: unknown): ReturnType<typeof shown> {
  const section = path.indexOf('auth');
  const secret = section >= 0 && !NO_SECRETS.has(path[section + 1] ?? '');
  return secret && (typeof value === 'string' || typeof value === 'number')
    ? `${Buffer.byteLength(String(value))} bytes`
    : shown(value);
}

/** Where in the input a path stands, as ` (FILE:LINE:COLUMN)`; empty where that is unknown. */
export type Locate = (path: readonly PropertyKey[]) => string;

export interface IssueContext {
  /** The schema that produced the issues. */
  schema: z.ZodType;
  /** The input as it was before validation. */
  input: unknown;
  locate?: Locate;
  /** Prepended to each field: `params`. */
  prefix?: readonly PropertyKey[];
  /** Codes to use; the API uses API_BAD_REQUEST for both. */
  unknownKey?: 'CONFIG_UNKNOWN_KEY' | 'API_BAD_REQUEST';
  invalid?: 'CONFIG_INVALID' | 'API_BAD_REQUEST';
}

/** Turns zod's issues into our errors: the field, the value, what is allowed, and what to do. */
export function problemsOf(error: z.ZodError, context: IssueContext): VfError[] {
  return error.issues.flatMap((issue) => problemsOfIssue(issue, context));
}

/** True of what is wrong within a mapping, not with its being one. */
const ofMapping = ({ path, code }: z.core.$ZodIssue): boolean =>
  path.length > 0 || code === 'unrecognized_keys' || code === 'custom';

function problemsOfIssue(issue: z.core.$ZodIssue, context: IssueContext): VfError[] {
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => unknownKey(issue.path, key, context));
  // Where one of the alternatives is a mapping and the input is one, what is wrong within it says more.
  const within =
    issue.code === 'invalid_union' ? issue.errors.find((inner) => inner.every(ofMapping)) : undefined;
  if (within === undefined) return [invalidValue(issue.path, issue.message, context)];
  return within.flatMap((inner) =>
    problemsOfIssue({ ...inner, path: [...issue.path, ...inner.path] } as z.core.$ZodIssue, context),
  );
}

function unknownKey(parent: readonly PropertyKey[], key: string, context: IssueContext): VfError {
  const { schema, input, locate, prefix = [], unknownKey: code = 'CONFIG_UNKNOWN_KEY' } = context;
  const path = [...parent, key];
  const known = Object.keys(mappingOf(nodeAt(inputSchema(schema), parent))?.properties ?? {});
  const guess = nearest(key, known);
  const name = fieldName([...prefix, ...path]);
  return new VfError(code, `${JSON.stringify(shown(key))} is not a key${locate?.(path) ?? ''}`, {
    field: name,
    value: shownAt(path, valueAt(input, path)),
    fix:
      guess !== undefined
        ? `write ${fieldName([...prefix, ...parent, guess])}`
        : known.length === 0
          ? 'remove it'
          : `remove it; the keys here are ${known.join(', ')}`,
  });
}

function invalidValue(path: readonly PropertyKey[], allowed: string, context: IssueContext): VfError {
  const { schema, input, locate, prefix = [], invalid: code = 'CONFIG_INVALID' } = context;
  const field = fieldName([...prefix, ...path]);
  const value = valueAt(input, path);
  const where = locate?.(path) ?? '';
  const said = shownAt(path, value);
  const detail = { ...(field !== '' && { field }), value: said };
  if (value === undefined && path.length > 0) {
    return new VfError(code, `${fieldName(path.slice(-1))} is missing${where}`, {
      ...detail,
      fix: `add it: ${allowed}`,
    });
  }
  const literal = typeof value === 'string' && said === shown(value) ? JSON.stringify(said) : String(said);
  if (allowed === 'available yet') {
    return new VfError(code, `${literal} is not available yet${where}`, {
      ...detail,
      fix: `use ${STEERED_NAMES.join(', ')}; ${Object.keys(PLANNED).join(', ')} come in a later version`,
    });
  }
  const standard = nodeAt(inputSchema(schema), path)?.default;
  const scalar = standard !== undefined && (standard === null || typeof standard !== 'object');
  return new VfError(code, `${literal} is not ${allowed}${where}`, {
    ...detail,
    fix: `set it to ${allowed}${scalar ? `, or leave it out for ${standard}` : ''}`,
  });
}
