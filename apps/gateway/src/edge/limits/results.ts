import type { ErrorCode, HelloErrorCode } from '@sluice/protocol';
import type { CountBy, EdgeMetrics } from '../../metrics/index.js';

/** The result of a request for a WebSocket. */
export type UpgradeResult = 'accepted' | 'draining' | 'full' | 'invalid' | HelloErrorCode;

/** All results that occur; the other codes occur only with `hello`. */
export const upgradeResults: readonly UpgradeResult[] = [
  'accepted',
  'draining',
  'full',
  'invalid',
  'auth_required',
  'auth_unauthorized',
  'origin_not_allowed',
  'rate_limited',
  'unavailable',
];

/** The result of a message that a client sent. */
export type MessageResult = 'accepted' | 'duplicate' | ErrorCode;

/** All results that occur; the other codes are not for messages. */
export const messageResults: readonly MessageResult[] = [
  'accepted',
  'duplicate',
  'invalid_frame',
  'payload_too_large',
  'not_joined',
  'insufficient_scope',
  'session_not_found',
  'session_ended',
  'agent_not_found',
  'auth_unauthorized',
  'wrong_agent',
  'busy',
  'inbox_full',
  'rate_limited',
  'draining',
  'unavailable',
  'internal',
];

/** What this room counts and measures. */
export type EdgeCounts = EdgeMetrics<UpgradeResult, MessageResult> & {
  readonly sessionEnd: CountBy<'client_end' | 'operator'>;
};
