export {};
export * from './http-agent.js';
export * from './http-behaviours.js';
export * from './openai-server.js';
