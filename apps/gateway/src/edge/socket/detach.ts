import type { EdgeContext } from '../session/context.js';
import type { Connection } from './connection.js';

/** Unbinds a connection from its session; one that tracks no cursor leaves its resume mark (E10). */
export function detach(context: EdgeContext, connection: Connection): void {
  const { state } = connection;
  if (state.kind !== 'attached') return;
  const { reader, feed, ref, mark } = state;
  connection.state = { kind: 'idle' };
  reader.closed = true;
  feed.remove(reader);
  context.fanOut.release(ref);
  mark?.leave();
}
