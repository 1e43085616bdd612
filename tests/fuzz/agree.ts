import { isDeepStrictEqual } from 'node:util';
import type { Answer } from './model-state.js';

export const agree = (what: string, foretold: Answer, answered: Answer) =>
  agreeOn(what, answered, foretold);

export function agreeOn(what: string, found: object, foretold: object): void {
  if (isDeepStrictEqual({ ...found }, { ...foretold })) return;
  const show = (value: object) => JSON.stringify(value);
  throw new Error(`${what}: foretold ${show(foretold)}, found ${show(found)}`);
}
