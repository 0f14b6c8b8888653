import { VfError } from '../errors.js';

/** Returns the error of a caller that asks for a frame that cannot be. */
export function cannotBe(field: string, message: string, value: Uint8Array | number): VfError {
  const shown = typeof value === 'number' ? value : Buffer.from(value).toString('hex');
  return new VfError('INTERNAL', `cannot make a frame: ${message}`, { field, value: shown });
}

/** Throws for bytes of another length. */
export function checkLength(field: string, bytes: Uint8Array, length: number): void {
  if (bytes.length !== length)
    throw cannotBe(field, `${field} has ${bytes.length} bytes instead of ${length}`, bytes);
}
