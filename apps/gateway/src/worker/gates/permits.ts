import { type PermitScope, type Permits, StoreUnavailable } from '@sluice/store';

/** Permits that this node holds, for sessions whose agent or principal is limited in the cluster. */
export type TurnPermits = {
  /** Takes the permits that a turn of this session needs, or none; `full`: try again after the delay. */
  take(id: string, who: TurnOwner): Promise<{ kind: 'taken' } | { kind: 'full'; delayMs: number }>;
  /** Gives back the permits that are held for the session. */
  give(id: string): void;
  /** Whether permits are held for the session, so that others may wait for them. */
  isLimited(id: string): boolean;
  stop(): void;
};

/** The agent and the principal of a session, by whom turns are limited. */
export type TurnOwner = { readonly agent: string; readonly principal: string };

export type TurnPermitsOptions = {
  readonly permits: Permits;
  readonly ttlMs: number;
  /** How often permits that are taken are kept for another TTL. */
  readonly keepMs: number;
  /** Agents with `max_concurrent`. */
  readonly maxConcurrent: ReadonlyMap<string, number>;
  /** 0: no limit. */
  readonly maxTurnsPerPrincipal: number;
  /** A permit is free, and this session waits for one. */
  onFree(id: string): void;
  onError(error: unknown): void;
};

/** Delay before a session that found no permit tries again: it grows with the number that wait. */
const DELAY_MS = { min: 250, max: 5_000 } as const;

type Limit = { readonly scope: PermitScope; readonly most: number };

/** Keeps the permits that are held from expiring, until `stop`. `take` rejects when Redis is away. */
export function makeTurnPermits(options: TurnPermitsOptions): TurnPermits {
  const { permits, maxConcurrent, maxTurnsPerPrincipal } = options;
  const held = new Map<string, readonly PermitScope[]>();

  function limitsOf({ agent, principal }: TurnOwner): Limit[] {
    const ofAgent = maxConcurrent.get(agent);
    return [
      ...(ofAgent ? [{ scope: { kind: 'agent', name: agent } as const, most: ofAgent }] : []),
      ...(maxTurnsPerPrincipal > 0
        ? [{ scope: { kind: 'principal', name: principal } as const, most: maxTurnsPerPrincipal }]
        : []),
    ];
  }

  /** Returns undefined when all were taken, else the delay; `taken` then has those that were taken before. */
  async function takeAll(
    id: string,
    limits: readonly Limit[],
    taken: PermitScope[],
  ): Promise<number | undefined> {
    for (const { scope, most } of limits) {
      const reply = await permits.take(scope, id, most);
      if (reply.kind === 'full') {
        return Math.min(DELAY_MS.max, DELAY_MS.min * Math.ceil(reply.waiting / most));
      }
      taken.push(scope);
    }
    return undefined;
  }

  /** If the call fails, the permit expires. */
  function giveAll(scopes: readonly PermitScope[], id: string): void {
    for (const scope of scopes) {
      permits
        .give(scope, id)
        .then((waiting) => {
          if (waiting !== '') options.onFree(waiting);
        })
        .catch(report);
    }
  }

  function report(error: unknown): void {
    if (!(error instanceof StoreUnavailable)) options.onError(error);
  }

  async function keepAll(): Promise<void> {
    const byScope = new Map<string, { scope: PermitScope; ids: string[] }>();
    for (const [id, scopes] of held) {
      for (const scope of scopes) {
        const key = `${scope.kind} ${scope.name}`;
        const entry = byScope.get(key) ?? { scope, ids: [] };
        entry.ids.push(id);
        byScope.set(key, entry);
      }
    }
    await Promise.all([...byScope.values()].map(({ scope, ids }) => permits.keep(scope, ids)));
  }
  const timer = setInterval(() => void keepAll().catch(report), options.keepMs);

  return {
    async take(id, whose) {
      // Two rings of one session must not share a permit: the one that comes too late would give it back.
      if (held.has(id)) return { kind: 'full', delayMs: DELAY_MS.min };
      const limits = limitsOf(whose);
      if (limits.length === 0) return { kind: 'taken' };
      const taken: PermitScope[] = [];
      held.set(id, taken);
      let delayMs: number | undefined;
      try {
        delayMs = await takeAll(id, limits, taken);
      } catch (error) {
        this.give(id);
        throw error;
      }
      if (delayMs === undefined) return { kind: 'taken' };
      this.give(id);
      return { kind: 'full', delayMs };
    },
    give(id) {
      const scopes = held.get(id) ?? [];
      held.delete(id);
      giveAll(scopes, id);
    },
    isLimited: (id) => held.has(id),
    stop: () => clearInterval(timer),
  };
}
