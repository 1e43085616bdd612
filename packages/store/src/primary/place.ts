import type { Logger } from '@sluice/runtime';
import type { Redis } from 'ioredis';

/** `host:port` of the server that this client is connected to, or the path of its socket. */
export function placeOf(client: Redis): string {
  const { remoteAddress, remotePort } = client.stream ?? {};
  if (remoteAddress === undefined) return client.options.path ?? '';
  return `${remoteAddress.replace(/^::ffff:/, '')}:${remotePort}`;
}

/**
 * Returns what is called whenever the server behind the connection for commands is known. It logs once that another
 * process answers, and then calls `onChange`.
 */
export function makeChangeLog(log: Logger, onChange: () => void) {
  let last: { readonly id: string; readonly place: string } | undefined;
  return (client: Redis, id: string): void => {
    const before = last;
    last = { id, place: placeOf(client) };
    if (!before || before.id === id) return;
    log.warn(
      { primary: last.place, before: before.place },
      'another redis process answers: sessions get new epochs',
    );
    onChange();
  };
}
