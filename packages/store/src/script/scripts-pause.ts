import { defineScript } from './script.js';
import { unexpected } from './script-replies.js';

export type PauseReply =
  | { readonly kind: 'not_found' }
  | { readonly kind: 'paused' }
  /** `isPaused`: its agent still is. `ring`: the number of the ring to add; '' when none is due. */
  | { readonly kind: 'resumed'; readonly isPaused: boolean; readonly ring: string };

export const sessionPause = defineScript('session-pause', {
  keys: ['state', 'inbox', 'pending', 'paused_agents'],
  args: ['id', 'pause', 'known', 'created_at'],
  decode(word, reply): PauseReply {
    if (word === 'not_found' || word === 'paused') return { kind: word };
    if (word !== 'resumed') return unexpected(word);
    return { kind: word, isPaused: reply.flag(), ring: reply.text() };
  },
});

export const agentPause = defineScript('agent-pause', {
  keys: ['paused_agents'],
  args: ['agent', 'pause', 'known'],
  decode: (_word, reply): number => reply.int(),
});

export const pauseCopy = defineScript('pause-copy', {
  keys: ['paused_agents'],
  args: ['agent', 'number'],
  decode: (word) => word,
});
