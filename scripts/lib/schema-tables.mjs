/** Makes the tables of docs/reference/protocol.md: the fields of a JSON Schema as rows of Markdown. */

const patterns = {
  '^(?!\\.{1,2}$)[A-Za-z0-9._:@-]{1,128}$': '[session id](#ids)',
  '^[A-Za-z0-9._:-]{1,128}$': '[message id](#ids)',
  '^\\d{1,32}$': 'its digits as a string',
  '^\\d{0,32}$': 'digits',
};
/** Longer lists of values are not in the table: the text around it has them. */
const VALUES_MAX = 8;
const NOT_EMPTY = 'non-empty string';

const code = (value) => `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
const unique = (values) => [...new Set(values)];
const isNull = ({ type }) => type === 'null';
const isList = ({ type }) => type === 'array';

/** `document`: where `$ref`s are looked up. `tellsNull`: types in the table include null. */
export function makeTables(document, { tellsNull }) {
  function resolve(schema) {
    if (schema.$ref === undefined) return schema;
    const parts = schema.$ref.slice(2).split('/');
    return parts.reduce((node, part) => node[part], document);
  }

  const unionOf = (schema) => resolve(schema).anyOf ?? resolve(schema).oneOf;
  const branchesOf = (schema) => unionOf(schema) ?? [schema];
  const leavesOf = (schema) => unionOf(schema)?.flatMap(leavesOf) ?? [resolve(schema)];

  function typeOf(given) {
    const schema = resolve(given);
    if (schema.const !== undefined) return code(schema.const);
    if (schema.enum) {
      return schema.enum.length > VALUES_MAX ? 'string' : schema.enum.map(code).join(', ');
    }
    if (unionOf(schema)) {
      const kinds = leavesOf(schema).filter((it) => tellsNull || !isNull(it));
      const names = unique(kinds.map(typeOf));
      const isAny = (name) => names.includes('string') && name === NOT_EMPTY;
      return names.filter((name) => !isAny(name)).join(' or ');
    }
    return plainType(schema);
  }

  function plainType(schema) {
    if (Array.isArray(schema.type)) {
      return schema.type.map((type) => plainType({ ...schema, type })).join(' or ');
    }
    switch (schema.type) {
      case 'string':
        return patterns[schema.pattern] ?? stringOf(schema);
      case 'integer':
        return `integer${rangeOf(schema)}`;
      case 'number':
        return schema.description === 'Seconds since 1970' ? 'seconds since 1970' : 'number';
      case 'array':
        return listOf(schema);
      case undefined:
        return 'any JSON';
      default:
        return schema.type;
    }
  }

  function listOf({ items, maxItems }) {
    if (items.not) return 'empty list';
    return `list of ${typeOf(items)}${maxItems === undefined ? '' : `, at most ${maxItems}`}`;
  }

  /** Fields of a schema; for a union of objects, the fields of all of them. */
  function fieldsOf(schema) {
    const branches = branchesOf(schema).map(resolve);
    const names = unique(branches.flatMap(({ properties = {} }) => Object.keys(properties)));
    return names.map((name) => {
      const having = branches.filter(({ properties = {} }) => properties[name]);
      const needing = having.filter(({ required = [] }) => required.includes(name));
      const kinds = having.map(({ properties }) => properties[name]);
      return {
        name,
        schema: kinds.find((it) => !isNull(resolve(it))) ?? kinds[0],
        required: needing.length === branches.length ? 'yes' : needing.length > 0 ? 'or' : 'no',
      };
    });
  }

  function nestedOf(schema) {
    const branches = branchesOf(schema)
      .map(resolve)
      .filter((it) => !isNull(it));
    if (branches.length !== 1) return undefined;
    const [only] = branches;
    if (only.properties) return { mark: '.', inner: only };
    if (isList(only) && resolve(only.items).properties) return { mark: '[].', inner: only.items };
    return undefined;
  }

  /** `[name, type, required]` of every field, those of nested objects too; the frame's own `type` is left out. */
  function rowsOf(schema, prefix = '') {
    return fieldsOf(schema).flatMap(({ name, schema: field, required }) => {
      if (prefix === '' && name === 'type' && resolve(field).const !== undefined) return [];
      const row = [`${prefix}${name}`, typeOf(field), required];
      const nested = nestedOf(field);
      return [row, ...(nested ? rowsOf(nested.inner, `${prefix}${name}${nested.mark}`) : [])];
    });
  }

  return { rowsOf, typeOf, resolve };
}

function stringOf({ minLength = 0, maxLength }) {
  if (maxLength === undefined) return minLength > 0 ? NOT_EMPTY : 'string';
  return minLength > 0
    ? `string, ${minLength} to ${maxLength} characters`
    : `string, at most ${maxLength} characters`;
}

/** The bounds of a number; those of JavaScript's exact integers are left out. */
function rangeOf({ minimum = -Infinity, exclusiveMinimum = -Infinity, maximum = Infinity }) {
  const least = Math.max(minimum, exclusiveMinimum + 1);
  if (maximum < Number.MAX_SAFE_INTEGER) return ` ${least} to ${maximum}`;
  return least > Number.MIN_SAFE_INTEGER ? ` >= ${least}` : '';
}

/** A table. Its last column comes from `before`, where the first `named` cells of a row identify the row. */
export function table(head, rows, before, named = 1) {
  const nameOf = (cells) => cells.slice(0, named).join(' ');
  const meanings = new Map(cellsOf(before).map((cells) => [nameOf(cells), cells.at(-1)]));
  const lines = rows.map(([name, ...cells]) => {
    const known = [code(name), ...cells];
    return [...known, meanings.get(nameOf(known)) ?? ''];
  });
  return [head, head.map(() => '---'), ...lines]
    .map((cells) => `| ${cells.join(' | ')} |`.replaceAll('|  |', '| |'))
    .join('\n');
}

const cellsOf = (text) =>
  text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) => line.slice(1, -1).split('|'))
    .map((cells) => cells.map((cell) => cell.trim()));
