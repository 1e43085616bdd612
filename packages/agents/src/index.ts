export * from './config.js';
export * from './port.js';
