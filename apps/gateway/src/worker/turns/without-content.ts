import { inspect } from 'node:util';
import type { Content } from '@sluice/protocol';

const CUT = '[content]';
/** A shorter text is in many lines by chance, and says little. */
const CHARS_MIN = 4;
/** Most characters of a message, and of a stack: an exception may have a whole answer of another service. */
const CHARS_MAX = 4_000;
const CAUSES_MAX = 3;

/**
 * An agent's exception as the log may have it: the content of the message is cut out of its text and its stack (X6),
 * because code that throws often quotes its input.
 */
export function withoutContent(error: unknown, content: Content): Error {
  const said = textsOf(content).filter((text) => text.length >= CHARS_MIN);
  const cut = (text: string) =>
    said.reduce((rest, it) => rest.replaceAll(it, CUT), text).slice(0, CHARS_MAX);
  return copyOf(error, cut, CAUSES_MAX);
}

function copyOf(error: unknown, cut: (text: string) => string, causes: number): Error {
  if (!(error instanceof Error)) return new Error(cut(inspect(error)));
  const copy = new Error(cut(String(error.message)));
  copy.name = String(error.name);
  copy.stack = cut(String(error.stack));
  if ('code' in error && typeof error.code === 'string') {
    Object.assign(copy, { code: error.code });
  }
  // Limited: a chain of causes may lead back to itself.
  if (error.cause !== undefined && causes > 0) copy.cause = copyOf(error.cause, cut, causes - 1);
  return copy;
}

/** Every text in the content, as it is and as JSON has it; the longest first, or a part of it could be cut first. */
function textsOf(content: Content): string[] {
  const texts: string[] = [];
  const collect = (value: unknown): void => {
    if (typeof value === 'string') texts.push(value, JSON.stringify(value).slice(1, -1));
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(collect);
  };
  collect(content);
  if (typeof content !== 'string') texts.push(JSON.stringify(content));
  return [...new Set(texts)].sort((a, b) => b.length - a.length);
}
