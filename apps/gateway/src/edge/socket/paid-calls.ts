import { errorFrame } from '../delivery/frames.js';
import { TOO_MANY_REQUESTS, unlessAway } from '../limits/rates.js';
import type { EdgeContext } from '../session/context.js';
import type { Connection } from './connection.js';

type Price = { readonly cost: number; readonly messageId?: string | undefined };

/** Makes a call that first draws its tokens; without them it sends `rate_limited` instead. */
export function paid(
  { rates }: Pick<EdgeContext, 'rates'>,
  { socket, outbound }: Connection,
  { cost, messageId }: Price,
  call: () => Promise<unknown>,
): () => Promise<unknown> {
  return async () => {
    const admitted = await unlessAway(rates.request(socket.identity.principal, cost));
    if (admitted.kind === 'admitted') return await call();
    const { retryAfterMs } = admitted;
    return outbound.json(
      errorFrame('rate_limited', TOO_MANY_REQUESTS, { messageId, retryAfterMs }),
    );
  };
}
