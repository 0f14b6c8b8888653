// biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences of our own colours have no width
const ESCAPES = /\x1b\[\d+m/g;

function width(text: string): number {
  return [...text.replace(ESCAPES, '')].length;
}

export interface Column {
  title: string;
  /** Numbers read best right-aligned. Default left. */
  right?: boolean;
}

/** Aligned columns, two spaces apart, no trailing space. Columns that are empty in every row are left out. */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  indent = '',
): string[] {
  const used = columns.map((_, index) => rows.some((row) => (row[index] ?? '') !== ''));
  const widths = columns.map(({ title }, index) =>
    Math.max(width(title), ...rows.map((row) => width(row[index] ?? ''))),
  );
  const line = (cells: readonly string[]): string =>
    (
      indent +
      columns
        .flatMap(({ right }, index) => {
          if (used[index] !== true) return [];
          const cell = cells[index] ?? '';
          const pad = ' '.repeat(Math.max(0, (widths[index] ?? 0) - width(cell)));
          return [right === true ? pad + cell : cell + pad];
        })
        .join('  ')
    ).trimEnd();
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}
