import { socketPath } from '../../network/socket-path.js';
import { defineRoute } from '../define-route.js';

/** The description of the socket's path. */
export const socketPathRoute = defineRoute({
  ...socketPath,
  operate: 'refused',
  summary: 'The WebSocket; what it speaks is in docs/reference/protocol.md',
  answers: { 101: { description: 'Frames follow, or one `hello_error` and the close' } },
  errors: ['upgrade_required', 'draining'],
});
