import { readFileSync } from 'node:fs';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import { foundFault, tellsFaults } from '../base/cleanup.js';
import type { Frame } from './frames.js';

const published = new URL('../../../../docs/reference/frames.schema.json', import.meta.url);
const validators = new Map<string, ValidateFunction>();
let ajv: Ajv2020 | undefined;

/** The published schema, compiled at the first frame: many test files receive none. */
export function frameSchema(name: string): ValidateFunction | undefined {
  if (!ajv) {
    const document = JSON.parse(readFileSync(published, 'utf8'));
    ajv = new Ajv2020({ allowUnionTypes: true });
    ajv.addSchema(document);
  }
  const known = validators.get(name);
  if (known) return known;
  const made = ajv.getSchema(`urn:sluice:frames:1#/$defs/${name}`);
  if (made) validators.set(name, made);
  return made;
}

/** How a frame of a gateway breaks the schema; undefined if it does not. */
export function faultOf(frame: Frame): string | undefined {
  const validate = frameSchema(`server.${frame.type}`);
  if (validate?.(frame)) return undefined;
  const why = validate
    ? JSON.stringify(validate.errors?.[0])
    : 'docs/reference/frames.schema.json has no such type';
  return `not as in docs/reference/frames.schema.json: ${why}: ${JSON.stringify(frame).slice(0, 500)}`;
}

let isExpected = false;

/** Turns the check off, for test files whose server is no gateway or a faulty one. */
export function expectFaultyFrames(): void {
  isExpected = true;
}

/** A frame that breaks the schema fails the test file that received it. */
export function checkFrame(frame: Frame): void {
  if (isExpected || !tellsFaults) return;
  const fault = faultOf(frame);
  if (fault) foundFault(fault);
}
