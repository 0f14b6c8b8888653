import { z } from 'zod';
import { configSchema } from './schema.js';

/** The part of JSON Schema that we read back: to name the keys that exist at a path, and their defaults. */
export interface SchemaNode {
  properties?: Record<string, SchemaNode>;
  items?: SchemaNode;
  anyOf?: SchemaNode[];
  required?: string[];
  default?: unknown;
  description?: string;
}

const published = new WeakMap<z.ZodType, SchemaNode>();

/** JSON Schema (draft 2020-12) of what a schema accepts, before defaults are filled in. */
export function inputSchema(schema: z.ZodType): SchemaNode {
  let json = published.get(schema);
  if (json === undefined) {
    json = z.toJSONSchema(schema, { io: 'input' }) as SchemaNode;
    published.set(schema, json);
  }
  return json;
}

/** A node, or that one of its alternatives, which has keys. */
export const mappingOf = (node: SchemaNode | undefined): SchemaNode | undefined =>
  node?.properties === undefined ? node?.anyOf?.find((n) => n.properties !== undefined) : node;

/** The node of a schema at a path of keys and list positions; undefined where the path leads nowhere. */
export function nodeAt(root: SchemaNode, path: readonly PropertyKey[]): SchemaNode | undefined {
  let node: SchemaNode | undefined = root;
  for (const step of path) {
    if (typeof step === 'number') node = node?.items;
    else {
      const { properties = {} }: SchemaNode = mappingOf(node) ?? {};
      if (!Object.hasOwn(properties, step)) return undefined;
      node = properties[String(step)];
    }
  }
  return node;
}

/** The text of docs/config.schema.json. Lists of scalars stay on one line, as the repository's formatter wants them. */
export function configJsonSchema(): string {
  const text = JSON.stringify(inputSchema(configSchema), null, 2);
  const compact = text.replace(/\[\n\s+[^[\]{}]*?\n\s+\]/g, (list, offset: number) => {
    const line = list.replace(/\s*\n\s*/g, ' ').replace(/^\[ | \]$/g, (edge) => edge.trim());
    const column = offset - text.lastIndexOf('\n', offset);
    return column + line.length > 110 ? list : line;
  });
  return `${compact}\n`;
}
