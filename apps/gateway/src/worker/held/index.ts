/**
 * A session whose lease this node has: renewing it, lingering with it, handing it over.
 *
 * `held-session.ts` is its state; `lease-keeper.ts` renews it and tells when it is lost (L4); `hand-over.ts` is
 * the only way to give it up.
 * `repeat-while-away.ts` repeats a call while Redis is away; `context.ts` is what the files of the worker share.
 * Not here: what a turn does.
 */
export {};
