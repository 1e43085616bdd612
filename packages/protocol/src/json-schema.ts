import { z } from 'zod';
import { messageSchema, schemas } from './client-frames.js';
import { serverSchemas, streamSchemas } from './server-frames.js';

/** A message with `text` instead of `content`, which is missing or null. */
const aliased = messageSchema
  .omit({ content: true })
  .extend({ content: z.null().optional(), text: messageSchema.shape.content });

/** The schemas of one direction, by frame type; decode and the edge work with the same. */
export const clientFrames = { ...schemas, message: z.union([messageSchema, aliased]) };
export const serverFrames = { ...serverSchemas, ...streamSchemas };

type Definition = Record<string, unknown>;

function define(direction: string, frames: Record<string, z.ZodType>): Record<string, Definition> {
  const entries = Object.entries(frames).map(([type, schema]) => {
    const { $schema: _, ...rest } = z.toJSONSchema(schema, { io: 'input' });
    return [`${direction}.${type}`, rest] as const;
  });
  const anyOf = entries.map(([name]) => ({ $ref: `#/$defs/${name}` }));
  return { [direction]: { anyOf }, ...Object.fromEntries(entries) };
}

/** The document `docs/reference/frames.schema.json`. */
export function framesJsonSchema() {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: 'urn:sluice:frames:1',
    title: 'Frames of the Sluice wire protocol, version 1',
    description:
      'Written by `npm run frames-schema` from the zod schemas in packages/protocol. ' +
      '`#/$defs/client` is what a client may send (fields that it does not name are ignored), ' +
      '`#/$defs/server` all that this release sends: a client ignores fields and types that it does ' +
      'not know. Not said here: frames nest at most 32 levels deep, hold at most max_payload bytes, no key ' +
      '`__proto__` and no whole number that a 64-bit float would round.',
    anyOf: [{ $ref: '#/$defs/client' }, { $ref: '#/$defs/server' }],
    $defs: { ...define('client', clientFrames), ...define('server', serverFrames) },
  };
}
