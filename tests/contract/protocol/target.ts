import { randomUUID } from 'node:crypto';
import { type Frame, FrameClient, type FrameMatch } from '@sluice/testkit';

/**
 * A running gateway, of any implementation. It has two agents: `echo` answers `echo: <content>` at once and
 * whole, `slow` the same after `slowMs`, streamed word by word. `token` may read and write.
 */
export type Target = {
  /** `http://HOST:PORT` */
  readonly url: string;
  readonly token: string;
  readonly slowMs: number;
};

export type ContractCase = {
  readonly title: string;
  run(target: Target): Promise<void>;
};

export const wsUrlOf = ({ url }: Target) => `${url.replace(/^http/, 'ws')}/ws`;

/** A new socket, without a session. */
export const open = (target: Target): Promise<FrameClient> =>
  FrameClient.connect(wsUrlOf(target), { token: target.token });

export const newSession = () => `contract-${randomUUID()}`;

export type Attached = {
  readonly client: FrameClient;
  readonly sessionId: string;
  readonly hello: Frame;
};

/** A socket that is attached to a new session, unless `fields` name another. */
export async function attach(
  target: Target,
  fields: Readonly<Record<string, unknown>> = {},
): Promise<Attached> {
  const client = await open(target);
  const given = fields.session_id;
  const sessionId = typeof given === 'string' ? given : newSession();
  const hello = await client.hello({
    agent_id: 'echo',
    session_id: sessionId,
    since: 0,
    ...fields,
  });
  return { client, sessionId, hello };
}

/** Sends a frame and returns the first matching frame that comes after it. */
export async function ask(
  client: FrameClient,
  frame: unknown,
  match: FrameMatch = () => true,
): Promise<Frame> {
  const from = client.frames.length;
  const matches = typeof match === 'function' ? match : fieldsOf(match);
  if (typeof frame === 'string' || Buffer.isBuffer(frame)) client.sendRaw(frame);
  else client.send(frame);
  let at = from;
  return client.waitFor(
    (seen) => client.frames.indexOf(seen, from) >= at && matches(seen) && ++at > 0,
  );
}

const fieldsOf =
  (fields: Readonly<Record<string, unknown>>) =>
  (frame: Frame): boolean =>
    Object.entries(fields).every(([name, value]) => frame[name] === value);

/** Whether the connection answers a ping. */
export async function isAlive(client: FrameClient): Promise<boolean> {
  return (await ask(client, { type: 'ping' }, { type: 'pong' })).type === 'pong';
}

/** An HTTP request with the target's token. */
export const http = (target: Target, path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(`${target.url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${target.token}`, ...init.headers },
  });
