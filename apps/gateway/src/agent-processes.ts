import type { ProcessEvent } from '@sluice/agents';
import { atMostEvery, type Logger } from '@sluice/runtime';

/** A program may print as many lines as it likes: the log has one line about them in this time. */
const STRAY_LINE_MS = 10_000;

/** Logs and counts events of an agent's processes that belong to no single turn. `onEnd`: a process ended. */
export function watchProcesses(agent: string, log: Logger, onEnd: () => void) {
  const strayLines = atMostEvery(STRAY_LINE_MS);
  return (event: ProcessEvent): void => {
    if (event.kind === 'ended') {
      const { pid, why, turns, restartMs: restart_ms } = event;
      onEnd();
      log.warn({ agent, pid, why, turns, restart_ms }, 'a process of the agent ended');
      return;
    }
    // Only at level debug: the line may have what a message says (X6).
    const { start, chars } = event;
    log.debug({ agent, start }, 'stray line of the agent');
    const lines = strayLines();
    if (lines > 0) {
      log.warn(
        { agent, lines, chars },
        'the agent wrote to its stdout what answers no turn: it was skipped; logs belong to stderr',
      );
    }
  };
}
