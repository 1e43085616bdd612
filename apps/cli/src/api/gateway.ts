import { exitStatus, StartError } from '@sluice/runtime';
import { type Frame, isFrame, objectOf, textOf } from './frame.js';
import { remedyOf, unreachableText } from './remedy.js';

/** Long enough for a slow answer; a gateway behind a broken balancer must not block a script for ever. */
const LIMIT_MS = 10_000;

export type Gateway = { readonly url: string; readonly token?: string | undefined };

export type Call = {
  readonly method: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** Parameters without a value are left out. */
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  /** Sent as JSON. */
  readonly body?: Frame;
};

/** The gateway refused the request. */
export class Refused extends StartError {
  constructor(
    message: string,
    status: number,
    /** `error.code` of the answer; '' when the answer did not come from a gateway. */
    readonly code: string,
  ) {
    super(message, status);
  }
}

/** One call of the HTTP API. Throws StartError (75) without an answer, Refused when it is refused. */
export async function ask(gateway: Gateway, call: Call): Promise<Frame> {
  const target = targetOf(gateway, call);
  const { response, body } = await send(gateway, { method: call.method, target, body: call.body });
  if (response.ok && isFrame(body)) return body;
  throw refusalOf(gateway, { call, target, status: response.status, body });
}

function targetOf({ url }: Gateway, { path, query = {} }: Call): string {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) given.set(name, String(value));
  }
  return `${url}${path}${given.size > 0 ? `?${given}` : ''}`;
}

async function send(
  { url, token }: Gateway,
  { method, target, body }: { method: string; target: string; body: Frame | undefined },
): Promise<{ response: Response; body: unknown }> {
  try {
    const response = await fetch(target, {
      method,
      signal: AbortSignal.timeout(LIMIT_MS),
      ...(body ? { body: JSON.stringify(body) } : {}),
      ...(token ? { headers: { authorization: `Bearer ${token}` } } : {}),
    });
    const text = await response.text();
    return { response, body: parse(text) };
  } catch (error) {
    throw new StartError(unreachableText(url, error, LIMIT_MS), exitStatus.tempFail);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refusalOf(
  gateway: Gateway,
  { call, target, status, body }: { call: Call; target: string; status: number; body: unknown },
): Refused {
  const error = isFrame(body) ? objectOf(body, 'error') : {};
  const code = textOf(error, 'code');
  const why = textOf(error, 'message') || 'no answer of a Sluice gateway';
  const remedy = remedyOf({ status, code, path: call.path, hasToken: Boolean(gateway.token) });
  const isPassing = error.retryable === true || status >= 500;
  return new Refused(
    `${call.method} ${target} answered ${status}: ${why.replace(/\.$/, '')}; ${remedy}`,
    isPassing ? exitStatus.tempFail : exitStatus.refused,
    code,
  );
}
