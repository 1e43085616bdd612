import type { EdgeContext } from '../session/context.js';
import type { Connection } from './connection.js';

/** Unbinds a connection from its session. If it tracks no cursor, the session's resume mark is written (E10). */
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
