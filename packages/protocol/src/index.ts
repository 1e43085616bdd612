export * from './client-frames.js';
export * from './close-codes.js';
export * from './decode.js';
export * from './errors.js';
export * from './logged-frames.js';
export * from './server-frames.js';
export * from './session-state.js';
