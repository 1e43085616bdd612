import { closes } from '@sluice/protocol';
import { monotonicMs } from '@sluice/runtime';
import type { LiveSocket } from './socket.js';

/** Scans per heartbeat interval: a silent peer is closed at most a quarter of it late. */
const SCANS_PER_HEARTBEAT = 4;
const SCAN_MS_MAX = 1_000;

/**
 * Pings each socket every heartbeat and closes those that were silent for two, pongs included. One timer for the whole
 * node; it runs on during a drain. Returns a function that stops it.
 */
export function startLiveness(sockets: ReadonlySet<LiveSocket>, heartbeatMs: number): () => void {
  const scanMs = Math.max(1, Math.min(SCAN_MS_MAX, heartbeatMs / SCANS_PER_HEARTBEAT));
  let dueMs = monotonicMs() + scanMs;

  const scan = () => {
    const nowMs = monotonicMs();
    const lateMs = nowMs - dueMs;
    dueMs = nowMs + scanMs;
    for (const socket of sockets) {
      // After a stall of this process, what came in meanwhile is not read yet: that is no silence of the peer.
      if (lateMs > scanMs) socket.lastInboundMs += lateMs;
      if (nowMs - socket.lastInboundMs > 2 * heartbeatMs) {
        socket.close(closes.livenessTimeout.code, closes.livenessTimeout.reason);
      } else if (nowMs >= socket.nextPingMs) {
        if (socket.nextPingMs > 0) socket.ping();
        socket.nextPingMs = nowMs + heartbeatMs;
      }
    }
  };

  const timer = setInterval(scan, scanMs);
  return () => clearInterval(timer);
}
