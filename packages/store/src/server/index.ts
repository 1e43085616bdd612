/**
 * What a server is: Redis or Valkey, of which version, what it can do; read from its INFO.
 *
 * `one-look.ts` asks a server once, for `sluice doctor` and other tools.
 * Not here: connections that stay, and what to do about it.
 */
export {};
