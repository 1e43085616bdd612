/** The parts of a Prometheus query that the tests need. */

/** Names of the metrics; `sluice_ack_seconds_bucket` counts as its histogram `sluice_ack_seconds`. */
export function metricsIn(expr: string): string[] {
  const names = expr.match(/\b(?:sluice|nodejs|process)_\w+/g) ?? [];
  return [...new Set(names.map((name) => name.replace(/_bucket$|_seconds_count$/, histogramOf)))];
}
const histogramOf = (end: string) => (end === '_bucket' ? '' : '_seconds');

/** Labels in matchers and groupings. */
export function labelsIn(expr: string): string[] {
  const selectors = expr.match(/\{[^}]*\}/g)?.join() ?? '';
  const compared = [...selectors.matchAll(/(\w+)\s*(?:=~|!~|!=|=)/g)].map(
    ([, label = '']) => label,
  );
  const lists = [...expr.matchAll(/\bby \(([^)]*)\)/g)].map(([, list = '']) => list);
  return [...new Set([...compared, ...lists.flatMap((list) => list.split(/\s*,\s*/))])];
}

/** Labels that a text inserts: `{{call}}` of Grafana, `{{ $labels.group }}` of a rule. */
export const labelsOfText = (text: string): string[] =>
  [...text.matchAll(/\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}/g)].map(([, label = '']) => label);

const AGGREGATION = /\b(sum|max|min|avg|count)(?: by \([^)]*\))?\s*\(/g;

/** The innermost aggregation around each cluster metric in a query; undefined: none. */
export function aggregationsOfAlike(expr: string): (string | undefined)[] {
  const flat = expr.replace(AGGREGATION, '$1(');
  return [...flat.matchAll(/sluice_cluster_/g)].map(({ index }) => {
    let depth = 0;
    for (let at = index - 1; at >= 0; at -= 1) {
      if (flat[at] === ')') depth += 1;
      if (flat[at] !== '(' || depth-- > 0) continue;
      depth = 0;
      const [, word] = /\b(sum|max|min|avg|count)$/.exec(flat.slice(0, at)) ?? [];
      if (word) return word;
    }
    return undefined;
  });
}
