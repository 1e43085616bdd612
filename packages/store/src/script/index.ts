/**
 * Scripts as typed functions: `scripts-*.ts` declare arguments and replies, `script.ts` loads and checks them.
 *
 * Positions of arguments and replies are known here and in the Lua headers, nowhere else (ADR 6).
 * To add one: the .lua file with its contract, its declaration in the file of its topic, a row in
 * docs/internals/failpoints.md.
 * Not here: when to call one.
 */
export {};
