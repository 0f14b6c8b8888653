import { type Device, normaliseMac, ROLES, type Role } from '../device.js';
import { VfError } from '../errors.js';
import { DEFAULT_MODEL, MODELS, type ModelName } from '../models/table.js';
import type { MatchRules, SlaveSelector } from './match.js';
import { type FailoverOps, REQUIRED_OPS } from './ops.js';

/** What `FailoverRegistry.register` takes. */
export interface InstanceSpec {
  name: string;
  /** Default: `DEFAULT_MODEL`. */
  model?: ModelName;
  /** The master: its ifindex, or its facts if the registry may not know it yet. */
  master: number | Device;
  ops: FailoverOps;
  rules?: MatchRules;
  /** Slot in the maps; the lowest free one by default. Given when a pinned instance is adopted. */
  index?: number;
  /** The MAC that the master had when the instance was first made, where an earlier daemon did; its present one by default. */
  formerMac?: string;
}

const SELECTOR_KEYS: readonly (keyof SlaveSelector)[] = ['name', 'mac', 'bus'];

/**
 * The checks that need no registry (failover_register answers -EINVAL to NULL ops and says no more).
 * @throws VfError CONFIG_INVALID with the field.
 */
export function checkSpec(spec: InstanceSpec): void {
  if (typeof spec.name !== 'string' || spec.name.trim() === '') {
    throw invalid('name', spec.name, 'an instance needs a name', 'give it a name that is not empty');
  }
  const model = spec.model ?? DEFAULT_MODEL;
  if (!Object.hasOwn(MODELS, model)) {
    const known = Object.keys(MODELS).join(', ');
    throw invalid('model', model, `no such model: ${String(model)}`, `use one of: ${known}`);
  }
  checkOps(spec.ops);
  const { index } = spec;
  if (index !== undefined && !(Number.isInteger(index) && index >= 0)) {
    throw invalid(
      'index',
      index,
      'the index is not a number from 0 up',
      'leave it out to get the lowest free one',
    );
  }
  for (const role of ROLES) checkSelector(role, spec.rules?.[role]);
  if (MODELS[model].standbyIsMaster && spec.rules?.standby !== undefined) {
    const message = `in the model ${model} the master itself is the standby`;
    throw invalid('standby', spec.rules.standby, message, 'leave the standby out');
  }
}

function checkOps(ops: Partial<FailoverOps> | null | undefined): void {
  for (const op of REQUIRED_OPS) {
    if (typeof ops?.[op] === 'function') continue;
    throw invalid(`ops.${op}`, ops?.[op], `the ops lack ${op}`, 'pass an object that implements FailoverOps');
  }
}

function checkSelector(role: Role, selector: Readonly<SlaveSelector> | undefined): void {
  if (selector === undefined) return;
  if (SELECTOR_KEYS.every((key) => selector[key] === undefined)) {
    throw invalid(
      role,
      selector,
      `the rule for the ${role} is empty`,
      'give name, mac or bus, or leave it out',
    );
  }
  for (const key of SELECTOR_KEYS) {
    const value = selector[key];
    if (value === '')
      throw invalid(`${role}.${key}`, value, `${role}.${key} is empty`, 'give a value or leave it out');
  }
  if (selector.mac !== undefined && normaliseMac(selector.mac) === undefined) {
    const message = `${selector.mac} is not the MAC address of a device`;
    throw invalid(`${role}.mac`, selector.mac, message, 'write a unicast MAC as 52:54:00:12:34:56');
  }
}

function invalid(field: string, value: unknown, message: string, fix: string): VfError {
  return new VfError('CONFIG_INVALID', message, { field, value, fix });
}
