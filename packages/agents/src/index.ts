export type { ProcessEvent } from './command/command-turns.js';
export { type MakeAgentOptions, makeAgent } from './make-agent.js';
export * from './port/config.js';
export * from './port/port.js';
export * from './port/retry-delay.js';
