import { type CST, type Document, isMap, isNode, isScalar, LineCounter, Parser, parseDocument } from 'yaml';
import { VfError } from '../errors.js';
import { asError, type Locate } from './problems.js';

/** Nesting allowed in a file; the schema itself needs four levels. */
const MAX_DEPTH = 32;
/** Times an alias may be expanded in total: enough to share a policy among instances, too few for a bomb. */
const MAX_ALIASES = 10_000;

/** A YAML document as plain data, and the way from a path in it back to a line. */
export interface YamlDocument {
  value: unknown;
  locate: Locate;
}

/**
 * Reads YAML 1.2. Refuses duplicate keys, unknown tags, several documents, alias bombs and deep nesting.
 *
 * @param source how to name the input in errors: usually the file's path
 * @throws VfError CONFIG_UNREADABLE with line and column; `VfErrors` of them when there are several
 */
export function readYaml(text: string, source: string): YamlDocument {
  const lines = new LineCounter();
  const at = (offset: number): string => {
    const { line, col } = lines.linePos(offset);
    return `${source}:${line}:${col}`;
  };
  const unreadable = (message: string, fix: string, cause?: unknown): VfError =>
    new VfError('CONFIG_UNREADABLE', message, { field: source, fix, cause });

  // The composer recurses, and V8 aborts the whole process when it compiles a regular expression at the end of its stack.
  // The parser does not recurse: measure with it first.
  const deep = tooDeep(text);
  if (deep !== undefined) {
    const before = text.slice(0, deep).split('\n');
    const where = `${source}:${before.length}:${(before.at(-1)?.length ?? 0) + 1}`;
    throw unreadable(
      `${where}: nested more than ${MAX_DEPTH} levels deep`,
      'check the brackets and the indentation',
    );
  }

  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    // Nothing is to be printed from here: what matters comes back as an error.
    logLevel: 'error',
    uniqueKeys: true,
    strict: true,
  });
  const faults = [...document.errors, ...document.warnings];
  if (faults.length > 0) {
    throw asError(
      source,
      faults.map((fault) => unreadable(`${at(fault.pos[0])}: ${fault.message}`, fixFor(fault.code), fault)),
    );
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw unreadable(
      `${source}: ${reason}`,
      'define each anchor before its aliases, and use fewer of them',
      error,
    );
  }
  return { value, locate: locatorOf(document, at) };
}

/** The way from a path to a line; `at` names the place of an offset. */
function locatorOf(document: Document.Parsed, at: (offset: number) => string): Locate {
  return (path) => {
    // A missing key has no node: point at the nearest thing around it.
    for (let length = path.length; length > 0; length--) {
      const parent = length === 1 ? document.contents : document.getIn(path.slice(0, length - 1), true);
      const step = path[length - 1];
      const node = isMap(parent)
        ? parent.items.find(({ key }) => isScalar(key) && String(key.value) === step)?.key
        : document.getIn(path.slice(0, length), true);
      if (isNode(node) && node.range) return ` (${at(node.range[0])})`;
    }
    return document.contents?.range ? ` (${at(document.contents.range[0])})` : '';
  };
}

function fixFor(code: string): string {
  switch (code) {
    case 'DUPLICATE_KEY':
      return 'keep one of the two keys';
    case 'MULTIPLE_DOCS':
      return 'keep one document: remove the second `---` and what follows';
    case 'TAG_RESOLVE_FAILED':
      return 'remove the tag';
    case 'TAB_AS_INDENT':
      return 'indent with spaces';
    default:
      return 'correct the YAML syntax there';
  }
}

/** The offset of the first node nested too deeply. */
function tooDeep(text: string): number | undefined {
  const todo: { token: CST.Token; depth: number }[] = [];
  const push = (token: CST.Token | null | undefined, depth: number): void => {
    if (token) todo.push({ token, depth });
  };
  for (const token of new Parser().parse(text)) {
    push(token, 0);
    for (let next = todo.pop(); next !== undefined; next = todo.pop()) {
      const { token: current, depth } = next;
      if (depth > MAX_DEPTH) return current.offset;
      if (current.type === 'document') push(current.value, depth);
      if (!('items' in current)) continue;
      for (const item of current.items) {
        push(item.key, depth + 1);
        push(item.value, depth + 1);
      }
    }
  }
  return undefined;
}
