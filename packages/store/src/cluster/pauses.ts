import { type Keys, sessionKeyId } from '../keys/keys.js';
import type { Leases } from '../leases/lease.js';
import type { Rings } from '../leases/ring.js';
import type { Connection } from '../redis/connect.js';
import * as scripts from '../script/scripts.js';
import type { SessionRef } from '../session/session-ref.js';

/** Sessions whose agents are looked up at once. */
const BATCH = 100;

/** Pause numbers of agents, by name: odd while a pause holds, and greater with each change. */
export type PauseNumbers = Readonly<Record<string, string>>;

export type SessionPaused =
  | { readonly kind: 'not_found' }
  /** `isPaused`: no turn of it begins; true after a resume too while its agent is paused. */
  | { readonly kind: 'set'; readonly isPaused: boolean };

export type Pauses = ReturnType<typeof makePauses>;

const holds = (number: string | number) => Number(number) % 2 === 1;

/**
 * Pausing sessions and agents (P1, P2). The scripts of a session read both pauses in its own partition: once
 * a pause was answered no turn begins, whatever nodes have heard of it. Throws StoreUnavailable.
 */
export function makePauses(
  connection: Connection,
  keys: Keys,
  { rings, leases }: { rings: Rings; leases: Pick<Leases, 'drawRing'> },
) {
  const partitions = Array.from({ length: keys.partitions }, (_, partition) => partition);
  const pausedIn = (partition: number) => keys.partition(partition).paused_agents;
  const numbersAt = (key: string): Promise<PauseNumbers> =>
    connection.ask(key, (client) => client.hgetall(key));
  const copy = (partition: number, agent: string, number: number) =>
    connection.run(scripts.pauseCopy, { paused_agents: pausedIn(partition) }, { agent, number });

  /** Rings for sessions that wait for this agent; if it is cut short, the sweep finds the rest. */
  async function ringFor(agent: string, partition: number): Promise<void> {
    const { pending } = keys.partition(partition);
    const ids = await connection.ask(pending, (client) => client.zrange(pending, 0, '-1'));
    for (let from = 0; from < ids.length; from += BATCH) {
      const some = ids.slice(from, from + BATCH);
      const agents = await connection.ask(pending, (client) =>
        Promise.all(some.map((id) => client.hget(keys.session(id).state, 'agent'))),
      );
      const waiting = some.filter((_, at) => agents[at] === agent);
      await Promise.all(
        waiting.map(async (id) => {
          const ring = await leases.drawRing(id, 0);
          if (ring !== '') await rings.ring(id, ring);
        }),
      );
    }
  }

  return {
    /** Pauses or resumes a session; a repeat changes nothing. */
    async session(ref: SessionRef, pause: boolean): Promise<SessionPaused> {
      const id = sessionKeyId(ref.principal, ref.sessionId);
      const session = keys.session(id);
      const [known, createdAt] = await connection.ask(session.state, (client) =>
        client.hmget(session.state, 'paused', 'created_at'),
      );
      const reply = await connection.run(scripts.sessionPause, session, {
        id,
        pause: pause ? 1 : 0,
        known: known ?? '0',
        created_at: createdAt ?? '',
      });
      if (reply.kind === 'not_found') return reply;
      if (reply.kind === 'paused') return { kind: 'set', isPaused: true };
      if (reply.ring !== '') await rings.ring(id, reply.ring);
      return { kind: 'set', isPaused: reply.isPaused };
    },

    /**
     * Pauses or resumes an agent, in every partition, even when its pause does not change: an earlier call
     * may have been cut short.
     */
    async agent(agent: string, pause: boolean): Promise<void> {
      const known = await connection.ask(keys.pausedAgents, (client) =>
        client.hget(keys.pausedAgents, agent),
      );
      const truth = { paused_agents: keys.pausedAgents };
      const wanted = { agent, pause: pause ? 1 : 0, known: known ?? '0' };
      const number = await connection.run(scripts.agentPause, truth, wanted);
      await Promise.all(partitions.map((partition) => copy(partition, agent, number)));
      if (holds(number)) return;
      for (const partition of partitions) await ringFor(agent, partition);
    },

    /** Names of the agents that are paused. */
    async agents(): Promise<string[]> {
      const numbers = await numbersAt(keys.pausedAgents);
      return Object.keys(numbers).filter((agent) => holds(numbers[agent] ?? 0));
    },

    /** Pause numbers of every agent that ever was paused. */
    numbers: () => numbersAt(keys.pausedAgents),

    /** Finishes in a partition what a call that was cut short has left undone (C2). */
    async follow(partition: number, numbers: PauseNumbers): Promise<void> {
      const copied = await numbersAt(pausedIn(partition));
      for (const [agent, number] of Object.entries(numbers)) {
        if (Number(number) <= Number(copied[agent] ?? 0)) continue;
        await copy(partition, agent, Number(number));
        if (!holds(number)) await ringFor(agent, partition);
      }
    },
  };
}
