import type { DeadLetter, LetterCursor } from '@sluice/store';
import type { EdgeContext } from '../context.js';
import { buildEvent } from '../frames.js';
import { refusalOf } from '../send-message.js';
import type { Exchange, Route } from '../transport.js';
import { fromStore, logAct, pageSize, unlessDraining } from './guards.js';

/** The paths for dead letters: who operates the cluster looks at them, retries or deletes them (T4). */
export function deadLetterRoutes(context: EdgeContext): Route[] {
  return [
    {
      method: 'GET',
      path: '/v1/dead-letters',
      access: 'admin',
      run: fromStore((exchange) => list(context, exchange)),
    },
    {
      method: 'POST',
      path: '/v1/dead-letters/:id/retry',
      access: 'admin',
      run: unlessDraining(
        context,
        fromStore((exchange) => retry(context, exchange)),
      ),
    },
    {
      method: 'DELETE',
      path: '/v1/dead-letters/:id',
      access: 'admin',
      run: fromStore((exchange) => drop(context, exchange)),
    },
  ];
}

async function list(context: EdgeContext, exchange: Exchange): Promise<void> {
  const { request, reply } = exchange;
  const principal = request.query.get('principal') ?? undefined;
  const after = request.query.get('after');
  const cursor = after === null ? undefined : decodeCursor(after);
  if (after !== null && !cursor) {
    return reply.error('invalid_frame', 'after must be the "next" of an earlier page');
  }
  const count = pageSize(exchange);
  if (count === undefined) return;
  const page = await context.deadLetters.list({ principal, after: cursor, count });
  logAct(context, exchange, { action: 'dead_letters_list', target: principal ?? '*' });
  reply.json(200, {
    dead_letters: page.letters.map(toJson),
    next: page.next ? `${page.next.number}-${page.next.partition}` : null,
  });
}

async function retry(context: EdgeContext, exchange: Exchange): Promise<void> {
  const { reply, params, request } = exchange;
  const { id = '' } = params;
  const principal = request.query.get('principal') ?? undefined;
  const retried = await context.deadLetters.retry(id, principal);
  logAct(context, exchange, { action: 'dead_letter_retry', target: id, outcome: retried.kind });
  switch (retried.kind) {
    case 'not_found':
      return notFound(exchange);
    case 'gone':
      return reply.error(
        'session_not_found',
        'the session of this dead letter has expired or was ended; the letter is kept',
      );
    case 'full': {
      const { code, text } = refusalOf(retried);
      return reply.error(code, text);
    }
    case 'accepted': {
      const names = { sessionId: retried.sessionId, agentId: '' };
      const { frame } = buildEvent(retried.event, names);
      return reply.json(202, { ...frame, durability: await context.durability.reached() });
    }
  }
}

async function drop(context: EdgeContext, exchange: Exchange): Promise<void> {
  const { reply, params, request } = exchange;
  const { id = '' } = params;
  const principal = request.query.get('principal') ?? undefined;
  const dropped = await context.deadLetters.drop(id, principal);
  const outcome = dropped ? 'dropped' : 'not_found';
  logAct(context, exchange, { action: 'dead_letter_delete', target: id, outcome });
  if (dropped) reply.json(200, { type: 'dead_letter_deleted', id });
  else notFound(exchange);
}

function notFound({ reply }: Exchange): void {
  reply.error('not_found', 'no such dead letter: it was retried, deleted or pushed out by others');
}

function decodeCursor(text: string): LetterCursor | undefined {
  const [, number, partition] = /^(\d{1,16})-(\d{1,6})$/.exec(text) ?? [];
  if (number === undefined) return undefined;
  return { number: Number(number), partition: Number(partition) };
}

function toJson(letter: DeadLetter) {
  return {
    id: letter.letterId,
    principal: letter.principal,
    session_id: letter.sessionId,
    agent_id: letter.agent,
    message_id: letter.messageId,
    reason: letter.reason,
    attempts: letter.attempts,
    timestamp: letter.deadAtMs / 1_000,
    accepted_at: letter.acceptedAtMs / 1_000,
    content: letter.content,
    metadata: letter.metadata,
  };
}
