/**
 * `npm run rooms`: writes docs/internals/rooms.md, with pictures of which rooms import which. `--check` writes nothing
 * and exits with 1 when the document is out of date. `--json` prints the rooms with their number of files, and every
 * circle of files or rooms, including type-only imports. A room is a folder below `src`. The files of `src` itself are
 * the room `.`, which puts the others together.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import { inRoot } from './lib/paths.mjs';

const document = inRoot('docs', 'internals', 'rooms.md');

/** The folders that have a `src`. */
const workspaces = ['packages', 'apps'].flatMap((folder) =>
  readdirSync(inRoot(folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `${folder}/${name}`),
);

function sourcesOf(workspace) {
  const src = inRoot(workspace, 'src');
  return readdirSync(src, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.replaceAll('\\', '/'))
    .sort();
}

/** Files of the same workspace that this one imports, including `import type` and re-exports. */
function importsOf(workspace, file) {
  const text = readFileSync(inRoot(workspace, 'src', file), 'utf8');
  const targets = text.matchAll(/(?:from|import\(|^import)\s*['"](\.[^'"]+)['"]/gm);
  return [...targets].map(([, to]) => normalize(join(dirname(file), to.replace(/\.js$/, '.ts'))));
}

/** Groups of nodes that reach one another; `edges` maps a node to the nodes that it imports. */
function circlesOf(edges) {
  const reach = (from) => {
    const seen = new Set();
    const open = [...(edges.get(from) ?? [])];
    while (open.length > 0) {
      const next = open.pop();
      if (seen.has(next)) continue;
      seen.add(next);
      open.push(...(edges.get(next) ?? []));
    }
    return seen;
  };
  const reached = new Map([...edges.keys()].map((node) => [node, reach(node)]));
  const inCircle = [...reached].filter(([node, seen]) => seen.has(node)).map(([node]) => node);
  const groups = inCircle.map((node) =>
    inCircle.filter((other) => reached.get(node).has(other) && reached.get(other).has(node)).sort(),
  );
  return [...new Map(groups.map((group) => [group.join(' '), group])).values()];
}

const roomOf = (file) => (dirname(file) === '.' ? '.' : dirname(file));

export function readRooms(workspace) {
  const files = sourcesOf(workspace);
  const fileEdges = new Map(files.map((file) => [file, importsOf(workspace, file)]));
  const rooms = new Map();
  const roomEdges = new Map();
  for (const [file, targets] of fileEdges) {
    const room = roomOf(file);
    rooms.set(room, (rooms.get(room) ?? 0) + 1);
    const others = roomEdges.get(room) ?? new Set();
    for (const target of targets) if (roomOf(target) !== room) others.add(roomOf(target));
    roomEdges.set(room, others);
  }
  const circles = [...circlesOf(fileEdges), ...circlesOf(roomEdges)];
  return { workspace, rooms, roomEdges, circles };
}

const idOf = (room) => (room === '.' ? 'root' : room.replaceAll(/[^a-z]/g, '_'));
/** Leaves out an arrow to a room that is also reached through another one: pictures stay readable. */
function arrowsOf(roomEdges) {
  const reaches = (from, to, seen = new Set()) =>
    [...(roomEdges.get(from) ?? [])].some((next) => {
      if (seen.has(next)) return false;
      seen.add(next);
      return next === to || reaches(next, to, seen);
    });
  return [...roomEdges].flatMap(([from, targets]) =>
    [...targets]
      .filter((to) => ![...targets].some((other) => other !== to && reaches(other, to)))
      .map((to) => [from, to]),
  );
}

function pictureOf({ workspace, rooms, roomEdges }) {
  const name = workspace.split('/')[1];
  const boxes = [...rooms].map(
    ([room, files]) => `  ${idOf(room)}["${room === '.' ? name : room} (${files})"]`,
  );
  const arrows = arrowsOf(roomEdges).map(([from, to]) => `  ${idOf(from)} --> ${idOf(to)}`);
  return ['```mermaid', 'graph TD', ...boxes, ...arrows.sort(), '```'].join('\n');
}

function documentOf(all) {
  const parts = all
    .filter(({ rooms }) => rooms.size > 1)
    .map((one) => `## ${one.workspace}\n\n${pictureOf(one)}`);
  return `${[
    '# Rooms',
    'Each box is a folder below `src`, with the number of its files. An arrow says that files of one import files of the other, types\nincluded; an arrow that follows from two others is left out. There is no circle: `tests/tidy-rooms.test.ts`.',
    'Written by `npm run rooms`.',
    ...parts,
  ].join('\n\n')}\n`;
}

if (process.argv[1] === inRoot('scripts/rooms.mjs')) {
  const all = workspaces.map(readRooms);
  const text = documentOf(all);
  if (process.argv.includes('--json')) {
    const rooms = all.flatMap(({ workspace, rooms: inIt }) =>
      [...inIt].map(([room, files]) => ({ room: join(workspace, 'src', room), files })),
    );
    const circles = all.flatMap(({ workspace, circles: inIt }) =>
      inIt.map((circle) => `${workspace}: ${circle.join(', ')}`),
    );
    console.log(JSON.stringify({ rooms, circles }));
  } else if (!process.argv.includes('--check')) writeFileSync(document, text);
  else if (readFileSync(document, 'utf8') !== text) {
    console.error(`${relative(inRoot('.'), document)} is out of date: npm run rooms`);
    process.exitCode = 1;
  }
}
