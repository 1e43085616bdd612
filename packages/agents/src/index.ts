export type { ProcessEvent } from './command-turns.js';
export * from './config.js';
export { type MakeAgentOptions, makeAgent } from './make-agent.js';
export * from './port.js';
export * from './retry-delay.js';
