/**
 * `npm run frames-schema`: writes docs/reference/frames.schema.json from the built schemas of packages/protocol.
 * A test compares the two.
 */
import { writeFileSync } from 'node:fs';
import { framesJsonSchema } from '../packages/protocol/dist/json-schema.js';
import { inRoot } from './lib/paths.mjs';
import { run } from './lib/processes.mjs';

const file = inRoot('docs', 'reference', 'frames.schema.json');
writeFileSync(file, JSON.stringify(framesJsonSchema()));
const biome = inRoot('node_modules', '@biomejs', 'biome', 'bin', 'biome');
process.exitCode = await run(process.execPath, [biome, 'format', '--write', file]);
