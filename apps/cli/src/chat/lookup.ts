import { exitStatus, StartError } from '@sluice/runtime';
import type { Position } from './conversation.js';
import { type Frame, isFrame, numberOf, objectOf, textOf } from './frame.js';

const LIMIT_MS = 5_000;

export type Gateway = { readonly url: string; readonly token?: string | undefined };
export type Past = {
  readonly agentId: string;
  readonly position: Position;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
};

/** The first agent of `GET /info`. */
export async function defaultAgent(gateway: Gateway): Promise<string> {
  const info = await get(gateway, '/info');
  const agents: readonly unknown[] = Array.isArray(info?.agents) ? info.agents : [];
  const id = isFrame(agents[0]) ? textOf(agents[0], 'id') : '';
  if (id) return id;
  const text = `${gateway.url} names no agents: is it a Sluice gateway? Else give --agent`;
  throw new StartError(text, exitStatus.config);
}

/** What was said in a session, and the position behind it; undefined: there is no such session. */
export async function pastOf(gateway: Gateway, sessionId: string): Promise<Past | undefined> {
  const state = await get(gateway, `/v1/sessions/${encodeURIComponent(sessionId)}`);
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

async function get({ url, token }: Gateway, path: string): Promise<Frame | undefined> {
  const target = `${url.replace(/\/+$/, '')}${path}`;
  let response: Response;
  let body: unknown;
  try {
    response = await fetch(target, {
      signal: AbortSignal.timeout(LIMIT_MS),
      ...(token ? { headers: { authorization: `Bearer ${token}` } } : {}),
    });
    body = await response.json().catch(() => undefined);
  } catch (error) {
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = cause instanceof Error ? cause.message || String(cause) : String(cause);
    const text = `cannot reach ${url} (${why}): is the gateway running? Start one with npm start`;
    throw new StartError(text, exitStatus.tempFail);
  }
  if (response.ok && isFrame(body)) return body;
  if (response.status === 404) return undefined;
  const why = isFrame(body) ? textOf(objectOf(body, 'error'), 'message') : '';
  const remedy = response.status === 401 ? '; give --token or SLUICE_TOKEN' : '';
  const status = response.status >= 500 ? exitStatus.tempFail : exitStatus.config;
  throw new StartError(`${target} answered ${response.status} ${why}${remedy}`, status);
}
