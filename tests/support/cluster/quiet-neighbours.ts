import type { FrameClient, GatewayProcess } from '@sluice/testkit';
import type { Cluster } from './cluster.js';

type Quiet = {
  readonly sessions: number;
  /** How long each of their turns takes. */
  readonly turnMs: number;
};

/** Sessions that talk without a pause until they are told to stop; every outcome is kept. */
export async function startQuiet(
  cluster: Cluster,
  edge: GatewayProcess,
  { sessions, turnMs }: Quiet,
) {
  const outcomes: unknown[] = [];
  let isOver = false;
  const talk = async (client: FrameClient) => {
    while (!isOver) {
      const { outcome } = await client.final(client.message(String(turnMs)), 120_000);
      outcomes.push(Object(outcome).status);
    }
    client.cut();
  };
  const clients = await Promise.all(
    Array.from({ length: sessions }, (_, n) =>
      cluster.attach(edge, { session_id: `quiet-${n}`, agent_id: 'mine' }),
    ),
  );
  const talking = clients.map(talk);
  return {
    outcomes,
    /** Each ends the turn that it is at. */
    async stop(): Promise<void> {
      isOver = true;
      await Promise.all(talking);
    },
  };
}
