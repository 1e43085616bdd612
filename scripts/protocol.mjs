/**
 * `npm run protocol`: writes tables from the schemas into docs/reference/protocol.md, between a mark like
 * `<!-- fields server.error -->` and `<!-- end -->`. The last column of a table is written by hand and is kept.
 * `--check` writes nothing, and exits with 1 when the document is out of date.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import {
  closes,
  errorCodes,
  helloErrorCodes,
  httpStatus,
  isRetryable,
  REFUSED_CODE,
} from '../packages/protocol/dist/index.js';
import { framesJsonSchema } from '../packages/protocol/dist/json-schema.js';
import { openApiDocument } from './lib/openapi.mjs';
import { inRoot } from './lib/paths.mjs';
import { makeTables, table } from './lib/schema-tables.mjs';

const file = inRoot('docs', 'reference', 'protocol.md');
const frames = JSON.parse(JSON.stringify(framesJsonSchema()));
const openapi = openApiDocument();
const ofFrames = makeTables(frames, { tellsNull: true });
const ofClients = makeTables(frames, { tellsNull: false });
const ofHttp = makeTables(openapi, { tellsNull: true });

/** Errors that any path can have: the document has them once for all paths. */
const common = /^(origin_not_allowed|internal|auth_required|auth_unauthorized|insufficient_scope)$/;
const ofInput = /^(rate_limited|invalid_frame|payload_too_large)$/;

const isAlias = { yes: 'yes', no: 'no', or: 'one of the two' };
const rowsOf = (tables, schema) =>
  tables.rowsOf(schema).map(([name, type, required]) => [name, type, isAlias[required]]);

/** `server.response final` names the schema of `response` whose `status` is `final`. */
function frameSchema(name, status) {
  const schema = frames.$defs[name];
  if (!schema) throw new Error(`no frame ${name}`);
  if (status === undefined) return schema;
  return schema.oneOf.find(({ properties }) => properties.status.const === status);
}

function operationOf(method, path) {
  const operation = openapi.paths[path]?.[method?.toLowerCase()];
  if (!operation) throw new Error(`no route ${method} ${path}`);
  return operation;
}

function route([method, path], before) {
  const { security, parameters = [], requestBody, responses } = operationOf(method, path);
  const scopes = security.map(({ bearer }) => `\`${bearer[0]}\``).join(' or ');
  const queries = parameters.filter(({ in: place }) => place === 'query');
  const named = queries.some(({ name }) => name === 'principal');
  const good = Object.keys(responses).filter((status) => status < '300');
  const codes = Object.values(responses)
    .flatMap(({ description }) => [...description.matchAll(/`([a-z_]+)`/g)].map(([, it]) => it))
    .filter((it) => errorCodes.includes(it) && !common.test(it) && !ofInput.test(it));
  const line = [
    scopes ? `Scope ${scopes}` : 'No credentials',
    ...(named ? ['takes `?principal=`'] : []),
    `answers ${good.join(' or ')}`,
    ...(codes.length > 0 ? [`own errors ${codes.map((it) => `\`${it}\``).join(', ')}`] : []),
  ];
  const rows = queries
    .filter(({ name }) => name !== 'principal')
    .map(({ name, schema }) => [`?${name}=`, typeText(schema), 'no']);
  const body = requestBody?.content['application/json'].schema;
  const isFrame = path.endsWith('/messages');
  if (body && !isFrame) rows.push(...rowsOf(makeTables(openapi, { tellsNull: false }), body));
  const taken = rows.length > 0 ? `\n\n${table(head('parameter or field'), rows, before)}` : '';
  return `${line.join('; ')}.${taken}`;
}

/** The type of a query parameter, with its default. */
function typeText(schema) {
  const initial =
    schema.default === undefined || schema.default === '' ? '' : `, default ${schema.default}`;
  return `${ofHttp.typeOf(schema)}${initial}`;
}

function answer([method, path, status], before) {
  const { content } = operationOf(method, path).responses[status];
  return table(head('field'), rowsOf(ofHttp, content['application/json'].schema), before);
}

function fields([name, status], before) {
  const tables = name.startsWith('client.') ? ofClients : ofFrames;
  const rows = rowsOf(tables, frameSchema(name, status));
  return rows.length === 0 ? 'It has no fields.' : table(head('field'), rows, before);
}

const errors = (_, before) =>
  table(
    ['code', 'retryable', 'HTTP', 'when'],
    errorCodes.map((it) => [it, isRetryable(it) ? 'yes' : 'no', statusOf(it)]),
    before,
  );

/** `httpStatus` returns 500 also for codes that do not occur over HTTP: for these the table has a dash. */
const statusOf = (code) =>
  code !== 'internal' && httpStatus(code) === 500 ? '–' : String(httpStatus(code));

const hello_errors = (_, before) =>
  table(
    ['code', 'when'],
    helloErrorCodes.map((it) => [it]),
    before,
  );

function close_codes(_, before) {
  const reasons = Object.values(closes).map(({ code, reason }) => [code, `\`${reason}\``]);
  const rows = new Map(
    [...reasons, [REFUSED_CODE, 'the error message']].map((it) => [`${it}`, it]),
  );
  const sorted = [...rows.values()].sort(([a], [b]) => a - b);
  return table(['code', 'reason', 'when'], sorted, before, 2);
}

const head = (first) => [first, 'type', 'required', 'meaning'];
const parts = { fields, route, answer, errors, hello_errors, close_codes };

const text = readFileSync(file, 'utf8');
const kinds = Object.keys(parts).join('|');
const marked = new RegExp(`(<!-- (${kinds})(.*?) -->\n)([\\s\\S]*?)(<!-- end -->)`, 'g');
const written = text.replace(marked, (_, begin, kind, names, before, end) => {
  const part = parts[kind](names.trim().split(' '), before);
  return `${begin}\n${part}\n\n${end}`;
});
if (!process.argv.includes('--check')) writeFileSync(file, written);
else if (written !== text) {
  const stale = text.split('\n');
  const lines = written.split('\n');
  const at = lines.findIndex((line, index) => line !== stale[index]);
  const where = `docs/reference/protocol.md:${at + 1}`;
  process.stderr.write(`${where}: npm run protocol writes: ${lines[at]}\n`);
  process.exitCode = 1;
}
