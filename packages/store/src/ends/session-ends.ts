import { exitStatus, StartError } from '@sluice/runtime';
import { jsonObject } from '../keys/damage.js';
import type { Keys } from '../keys/keys.js';
import type { Connection } from '../redis/connect.js';
import { pairs } from '../script/reply.js';
import * as scripts from '../script/scripts.js';

/** Fields of an entry of the global stream, in this order, each always there (for dashboards). */
const fieldNames = [
  'v',
  'event_id',
  'type',
  'session_id',
  'agent_id',
  'principal',
  'reason',
  'reason_code',
  'had_pending_work',
  'was_executing',
  'pending_count',
  'continues',
  'node_id',
  'fence',
  'cursor',
  'epoch',
  'ts',
] as const;

/** An entry of the global stream: its id there, and the record. */
export type EndEntry = { readonly entryId: string; readonly record: string };

/** Entries of one read, and reads for one page of a listing. */
const READ_BATCH = 100;
const READS_MAX = 10;

export type SessionEnds = ReturnType<typeof makeSessionEnds>;

/** Copies SESSION_END records to the global stream, each at least once; a repeat has the same `event_id`. */
export function makeSessionEnds(
  connection: Connection,
  keys: Keys,
  options: { stream: string; maxLength: number; groups: readonly string[] },
) {
  return {
    /** Makes the stream and its groups, so that no reader meets a missing key. Throws StartError if that is taken. */
    async prepare(): Promise<void> {
      const { stream, groups } = options;
      for (const group of groups) await makeGroup(connection, stream, group);
      if (groups.length > 0) return;
      // Redis has no other way to make a stream without an entry.
      await makeGroup(connection, stream, PASSING_GROUP);
      await connection.ask(stream, (client) => client.xgroup('DESTROY', stream, PASSING_GROUP));
    },

    /**
     * Ends of sessions after the entry `after`, oldest first, of one principal or of all; `next` is the entry
     * that was looked at last, if others may follow.
     */
    async list({
      after,
      principal,
      count,
    }: EndsRequest): Promise<{ entries: EndEntry[]; next: string | undefined }> {
      const entries: EndEntry[] = [];
      let last = after;
      for (let reads = 0; reads < READS_MAX; reads++) {
        const from = last === undefined ? '-' : `(${last}`;
        const read = await connection.ask(options.stream, (client) =>
          client.xrange(options.stream, from, '+', 'COUNT', READ_BATCH),
        );
        for (const [at, [entryId, flat]] of read.entries()) {
          last = entryId;
          const { payload, principal: of } = pairs(flat);
          if (payload === undefined || (principal !== undefined && of !== principal)) continue;
          entries.push({ entryId, record: payload });
          const isEnd = at + 1 === read.length && read.length < READ_BATCH;
          if (entries.length === count) return { entries, next: isEnd ? undefined : last };
        }
        if (read.length < READ_BATCH) return { entries, next: undefined };
      }
      return { entries, next: last };
    },

    /** Adds a record to the stream, then removes it from its partition. */
    async copy(record: string, partition: number): Promise<void> {
      const data = jsonObject(record) ?? {}; // a record that cannot be read is copied as it is
      const fields = fieldNames.flatMap((name) => [name, String(data[name] ?? '')]);
      fields.push('payload', record);
      await connection.ask(
        options.stream,
        (client) => client.xadd(options.stream, 'MAXLEN', '~', options.maxLength, '*', ...fields),
        'session-end-copy',
      );
      await connection.run(
        scripts.endsCopied,
        { ends: keys.partition(partition).ends },
        { record },
      );
    },
  };
}

const PASSING_GROUP = 'sluice-start';

function makeGroup(connection: Connection, stream: string, group: string): Promise<unknown> {
  return connection.ask(stream, (client) =>
    client.xgroup('CREATE', stream, group, '0', 'MKSTREAM').catch((error: Error) => {
      if (error.message.startsWith('WRONGTYPE')) throw noStream(stream);
      if (!error.message.startsWith('BUSYGROUP')) throw error;
    }),
  );
}

const noStream = (key: string) =>
  new StartError(
    `session_end.stream: ${key} holds something else than a stream; give another key`,
    exitStatus.config,
  );

type EndsRequest = {
  readonly after?: string | undefined;
  readonly principal?: string | undefined;
  readonly count: number;
};
