import { createHash } from 'node:crypto';
import { type Logger, monotonicMs } from '@sluice/runtime';
import type { Redis } from 'ioredis';
import { type Fault, LOOK_MS, Proof, type ProofOptions } from './connection-proof.js';

export type ConnectionsWatch = {
  /** Looks at this connection from now on. */
  add(client: Redis, options: ProofOptions): Proof;
  /** Whether every connection of this node does its work. */
  isBeating(): boolean;
  /** Connects anew what does not lead to this `host:port`. */
  leaveOthers(primary: string): void;
  /** Connects anew what has outlived the connection for commands: it may lead to the server before. */
  leaveEarlier(): void;
  stop(): void;
};

/** What the log says of a server. */
export type WatchedServer = {
  readonly refuses: string;
  readonly isSilent: string;
  readonly serves: string;
  readonly answers: string;
  /** Of each line. */
  readonly fields: object;
};

const THE_REDIS: WatchedServer = {
  refuses: 'redis refuses to serve: nothing is taken in and no turn begins until it does',
  isSilent: 'redis does not answer: nothing is taken in and no turn begins until it does',
  serves: 'redis serves again',
  answers: 'redis answers again',
  fields: {},
};

/** Looks at all connections to a server. Logs once what keeps it from serving this node, and once when that ends. */
export function watchConnections(log: Logger, server = THE_REDIS): ConnectionsWatch {
  const { fields } = server;
  const proofs: Proof[] = [];
  let reported = '';
  let reportedKind: Fault['kind'] | undefined;
  let sinceMs = 0;
  const worst = () => {
    const found = proofs.flatMap((proof) => {
      const fault = proof.fault();
      return fault ? [{ ...fault, connection: proof.part }] : [];
    });
    // What Redis refuses explains more than a connection that is silent or closed.
    return found.find(({ kind }) => kind === 'refused') ?? found[0];
  };
  const report = () => {
    const fault = worst();
    // Of a refusal only the first word counts: the rest may have numbers. A socket's error may change with each try.
    const now = fault ? `${fault.kind === 'refused' ? fault.why.split(' ')[0] : 'away'}` : '';
    if (now === reported) return;
    if (!fault) {
      const ms = Math.round(monotonicMs() - sinceMs);
      log.info({ ...fields, ms }, reportedKind === 'refused' ? server.serves : server.answers);
    } else {
      if (reported === '') sinceMs = monotonicMs();
      const { connection, why } = fault;
      log.warn(
        { ...fields, connection, why },
        fault.kind === 'refused' ? server.refuses : server.isSilent,
      );
    }
    reported = now;
    reportedKind = fault?.kind;
  };
  const timer = setInterval(() => {
    for (const proof of proofs) proof.look();
    report();
  }, LOOK_MS);
  return {
    add(client, options) {
      const proof = new Proof(client, options);
      proofs.push(proof);
      return proof;
    },
    isBeating: () => proofs.every((proof) => proof.fault() === undefined),
    leaveOthers(primary) {
      for (const proof of proofs) if (proof.place !== primary) proof.replace();
    },
    leaveEarlier() {
      const commands = proofs.filter(({ part }) => part === 'commands');
      const lostMs = Math.max(...commands.map((proof) => proof.lostMs));
      for (const proof of proofs) if (proof.openedMs < lostMs) proof.replace();
    },
    stop: () => clearInterval(timer),
  };
}

/** A write that changes nothing: a Redis that refuses writes or scripts refuses it, a full one does not. */
const PROBE = "return redis.call('DEL', KEYS[1])";
const PROBE_SHA = createHash('sha1').update(PROBE).digest('hex');

/** Rejects with the words of Redis when scripts or writes are refused. `key` must not exist. */
export async function probeWrite(client: Redis, key: string): Promise<void> {
  try {
    await client.evalsha(PROBE_SHA, 1, key);
  } catch (error) {
    if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
    await client.eval(PROBE, 1, key);
  }
}
