export * from './assert.js';
export * from './exit-status.js';
export * from './log.js';
export * from './time.js';
export * from './units.js';
