/**
 * `node scripts/flame.mjs PROFILE.cpuprofile [TITLE] > FILE.svg`: draws a profile of scripts/profile.mjs as a
 * flame graph. Width is time on the processor; waiting is left out. A frame that took less than 0.2 % is not
 * drawn, nor are the frames that it called.
 */
import { readFileSync } from 'node:fs';

const WIDTH = 1_200;
const ROW = 16;
const LEAST_SHARE = 0.002;
const CHAR_WIDTH = 6.3;

/** By the origin of the code: ours, a library, Node, or no JavaScript at all. */
const colours = { ours: '#f2a65a', library: '#8fb8de', node: '#b8d8ba', native: '#d9d9d9' };

const waiting = new Set(['(idle)', '(program)', '(root)']);

function whose(url) {
  if (url === '') return 'native';
  if (url.startsWith('node:')) return 'node';
  return url.includes('/node_modules/') && !url.includes('/@sluice/') ? 'library' : 'ours';
}

/** `file.js` for our own code, `name/.../file.js` for a library. */
function placeOf(url) {
  const library = /.*\/node_modules\/(?!@sluice\/)((?:@[^/]+\/)?[^/]+)\//.exec(url)?.[1];
  const file = url.replace(/^.*\//, '');
  return library ? `${library}/${file}` : file;
}

/** One tree of frames with the same function under the same callers; times in microseconds. */
function treeOf({ nodes, samples, timeDeltas }) {
  const selfUs = new Map();
  for (const [at, id] of samples.entries()) {
    selfUs.set(id, (selfUs.get(id) ?? 0) + (timeDeltas[at] ?? 0));
  }
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const merge = (frame, { children = [] }) => {
    for (const id of children) {
      const node = byId.get(id);
      const { functionName, url } = node.callFrame;
      if (waiting.has(functionName) || url.endsWith('/scripts/profile.mjs')) continue;
      const name = functionName || '(anonymous)';
      const key = `${name} ${url}`;
      if (!frame.children.has(key)) {
        frame.children.set(key, { name, url, us: 0, children: new Map() });
      }
      merge(frame.children.get(key), node);
      frame.children.get(key).us += selfUs.get(id) ?? 0;
    }
  };
  const root = { name: 'all', url: '', us: 0, children: new Map() };
  merge(root, nodes[0]);
  const total = (frame) => {
    for (const child of frame.children.values()) frame.us += total(child);
    return frame.us;
  };
  total(root);
  return root;
}

const escaped = (text) => text.replace(/[&<>]/g, (it) => `&#${it.codePointAt(0)};`);

function draw(root, title) {
  const boxes = [];
  let depth = 0;
  const place = (frame, x, level) => {
    depth = Math.max(depth, level);
    const width = (frame.us / root.us) * WIDTH;
    boxes.push({ frame, x, level, width });
    let at = x;
    const children = [...frame.children.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    for (const child of children) {
      if (child.us >= root.us * LEAST_SHARE) place(child, at, level + 1);
      at += (child.us / root.us) * WIDTH;
    }
  };
  place(root, 0, 0);
  const height = (depth + 3) * ROW;
  const shapes = boxes.map(({ frame, x, level, width }) => {
    const y = height - (level + 1) * ROW;
    const share = ((frame.us / root.us) * 100).toFixed(1);
    const label = frame.url ? `${frame.name} ${placeOf(frame.url)}` : frame.name;
    const room = Math.floor((width - 4) / CHAR_WIDTH);
    const text = room < 3 ? '' : label.length > room ? `${label.slice(0, room - 1)}…` : label;
    return (
      `<g><title>${escaped(label)}: ${share} %</title>` +
      `<rect x="${x.toFixed(1)}" y="${y}" width="${width.toFixed(1)}" height="${ROW - 1}" fill="${colours[whose(frame.url)]}"/>` +
      `${text && `<text x="${(x + 2).toFixed(1)}" y="${y + 11}">${escaped(text)}</text>`}</g>`
    );
  });
  const legend = Object.entries(colours).map(
    ([name, colour], at) =>
      `<rect x="${WIDTH - 340 + at * 85}" y="4" width="10" height="10" fill="${colour}"/>` +
      `<text x="${WIDTH - 326 + at * 85}" y="13">${name}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" font-family="monospace" font-size="10">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/><text x="4" y="13" font-size="12">${escaped(title)}</text>`,
    ...legend,
    ...shapes,
    '</svg>',
  ].join('\n');
}

const [file, title = ''] = process.argv.slice(2);
if (file === undefined) {
  process.stderr.write('usage: node scripts/flame.mjs PROFILE.cpuprofile [TITLE] > FILE.svg\n');
  process.exitCode = 2;
} else {
  process.stdout.write(`${draw(treeOf(JSON.parse(readFileSync(file, 'utf8'))), title)}\n`);
}
