export { Conversation, type ConversationOptions } from './chat/conversation.js';
export type { Effect } from './chat/effects.js';
export type { Frame } from './chat/frame.js';
export { socketUrl } from './chat/link.js';
export { printable } from './chat/terminal.js';
export { splitKeys } from './config-flags.js';
export { judge } from './doctor/redis.js';
export { lineOf } from './doctor/report.js';
export { main } from './main.js';
