import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ERROR_CODES } from '../../src/errors.js';

const text = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8');
const rows = [...text.matchAll(/^\| `([A-Z_0-9]+)` \| (.*) \| (.*) \| (.*) \|$/gm)];
const documented = new Map(rows.map(([, code, ...cells]) => [code!, cells]));

describe('docs/errors.md', () => {
  it('documents each code once', () => {
    expect(rows.map(([, code]) => code)).toEqual(Object.keys(ERROR_CODES));
  });

  it.each(Object.entries(ERROR_CODES))(
    '%s has the meaning of the source, a cause and a cure',
    (code, meaning) => {
      const [documentedMeaning, cause, cure] = documented.get(code) ?? [];
      expect(documentedMeaning).toBe(meaning);
      expect(cause?.length).toBeGreaterThan(0);
      expect(cure?.length).toBeGreaterThan(10);
    },
  );
});
