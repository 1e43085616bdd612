/** What holds for the documents as a whole: links that lead somewhere, sentences that are read once. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from '@jest/globals';

const args = ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'];
const documents = execFileSync('git', args, { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(file));

/** Of GitHub: the heading in lower case, without punctuation, with hyphens for spaces. */
const anchorOf = (heading: string) =>
  heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .trim()
    .replaceAll(' ', '-');

const withoutCode = (text: string) => text.replace(/^```[\s\S]*?^```/gm, '');

function anchorsOf(file: string): Set<string> {
  const headings = withoutCode(readFileSync(file, 'utf8')).matchAll(/^#+ (.+)$/gm);
  return new Set([...headings].map(([, heading = '']) => anchorOf(heading)));
}

describe('documents', () => {
  it('link to files and headings that exist', () => {
    const dead = documents.flatMap((file) =>
      [...withoutCode(readFileSync(file, 'utf8')).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(
        ([, target = '']) => {
          if (/^[a-z]+:/.test(target)) return [];
          const [path = '', anchor] = target.split('#');
          const full = path === '' ? file : normalize(join(dirname(file), path));
          if (!existsSync(full)) return [`${file}: ${target}`];
          const isThere = !anchor || !full.endsWith('.md') || anchorsOf(full).has(anchor);
          return isThere ? [] : [`${file}: ${target}`];
        },
      ),
    );
    expect(dead).toEqual([]);
  });

  it('and comments have no sentence that is too long to be read once', () => {
    const { stdout } = spawnSync(process.execPath, ['scripts/long-sentences.mjs'], {
      encoding: 'utf8',
    });
    expect(stdout.split('\n').filter((line) => / words: /.test(line))).toEqual([]);
  });

  it('of the architecture list the functions that a frame passes, each called by the one before', () => {
    const text = readFileSync('ARCHITECTURE.md', 'utf8');
    const pathOf = (title: string) =>
      [
        ...(text.split(`### ${title}\n`)[1]?.split('\n#')[0] ?? '').matchAll(
          /^\| \d+ \| `([^`]+)` \| `([^`]+)` \|/gm,
        ),
      ].map(([, file = '', name = '']) => ({ file, name }));
    const paths = [
      { path: pathOf('From a socket to Redis'), most: 8 },
      { path: pathOf('From Redis to a socket'), most: 6 },
    ];
    const broken = paths.flatMap(({ path, most }) => {
      if (path.length < 2 || path.length > most) return [`${path.length} functions`];
      return path.flatMap(({ file, name }, index) => {
        const source = readFileSync(file, 'utf8');
        const isMade = new RegExp(`\\b${name}(\\(|<|: | = )`).test(source);
        const next = path[index + 1]?.name;
        const isCalled = next === undefined || new RegExp(`\\b${next}(\\?\\.)?\\(`).test(source);
        return isMade && isCalled ? [] : [`${file}: ${name} -> ${next}`];
      });
    });
    expect(broken).toEqual([]);
  });
});
