import { createRequire } from 'node:module';

/** Version of the release, from the root of the workspace. */
export const VERSION: string = (
  createRequire(import.meta.url)('../../../../package.json') as { version: string }
).version;
