export * from './assert.js';
export * from './exit-status.js';
export * from './failpoint.js';
export * from './ids.js';
export * from './lifecycle.js';
export * from './log.js';
export * from './time.js';
export * from './units.js';
