/**
 * `node scripts/long-sentences.mjs [docs|comments]`: prints every sentence that is too long, with file, line and
 * number of words, and exits with 1 if there is one. The limit is 35 words in documents for users and 45 in
 * comments. A cell of a table, an item of a list and a heading count as sentences; code does not.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { inRoot } from './lib/paths.mjs';

const documents = /^(README\.md|docs\/(guide|operate)\/.*\.md)$/;
const sources = /\.(ts|mjs|lua)$/;
const kinds = {
  docs: { files: documents, max: 35, blocksOf: blocksOfDocument },
  comments: { files: sources, max: 45, blocksOf: blocksOfComments },
};

/** A block is text that belongs together: its lines joined, and the line on which it begins. */
function* blocksOfDocument(text) {
  let block;
  let isCode = false;
  const lines = text.split('\n');
  for (const [index, line] of lines.entries()) {
    if (/^\s*(```|~~~)/.test(line)) isCode = !isCode;
    const isApart = isCode || /^(\s*$|#| {4}|\s*(```|~~~)|<)/.test(line);
    const begins = isApart || /^\s*(\||>|[-*] |\d+\. )/.test(line);
    if (begins && block) {
      yield block;
      block = undefined;
    }
    if (isCode || /^(\s*$|\s*(```|~~~)| {4}(?![-*\d]))/.test(line)) continue;
    if (/^\s*\|/.test(line)) {
      for (const cell of line.split('|')) yield { line: index + 1, text: cell };
    } else if (block) block.text += ` ${line.trim()}`;
    else block = { line: index + 1, text: line.trim() };
  }
  if (block) yield block;
}

function* blocksOfComments(text) {
  let block;
  for (const [index, line] of text.split('\n').entries()) {
    const said = /^\s*(?:\/\/|\/\*\*?|\*\/?|--)\s?(.*)$/.exec(line)?.[1]?.replace(/\*\/\s*$/, '');
    const isComment = said !== undefined && !/^(@|=|[A-Z]+:)/.test(said.trim());
    if (block && (!isComment || said.trim() === '' || /^\s*[-*] /.test(said))) {
      yield block;
      block = undefined;
    }
    if (!isComment || said.trim() === '') continue;
    if (block) block.text += ` ${said.trim()}`;
    else block = { line: index + 1, text: said.trim() };
  }
  if (block) yield block;
}

/** Code counts as one word; targets of links and HTML tags do not count. */
const plain = (text) =>
  text
    .replace(/`[^`]*`/g, 'code')
    .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/<[^>]*>/g, ' ');

const sentencesOf = (text) => plain(text).split(/(?<=[.!?]["')]?)\s+(?=\S)/);
const wordsOf = (sentence) => sentence.split(/\s+/).filter((word) => /[a-z0-9]/i.test(word)).length;

/** Every sentence of `kind` ('docs' or 'comments') with too many words. */
export function longSentences(kind) {
  const { files, max, blocksOf } = kinds[kind];
  const listed = execFileSync('git', ['ls-files'], { cwd: inRoot('.'), encoding: 'utf8' });
  const among = listed.split('\n').filter((file) => files.test(file));
  return among.flatMap((file) =>
    [...blocksOf(readFileSync(inRoot(file), 'utf8'))].flatMap(({ line, text }) =>
      sentencesOf(text)
        .map((sentence) => ({ file, line, words: wordsOf(sentence), sentence: sentence.trim() }))
        .filter(({ words }) => words > max),
    ),
  );
}

if (process.argv[1] === inRoot('scripts/long-sentences.mjs')) {
  const asked = process.argv[2] ? [process.argv[2]] : Object.keys(kinds);
  for (const kind of asked) {
    const long = longSentences(kind);
    for (const { file, line, words, sentence } of long) {
      console.log(`${file}:${line}: ${words} words: ${sentence}`);
    }
    console.log(`${kind}: ${long.length} sentences with more than ${kinds[kind].max} words`);
    if (long.length > 0) process.exitCode = 1;
  }
}
