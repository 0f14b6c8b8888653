/** Names of an object file as they may stand in a program: whatever they hold, they must not become code. */

const IDENTIFIER = /^[A-Za-z_$][\w$]*$/;
const RESERVED = new Set(
  'await break case catch class const continue debugger default delete do else enum export extends false finally for function if implements import in instanceof interface let new null package private protected public return static super switch this throw true try typeof var void while with yield arguments eval'.split(
    ' ',
  ),
);

/** A string literal. */
export const quote = (s: string): string =>
  `'${JSON.stringify(s).slice(1, -1).replace(/\\"/g, '"').replace(/'/g, "\\'")}'`;

/** The name of a property; `__proto__` is computed, or it would set the prototype. */
export const property = (s: string): string => {
  if (s === '__proto__') return `['__proto__']`;
  return IDENTIFIER.test(s) ? s : quote(s);
};

/** A name for an export: what is no identifier loses what makes it none. */
export const identifier = (s: string): string => {
  const word = s.replace(/[^\w$]/g, '_').replace(/^(?=\d)/, '_') || '_';
  return RESERVED.has(word) ? `${word}_` : word;
};

/** Text for a comment. */
export const comment = (s: string): string => s.replace(/\*\//g, '* /').replace(/[\r\n\u2028\u2029]/g, ' ');
