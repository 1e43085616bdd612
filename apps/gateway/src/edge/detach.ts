import type { Connection } from './connection.js';
import type { EdgeContext } from './context.js';

/** Unbinds a connection from its session; one that tracks no cursor leaves its resume mark (E10). */
export function detach(context: EdgeContext, connection: Connection): void {
  const { state } = connection;
  if (state.kind !== 'attached') return;
  const { reader, feed, ref, markId } = state;
  connection.state = { kind: 'idle' };
  reader.closed = true;
  feed.remove(reader);
  context.fanOut.release(ref);
  if (markId !== undefined) {
    track(
      context,
      context.sessions.mark(ref, { attachId: markId, seq: reader.handed, gone: true }),
    );
  }
}

/** Keeps hold of a mark under way, so that a drain can wait for it. */
function track(context: EdgeContext, mark: Promise<unknown>): void {
  const settled = mark
    .catch((err) => context.log.debug({ err }, 'resume mark not written'))
    .finally(() => context.marking.delete(settled));
  context.marking.add(settled);
}
