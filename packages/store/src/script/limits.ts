/** Limits as the configuration has them; what each means is in docs/reference/configuration.md. */
export type StoreLimits = {
  readonly ttlMs: number;
  readonly maxAttempts: number;
  readonly maxHandOvers: number;
  readonly maxInbox: number;
  readonly maxInboxBytes: number;
  readonly maxEvents: number;
  readonly maxLogBytes: number;
  readonly maxMessages: number;
  readonly maxSeen: number;
  readonly maxDead: number;
  readonly resumeWindowMs: number;
};

/** The same under the names that scripts have for them. A connection adds those that a script asks for to each call. */
export const limitArgs = (limits: StoreLimits) => ({
  max_attempts: limits.maxAttempts,
  max_hand_overs: limits.maxHandOvers,
  max_inbox: limits.maxInbox,
  max_inbox_bytes: limits.maxInboxBytes,
  max_events: limits.maxEvents,
  max_log_bytes: limits.maxLogBytes,
  max_messages: limits.maxMessages,
  max_seen: limits.maxSeen,
  max_dead: limits.maxDead,
  resume_window: limits.resumeWindowMs,
});

export type LimitArgs = ReturnType<typeof limitArgs>;
