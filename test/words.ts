import { chained, documents, LONGEST, mean, measure, read, sum, type Words } from './helpers/words.js';

/** Prints how the sentences of each document read. With paths of files it prints those, and every sentence that is too long. */

const row = (name: string, w: Words): string =>
  [
    name.padEnd(50),
    String(w.sentences).padStart(9),
    mean(w).toFixed(1).padStart(11),
    (100 * chained(w)).toFixed(0).padStart(11),
    String(w.long.length).padStart(16),
  ].join('');

const asked = process.argv.slice(2);
const all = (asked.length > 0 ? asked : documents()).map((path) => ({ path, words: measure(read(path)) }));
console.log(
  `${'document'.padEnd(50)}sentences words each % with ;: over ${LONGEST} words`.replace(
    / (?=words|%|over)/g,
    '  ',
  ),
);
for (const { path, words } of all) console.log(row(path, words));
const total = sum(all.map((a) => a.words));
console.log(row('all', total));
if (asked.length > 0) for (const sentence of total.long) console.log(`- ${sentence}`);
