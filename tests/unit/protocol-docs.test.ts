import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import {
  clientFrameTypes,
  closes,
  errorCodes,
  helloErrorCodes,
  modes,
  REFUSED_CODE,
  serverFrameTypes,
  streamTypes,
} from '@sluice/protocol';
import { framesJsonSchema } from '@sluice/protocol/json-schema';
import { faultOf, frameSchema } from '@sluice/testkit';
import { Described, type Document } from '../support/documents/openapi-document.js';
import {
  exchangesOf,
  requestsOf,
  sectionsOf,
  streamedOf,
} from '../support/documents/protocol-examples.js';

const root = new URL('../../', import.meta.url);
const text = readFileSync(new URL('docs/reference/protocol.md', root), 'utf8');
const script = fileURLToPath(new URL('scripts/protocol.mjs', root));
const sections = sectionsOf(text);
const examples = exchangesOf(text);
const { openApiDocument } = await import(new URL('scripts/lib/openapi.mjs', root).href);
const described = new Described(openApiDocument() as Document);

type Properties = Record<string, unknown>;
const defs: Record<string, Properties> = JSON.parse(JSON.stringify(framesJsonSchema())).$defs;

/** Of a frame that a client sends: fields that no schema names would be ignored. */
function faultOfSent(frame: { type?: string }): string | undefined {
  const name = `client.${frame.type ?? 'message'}`;
  const validate = frameSchema(name);
  if (!validate?.(frame)) return `${name}: ${JSON.stringify(validate?.errors)}`;
  const schema = defs[name] as { properties?: Properties; anyOf?: { properties: Properties }[] };
  const known = [schema, ...(schema.anyOf ?? [])].flatMap((it) => Object.keys(it.properties ?? {}));
  const unknown = Object.keys(frame).filter((field) => !known.includes(field));
  return unknown.length > 0 ? `${name} has no ${unknown}` : undefined;
}

/** What a frame is like beside its name: aliases and stream events have one section together. */
const shapeOf = (name: string) => {
  const { type: _, ...properties } = (defs[name]?.properties ?? {}) as Properties;
  return JSON.stringify(defs[name]?.anyOf ?? defs[name]?.oneOf ?? properties);
};

describe('docs/reference/protocol.md', () => {
  it('has the tables that npm run protocol writes', () => {
    const run = () => execFileSync(process.execPath, [script, '--check'], { stdio: 'pipe' });
    expect(run).not.toThrow();
  });

  it('shows only frames that are as published', () => {
    expect(examples.length).toBeGreaterThan(30);
    const faults = examples.flatMap((it) => {
      if (it.kind === 'close') {
        const known = Object.values(closes).some((c) => `${c.code} ${c.reason}` === it.close);
        return known ? [] : [`no such close: ${it.close}`];
      }
      const fault = it.kind === 'sent' ? faultOfSent(it.frame) : faultOf(it.frame);
      return fault ? [fault] : [];
    });
    expect(faults).toEqual([]);
  });

  it('has an example and the fields of every frame', () => {
    const fields = sections.flatMap((section) => section.fields);
    const hasFields = (name: string) => fields.some((it) => shapeOf(it) === shapeOf(name));
    const shown = (kind: string) =>
      examples.flatMap((it) => (it.kind === kind && it.kind !== 'close' ? [it.frame.type] : []));
    const sent = new Set([...shown('sent'), 'message_abort']);
    expect(clientFrameTypes.filter((type) => !sent.has(type))).toEqual([]);
    expect(clientFrameTypes.filter((type) => !hasFields(`client.${type}`))).toEqual([]);
    const received = new Set(shown('received'));
    expect(serverFrameTypes.filter((type) => !received.has(type))).toEqual([]);
    const sentByNodes = [...serverFrameTypes, ...streamTypes];
    expect(sentByNodes.filter((type) => !hasFields(`server.${type}`))).toEqual([]);
    expect(fields.filter((it) => it === 'server.response')).toHaveLength(2); // accepted and final
    const headings = text.match(/^### .*$/gm)?.join() ?? '';
    const named = [...clientFrameTypes, ...serverFrameTypes].filter((it) => it !== 'message_abort');
    expect(named.filter((type) => !headings.includes(`\`${type}\``))).toEqual([]);
  });

  it('has a row for every stream event, mode, code and close, with what it means', () => {
    const hasRow = (cell: string) =>
      new RegExp(`^\\| \`${cell}\` \\|.* [^|\\s]+ \\|$`, 'm').test(text);
    const names = [...streamTypes, ...modes, ...errorCodes, ...helloErrorCodes];
    expect(names.filter((name) => !hasRow(name))).toEqual([]);
    const codes = [REFUSED_CODE, ...Object.values(closes).map(({ code }) => code)];
    expect(codes.filter((code) => !hasRow(String(code)))).toEqual([]);
  });

  it('has a section for every route, and requests and answers that are as described', () => {
    const missing = described.operations.filter(
      ({ name }) => !sections.some(({ routes }) => routes.includes(name)),
    );
    expect(missing.map(({ name }) => name)).toEqual([]);
    const requests = requestsOf(text);
    expect(requests.length).toBeGreaterThan(20);
    for (const { target, body, status, answer } of requests) {
      const [method = '', url = ''] = target.split(' ');
      const [path = '', query = ''] = url.split('?');
      const named = described.operations.find(({ name }) => {
        const [itsMethod, itsPath = ''] = name.split(' ');
        const pattern = itsPath.replaceAll('.', '\\.').replace('{id}', '[^/]+');
        return itsMethod === method && new RegExp(`^${pattern}$`).test(path);
      });
      expect([target, named === undefined]).toEqual([target, false]);
      if (!named) continue;
      const { name, operation } = named;
      for (const [key, value] of new URLSearchParams(query)) {
        const parameter = operation.parameters?.find((it) => it.name === key);
        const isTaken = parameter !== undefined && described.takesParameter(parameter, value);
        expect([target, key, isTaken]).toEqual([target, key, true]);
      }
      if (body !== undefined)
        expect([target, described.takesBody(name, body)]).toEqual([target, true]);
      const fault = described.faultOf(name, { status, type: 'application/json', body: answer });
      expect(fault).toBeUndefined();
    }
  });

  it('shows events of a stream as the socket has them', () => {
    const frames = streamedOf(text);
    expect(frames.length).toBeGreaterThan(0);
    expect(frames.map(faultOf).filter((fault) => fault !== undefined)).toEqual([]);
  });
});
