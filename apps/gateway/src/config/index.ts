/**
 * The configuration: parsed once, checked as a whole, frozen. `../config.ts` is the way in.
 *
 * Here: the schema and defaults of each key, where a value comes from (file, environment, flags), relations
 * between values.
 * To add a key: schema, defaults, `config-types`, and docs/reference/configuration.md; a test compares them.
 * Not here: what a value does. Nothing in this room opens a connection or keeps state.
 */
export {};
