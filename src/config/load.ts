import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { VfError } from '../errors.js';
import { conflicts } from './conflicts.js';
import { asError, problemsOf } from './problems.js';
import { type Config, configSchema, type InstanceConfig, instanceSchema } from './schema.js';
import { readYaml } from './yaml-document.js';

/** Bytes a configuration file may have: 4096 instances with every key written out need a third of this. */
const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Reads and checks a configuration file.
 *
 * @throws VfError CONFIG_UNREADABLE, CONFIG_UNKNOWN_KEY or CONFIG_INVALID; `VfErrors` when there are several problems
 */
export function loadConfig(path: string): Config {
  return parseConfig(readText(path), path);
}

/**
 * Checks a configuration given as YAML 1.2 text. An empty text is a configuration of defaults, without instances.
 *
 * @param source how to name the text in errors
 * @throws as `loadConfig`
 */
export function parseConfig(text: string, source: string): Config {
  const { value, locate } = readYaml(text, source);
  const input = value ?? {};
  const parsed = configSchema.safeParse(input);
  const problems = parsed.success ? [] : problemsOf(parsed.error, { schema: configSchema, input, locate });
  problems.push(...conflicts(input, locate));
  if (!parsed.success || problems.length > 0) throw asError(source, problems);
  return parsed.data;
}

/**
 * Checks one instance, written as in the file's `instances` list. The API's `attach` uses it.
 *
 * @throws as `loadConfig`, with fields counted from the instance: `policy.prefer`
 */
export function parseInstance(input: unknown, source = 'the instance'): InstanceConfig {
  const parsed = instanceSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  throw asError(source, problemsOf(parsed.error, { schema: instanceSchema, input }));
}

function readText(path: string): string {
  const fail = (message: string, fix: string, cause?: unknown): VfError =>
    new VfError('CONFIG_UNREADABLE', `${path}: ${message}`, { field: path, fix, cause });
  let fd: number | undefined;
  try {
    fd = openSync(path, 'r');
    const stat = fstatSync(fd);
    if (stat.isDirectory()) throw fail('is a directory', 'name the file in it');
    if (stat.size > MAX_BYTES)
      throw fail(`${stat.size} bytes are more than ${MAX_BYTES}`, 'shorten the file');
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(fd));
  } catch (error) {
    if (error instanceof VfError) throw error;
    if (error instanceof TypeError) throw fail('is not UTF-8 text', 'save the file as UTF-8', error);
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') throw fail('no such file', 'create it, or name another with --config', error);
    if (code === 'EACCES') throw fail('permission denied', 'read it as root, or widen its mode', error);
    throw fail(error instanceof Error ? error.message : String(error), 'name a readable file', error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
