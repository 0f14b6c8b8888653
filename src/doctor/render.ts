import { list } from './check.js';
import type { DoctorReport, Status } from './findings.js';

const WIDTH = 110;
const INDENT = 9;

/**
 * The report as text for a terminal or a log: a row per check, and under each that is not well what it costs and what to do. Without
 * colours or control characters (a device may be named with an escape sequence).
 */
export function renderReport(report: DoctorReport): string {
  const { version, kernel, arch, node, libbpf, cpus, checks } = report;
  const head = [
    `vfailover ${version}`,
    `Linux ${kernel} (${arch})`,
    `Node ${node}`,
    ...(libbpf === null ? [] : [`libbpf ${libbpf}`]),
    `${cpus} CPU${cpus === 1 ? '' : 's'}`,
  ].join(', ');
  const widths = {
    name: Math.max(...checks.map((c) => c.name.length), 5),
    needed: Math.max(...checks.map((c) => c.needed.length), 6),
  };
  const row = (status: string, name: string, needed: string, found: string): string =>
    `${status.padEnd(INDENT)}${name.padEnd(widths.name)}  ${needed.padEnd(widths.needed)}  ${found}`.trimEnd();
  const lines = [head, '', row('STATUS', 'CHECK', 'NEEDED', 'FOUND')];
  for (const { status, name, needed, found, cost, fix } of checks) {
    lines.push(row(status, name, needed, found));
    if (cost !== null) lines.push(...wrap('cost: ', cost));
    if (fix !== null) lines.push(...wrap(status === 'ok' ? 'hint: ' : 'fix:  ', fix));
  }
  for (const { path, effect, state, reason } of report.drop_ins) {
    if (state === 'written' || state === 'updated')
      lines.push('', `${state} ${path}; takes effect with: ${effect}`);
    if (state === 'failed') lines.push('', `could not write ${path}: ${reason}`);
  }
  lines.push('', verdict(report));
  return `${lines.map(printable).join('\n')}\n`;
}

function verdict({ can_run, checks }: DoctorReport): string {
  const of = (status: Status): string[] => checks.filter((c) => c.status === status).map((c) => c.name);
  const rest = [
    ...(of('warn').length > 0 ? [`warnings: ${list(of('warn'))}`] : []),
    ...(of('unknown').length > 0 ? [`not known: ${list(of('unknown'))}`] : []),
  ];
  const first = can_run ? 'vfailover can run here' : `vfailover cannot run here: ${list(of('fail'))}`;
  return `${[first, ...rest].join('; ')}.`;
}

/** Words behind a label, in lines of at most 110 characters where the words allow it. */
function wrap(label: string, text: string): string[] {
  const room = WIDTH - INDENT - label.length;
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(/\s+/)) {
    if (line !== '' && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines.map((l, i) => `${' '.repeat(INDENT)}${i === 0 ? label : ' '.repeat(label.length)}${l}`);
}

function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x1f\x7f-\x9f]/g, '?');
}
