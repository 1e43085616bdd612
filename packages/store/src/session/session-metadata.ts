import { jsonObject } from '../keys/damage.js';
import { type Keys, sessionKeyId } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import { StoreContended } from '../redis/unavailable.js';
import * as scripts from '../script/scripts.js';
import type { SessionRef } from './session-ref.js';

/** Others may change the same metadata at the same moment: this many lost tries are enough. */
const TRIES = 20;

type Json = Record<string, unknown>;

export type Patched =
  | { readonly kind: 'not_found' | 'too_large' }
  | { readonly kind: 'patched'; readonly metadata: Json };

const isObject = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** RFC 7396: null removes a field, an object is merged into the one that is there, all else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  // Maps, since a field may be called `__proto__`.
  const merged = new Map(Object.entries(isObject(target) ? target : {}));
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) merged.delete(name);
    else merged.set(name, mergePatch(merged.get(name), value));
  }
  return Object.fromEntries(merged);
}

/**
 * Merges a patch into the metadata of a session. The merging is done here, since Lua's JSON keeps neither
 * empty lists nor large numbers; Redis replaces the metadata only if it is still what was read. Throws
 * StoreUnavailable (StoreContended).
 */
export async function patchMetadata(
  connection: Connection,
  keys: Keys,
  { ref, patch, maxBytes }: { ref: SessionRef; patch: Json; maxBytes: number },
): Promise<Patched> {
  const session = keys.session(sessionKeyId(ref.principal, ref.sessionId));
  let known = await connection.ask(session.state, (client) =>
    client.hget(session.state, 'metadata'),
  );
  for (let tried = 0; tried < TRIES; tried++) {
    if (known === null) return { kind: 'not_found' };
    const metadata = mergePatch(jsonObject(known) ?? {}, patch) as Json;
    const text = JSON.stringify(metadata);
    const isLarger = Buffer.byteLength(text) > Math.max(maxBytes, Buffer.byteLength(known));
    const reply = isLarger
      ? await connection.run(scripts.sessionDescribe, session, {})
      : await connection.run(scripts.metadataReplace, session, { known, metadata: text });
    if (reply === undefined) return { kind: 'not_found' };
    if (!('kind' in reply)) return { kind: 'too_large' };
    if (reply.kind !== 'changed') {
      return reply.kind === 'replaced' ? { kind: 'patched', metadata } : { kind: 'not_found' };
    }
    known = reply.metadata;
  }
  throw new StoreContended('the metadata was changed by others at each try');
}
