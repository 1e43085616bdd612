import { expect } from '@jest/globals';
import { eventually, type GatewayProcess, gaps } from '@sluice/testkit';
import type { Cluster } from './cluster.js';

/** Of each session, in the order in which they are sent. */
export const ids = ['m1', 'm2', 'm3'];

/** Five sessions whose clients leave their messages to the workers of a cluster. */
export function fiveSessions(of: () => { cluster: Cluster; edge: GatewayProcess }) {
  const sessions = Array.from({ length: 5 }, (_, i) => `s${i + 1}`);
  /** Sends three messages to each session, then closes all connections. */
  async function fill(): Promise<void> {
    const { cluster, edge } = of();
    for (const session_id of sessions) {
      const client = await cluster.attach(edge, { session_id });
      for (const message_id of ids) client.message(`to ${session_id}`, { message_id });
      await client.waitFor({ status: 'accepted', message_id: 'm3' });
      client.cut();
    }
    await eventually(() => cluster.agent.turns.length >= sessions.length);
  }
  const begunBehind = (atMs: number, session: string) =>
    of().cluster.agent.turns.find(
      ({ turn, startedAt }) => turn.session_id === session && startedAt.monotonicMs > atMs,
    );
  /** L5: pairs of turns of one session that ran at the same time, beyond the error of measuring two ends. */
  const overlaps = () =>
    sessions.flatMap((session) => {
      const turns = of().cluster.agent.turns.filter(({ turn }) => turn.session_id === session);
      return turns.flatMap(({ endedAt, turn }, at) =>
        turns
          .slice(at + 1)
          .filter((next) => (endedAt?.monotonicMs ?? Infinity) - 50 > next.startedAt.monotonicMs)
          .map((next) => [session, turn.message_id, next.turn.message_id]),
      );
    });
  /** Each message has one outcome, in order, and the log is dense. */
  async function expectWhole(statuses: readonly string[] = ids.map(() => 'ok')): Promise<void> {
    const { cluster, edge } = of();
    for (const session_id of sessions) {
      await eventually(async () => (await cluster.inbox(session_id)).length === 0, 15_000);
      const client = await cluster.attach(edge, { session_id });
      await client.final('m3');
      const finals = client.logged().filter(({ status }) => status === 'final');
      expect(finals.map(({ message_id }) => message_id)).toEqual(ids);
      expect(finals.map(({ outcome }) => Object(outcome).status)).toEqual(statuses);
      expect(gaps(client.logged())).toEqual([]);
      await client.close();
    }
  }

  return { sessions, fill, begunBehind, overlaps, expectWhole };
}
