export * from './config.js';
export { type MakeAgentOptions, makeAgent } from './make-agent.js';
export * from './port.js';
export * from './retry-delay.js';
