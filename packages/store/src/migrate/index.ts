/**
 * Moves a data set to another Redis, another prefix or another number of partitions (`sluice migrate`).
 *
 * Sessions are copied while nodes run; the last pass closes them at the source, one by one, so that what is copied
 * cannot change any more (ADR 29). `walk.ts` finds what there is, `session-copy.ts` copies one session, `migrate.ts`
 * orders it.
 * Not here: options and output; that is the command line's.
 */
export {};
