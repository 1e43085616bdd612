/**
 * What a server is: Redis or Valkey, of which version, what it can do; read from its INFO.
 * Not here: connections, and what to do about it.
 */
export {};
