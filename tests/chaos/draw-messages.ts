import type { Mode } from '@sluice/testkit';
import type { Draft } from './conversation.js';
import type { Random } from './random.js';

/** Mostly the usual mode; each other mode often enough to meet every fault. */
function drawMode(random: Random): Mode {
  const drawn = random.next();
  if (drawn < 0.04) return 'interrupt';
  if (drawn < 0.1) return 'collect';
  return drawn < 0.12 ? 'reject' : 'enqueue';
}

/** The messages of one client that keeps sending, with pauses like those of a person who types. */
export function drawMessages(random: Random): () => Draft | undefined {
  let made = 0;
  let nextMs = 0;
  return () => {
    const now = performance.now();
    if (now < nextMs) return undefined;
    nextMs = now + random.between(50, 900);
    made += 1;
    return { messageId: `m${made}`, mode: drawMode(random) };
  };
}
