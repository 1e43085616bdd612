import type { Redis } from 'ioredis';
import type { Keys, ServerKeys } from '../keys/keys.js';
import type { Connections } from '../redis/connections.js';
import { probeWrite } from '../redis/connections-watch.js';

/** What a node must be allowed to do, and a call that shows whether it is and changes nothing. */
type Right = { readonly what: string; try(client: Redis): Promise<unknown> };

/** Rights by command, key and channel: the same for a start and for `sluice doctor` (docs/operate/security.md). */
function rightsFor(
  { prefix, ringPrefix }: Keys,
  { isSharded, ...keys }: ServerKeys & { readonly isSharded: boolean },
): readonly Right[] {
  const { channel } = keys;
  return [
    {
      what: `run scripts that write the keys of ${prefix}:*`,
      try: (client) => probeWrite(client, keys.pulse),
    },
    {
      what: 'run scripts that only read (EVALSHA_RO)',
      try: (client) => client.call('EVAL_RO', 'return 1', '0'),
    },
    {
      what: `use the keys of the rings, ${ringPrefix}:*`,
      try: (client) => probeWrite(client, keys.ringPulse),
    },
    {
      what: `wait for rings (BZPOPMIN) at ${ringPrefix}:*`,
      try: (client) => client.bzpopmin(keys.ringPulse, 0.001),
    },
    {
      what: 'use transactions (MULTI, EXEC)',
      try: (client) => client.multi().del(keys.pulse).exec(),
    },
    {
      what: `publish to the channels of ${prefix}:*`,
      try: (client) => (isSharded ? client.spublish(channel, '') : client.publish(channel, '')),
    },
    {
      what: `subscribe to the channels of ${prefix}:*`,
      try: async (client) => {
        await (isSharded ? client.ssubscribe(channel) : client.subscribe(channel));
        await (isSharded ? client.sunsubscribe(channel) : client.unsubscribe(channel));
      },
    },
    { what: 'ask for the time (TIME)', try: (client) => client.time() },
  ];
}

/** The first right that is missing on a server, in words; undefined: all are there. */
export async function missingRight(
  client: Redis,
  keys: Keys,
  { isHere, isSharded = false }: { isHere?: (key: string) => boolean; isSharded?: boolean } = {},
): Promise<string | undefined> {
  for (const right of rightsFor(keys, { ...keys.server(isHere), isSharded })) {
    try {
      await right.try(client);
    } catch (error) {
      const causes = [error, ...(Object(error).previousErrors ?? [])];
      const isMissing = causes.some(
        (it) =>
          it instanceof Error && /NOPERM|^ERR The user executing|unknown command/.test(it.message),
      );
      if (!isMissing) throw error;
      return `this user may not ${right.what}`;
    }
  }
  return undefined;
}

/** Ends a start whose user in Redis lacks a right: no turn would ever run. */
export async function checkRights({ servers, commands }: Connections, keys: Keys): Promise<void> {
  for (const { client, isHere } of servers()) {
    const missing = await missingRight(client, keys, { isHere, isSharded: commands.isSharded });
    // start-fault.ts says where, and what to do.
    if (missing) throw new Error(`NOPERM: ${missing}`);
  }
}
