import { factsOf } from '../ends/end-reader.js';
import { pairs } from '../script/reply.js';
import type { Place } from './place.js';

const PAGE = 200;

type Streams = {
  readonly from: Place;
  readonly to: Place;
  readonly source: string;
  readonly target: string;
};

const missing = (error: unknown) => {
  if (error instanceof Error && /no such key/i.test(error.message)) return undefined;
  throw error;
};

/** Copies the global stream of SESSION_END with its ids, from where the copy ends. Returns the number of entries. */
export async function copyStream({ from, to, source, target }: Streams): Promise<number> {
  const info = await to.ask(target, (client) => client.xinfo('STREAM', target)).catch(missing);
  let after = (info && factsOf(info).lastId) || '0-0';
  for (let copied = 0; ; ) {
    const entries = await from.ask(source, (client) =>
      client.xrangeBuffer(source, `(${after}`, '+', 'COUNT', PAGE),
    );
    await to.ask(target, (client) =>
      Promise.all(entries.map(([id, fields]) => client.xadd(target, id, ...fields))),
    );
    copied += entries.length;
    const last = entries.at(-1);
    if (!last || entries.length < PAGE) return copied;
    after = String(last[0]);
  }
}

/**
 * Makes the groups of the stream at the target. Each goes on where it is; entries that a consumer has read and not
 * acknowledged come again, since a record is delivered at least once.
 */
export async function copyGroups({ from, to, source, target }: Streams): Promise<number> {
  const listed = await from.ask(source, (client) => client.xinfo('GROUPS', source)).catch(missing);
  const groups = Array.isArray(listed) ? listed.filter(Array.isArray).map(pairs) : [];
  for (const { name = '', 'last-delivered-id': delivered = '0-0' } of groups) {
    const waiting = await from.ask(source, (client) => client.xpending(source, name));
    const oldest = Array.isArray(waiting) && waiting[1] ? String(waiting[1]) : undefined;
    const at = oldest === undefined ? delivered : idBefore(oldest);
    await to.ask(target, async (client) => {
      await client.xgroup('CREATE', target, name, at, 'MKSTREAM').catch((error: Error) => {
        if (!error.message.startsWith('BUSYGROUP')) throw error;
      });
      await client.xgroup('SETID', target, name, at);
    });
  }
  return groups.length;
}

/** The largest id below this one. */
export function idBefore(id: string): string {
  const [ms = '0', seq = '0'] = id.split('-');
  if (BigInt(seq) > 0n) return `${ms}-${BigInt(seq) - 1n}`;
  return BigInt(ms) === 0n ? '0-0' : `${BigInt(ms) - 1n}-18446744073709551615`;
}
