import { exitStatus } from '@sluice/runtime';
import { type Frame, isFrame, textOf } from '../api/frame.js';
import { ask, type Gateway } from '../api/gateway.js';
import { printable } from '../output/printable.js';
import { writeLines } from '../output/write.js';
import { factsOf, linesOf } from './facts.js';

/** Messages of the history: enough for `--json` to show how the last turns ended. */
const MESSAGES = 20;

export type ShowOptions = { readonly principal?: string; readonly json?: boolean };

/** Prints one session; returns the exit status. */
export async function showSession(
  gateway: Gateway,
  id: string,
  { principal, json }: ShowOptions,
): Promise<number> {
  const path = `/v1/sessions/${encodeURIComponent(id)}`;
  const query = { principal, limit: MESSAGES };
  const session = await ask(gateway, { method: 'GET', path, query });
  if (json) {
    await writeLines([JSON.stringify(session, null, 2)]);
    return exitStatus.ok;
  }
  const workers = await workersOf(gateway, textOf(session, 'agent_id'));
  await writeLines(linesOf(factsOf(session), { workers, nowMs: Date.now() }).map(printable));
  return exitStatus.ok;
}

/** Live workers that have the agent; undefined: this caller may not see them, or this port does not have them. */
async function workersOf(gateway: Gateway, agentId: string): Promise<number | undefined> {
  const answer = await ask(gateway, { method: 'GET', path: '/v1/agents' }).catch(() => undefined);
  if (!answer || !Array.isArray(answer.agents)) return undefined;
  const agents: Frame[] = answer.agents.filter(isFrame);
  const nodes = agents.find((agent) => textOf(agent, 'agent_id') === agentId)?.nodes;
  return Array.isArray(nodes) ? nodes.length : 0;
}
