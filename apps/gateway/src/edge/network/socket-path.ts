import type { Route } from './transport.js';

/** The path of WebSockets, for a request without an upgrade. */
export const socketPath: Route = {
  method: 'GET',
  path: '/ws',
  access: 'read',
  run({ reply }) {
    const upgrade = { upgrade: 'websocket', connection: 'upgrade' };
    reply.error('upgrade_required', 'This path accepts only WebSocket upgrades.', upgrade);
  },
};
