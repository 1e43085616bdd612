import type { Connection } from './connect.js';
import type { Keys } from './keys.js';
import * as scripts from './scripts.js';

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

export type SessionEnds = ReturnType<typeof makeSessionEnds>;

/** Copies SESSION_END records to the global stream: at least once, `event_id` tells repeats apart. */
export function makeSessionEnds(
  connection: Connection,
  keys: Keys,
  options: { stream: string; maxLength: number; groups: readonly string[] },
) {
  return {
    /** Makes the stream and its consumer groups, so that no reader meets a missing key. */
    async prepare(): Promise<void> {
      for (const group of options.groups) {
        await connection.ask((client) =>
          client.xgroup('CREATE', options.stream, group, '0', 'MKSTREAM').catch((error: Error) => {
            if (!error.message.startsWith('BUSYGROUP')) throw error;
          }),
        );
      }
    },

    async copy(record: string, partition: number): Promise<void> {
      const data = JSON.parse(record) as Record<string, string | number | boolean>;
      const fields = fieldNames.flatMap((name) => [name, String(data[name] ?? '')]);
      fields.push('payload', record);
      await connection.ask(
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
