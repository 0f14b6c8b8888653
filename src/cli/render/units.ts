/** ns as µs with one decimal below 100 µs, without above: `41.3 µs`, `1250 µs`. */
export function microseconds(ns: number): string {
  const us = ns / 1000;
  return `${Math.abs(us) < 100 ? us.toFixed(1) : us.toFixed(0)} µs`;
}

/** A span from one CLOCK_MONOTONIC time to another, as µs; `-` where either is missing. */
export function span(from: number | null, to: number | null): string {
  return from === null || to === null ? '-' : microseconds(to - from);
}

/** ms in the two largest units: `3 d 4 h`, `2 min 5 s`, `340 ms`. */
export function duration(ms: number): string {
  const whole = Math.max(0, Math.round(ms));
  if (whole < 1000) return `${whole} ms`;
  const units: [number, string][] = [
    [86_400_000, 'd'],
    [3_600_000, 'h'],
    [60_000, 'min'],
    [1000, 's'],
  ];
  const index = units.findIndex(([size]) => whole >= size);
  const parts: string[] = [];
  let rest = whole;
  for (const [size, name] of units.slice(index, index + 2)) {
    const count = Math.floor(rest / size);
    rest -= count * size;
    if (count > 0) parts.push(`${count} ${name}`);
  }
  return parts.join(' ');
}

/** Digits in groups of three: 12,345,678. */
export function count(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** Bytes with a binary prefix: `1.4 GiB`. */
export function bytes(value: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let size = value;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit++;
  }
  return unit === 0 ? `${value} B` : `${size.toFixed(size < 10 ? 2 : 1)} ${units[unit]}`;
}

/** Mb/s as ethtool's users say it: `25 Gb/s`. */
export function speed(mbps: number | undefined): string {
  if (mbps === undefined || mbps <= 0) return '';
  return mbps >= 1000 ? `${mbps / 1000} Gb/s` : `${mbps} Mb/s`;
}

/** `500ms`, `30s`, `5min`, `2h`, or a bare number of ms; undefined when it is none of them. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d+)?)\s*(ms|s|min|h)?$/.exec(text);
  if (match === null) return undefined;
  const size = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 }[match[2] ?? 'ms'] ?? 1;
  return Math.round(Number(match[1]) * size);
}
