import { defineRoute } from './define-route.js';

/** The socket's path, for who asks without an upgrade. */
export const socketPathRoute = defineRoute({
  method: 'GET',
  path: '/ws',
  access: 'read',
  summary: 'The WebSocket; what it speaks is in docs/reference/protocol.md',
  answers: { 101: { description: 'Frames follow, or one `hello_error` and the close' } },
  errors: ['upgrade_required', 'draining'],
  run({ reply }) {
    const upgrade = { upgrade: 'websocket', connection: 'upgrade' };
    reply.error('upgrade_required', 'This address speaks WebSocket only.', upgrade);
  },
});
