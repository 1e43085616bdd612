import type { z } from 'zod';

/**
 * The only place where a schema is applied to outside input. Faults for which the schema has no text of its own
 * get one here, in the terms of JSON and not of the library.
 */
export function checked<T extends z.ZodType>(
  schema: T,
  value: unknown,
): z.ZodSafeParseResult<z.output<T>> {
  return schema.safeParse(value, { error: sentenceOf });
}

/** The first fault, and the field that has it. */
export function firstIssue(error: z.ZodError): { field: string; message: string } {
  const issue = error.issues[0];
  const field = issue?.path.join('.') ?? '';
  const text = issue?.message ?? 'is not valid';
  return { field, message: field ? `${field} ${text}` : text };
}

const nouns: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'an object',
  record: 'an object',
  array: 'a list',
  null: 'null',
};

/** The words after the name of a field: `must be a whole number`. */
function sentenceOf(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case 'invalid_type': {
      const noun = nouns[issue.expected] ?? issue.expected;
      return issue.input === undefined ? `is missing; give ${noun}` : `must be ${noun}`;
    }
    case 'invalid_value': {
      const values = issue.values.map((value) => String(value)).join(', ');
      return issue.values.length > 1 ? `must be one of ${values}` : `must be ${values}`;
    }
    case 'too_small':
      return `must ${bound(issue.origin, issue.inclusive ? 'at least' : 'more than', issue.minimum)}`;
    case 'too_big':
      return `must ${bound(issue.origin, issue.inclusive ? 'at most' : 'less than', issue.maximum)}`;
    case 'unrecognized_keys':
      return `must not have ${issue.keys.join(', ')}, which is not known here`;
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    case 'invalid_format':
      return 'has characters or a form that are not allowed here';
    default:
      return 'is not valid';
  }
}

function bound(origin: string, words: string, limit: number | bigint): string {
  if (origin === 'string') return `have ${words} ${limit} characters`;
  if (origin === 'array' || origin === 'set') return `have ${words} ${limit} items`;
  return `be ${words} ${limit}`;
}
