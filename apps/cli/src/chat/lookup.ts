import { exitStatus, StartError } from '@sluice/runtime';
import { isFrame, numberOf, textOf } from '../api/frame.js';
import { ask, type Gateway, Refused } from '../api/gateway.js';
import type { Position } from './conversation.js';

export type Past = {
  readonly agentId: string;
  readonly position: Position;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
};

/** The first agent of `GET /info`. */
export async function defaultAgent(gateway: Gateway): Promise<string> {
  const info = await ask(gateway, { method: 'GET', path: '/info' });
  const agents: readonly unknown[] = Array.isArray(info.agents) ? info.agents : [];
  const id = isFrame(agents[0]) ? textOf(agents[0], 'id') : '';
  if (id) return id;
  const text = `${gateway.url} names no agents: is it a Sluice gateway? Else give --agent`;
  throw new StartError(text, exitStatus.config);
}

/** The history of a session and its cursor; undefined: there is no such session. */
export async function pastOf(gateway: Gateway, sessionId: string): Promise<Past | undefined> {
  const path = `/v1/sessions/${encodeURIComponent(sessionId)}`;
  const state = await ask(gateway, { method: 'GET', path }).catch((error: unknown) => {
    if (error instanceof Refused && error.code === 'session_not_found') return undefined;
    throw error;
  });
  if (!state) return undefined;
  const messages: readonly unknown[] = Array.isArray(state.messages) ? state.messages : [];
  return {
    agentId: textOf(state, 'agent_id'),
    position: { epoch: textOf(state, 'epoch'), cursor: numberOf(state, 'event_cursor') },
    messages: messages.filter(isFrame).map((message) => ({
      role: textOf(message, 'role'),
      content: textOf(message, 'content') || JSON.stringify(message.content),
    })),
  };
}
