/** KEYS state, inbox, events; ARGV the message, the event without its end. Returns the number of the event. */
export const appendScript = `
local seq = redis.call('HINCRBY', KEYS[1], 'cursor', 1)
redis.call('RPUSH', KEYS[2], ARGV[1])
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 2000, seq .. '-0', 'f', ARGV[2] .. ',"seq":' .. seq .. '}')
return seq`;

/** KEYS state, inbox, events, messages, channel; ARGV two lines of history, the event without its end. */
export const commitScript = `
redis.call('LPOP', KEYS[2])
local seq = redis.call('HINCRBY', KEYS[1], 'cursor', 1)
redis.call('RPUSH', KEYS[4], ARGV[1], ARGV[2])
local event = ARGV[3] .. ',"seq":' .. seq .. ',"cursor":' .. seq .. '}'
redis.call('XADD', KEYS[3], 'MAXLEN', '~', 2000, seq .. '-0', 'f', event)
redis.call('PUBLISH', KEYS[5], seq .. event)
return seq`;

/** KEYS state, events, channel; ARGV the event without its end. */
export const deltaScript = `
local seq = redis.call('HINCRBY', KEYS[1], 'cursor', 1)
local event = ARGV[1] .. ',"seq":' .. seq .. ',"cursor":' .. seq .. '}'
redis.call('XADD', KEYS[2], 'MAXLEN', '~', 2000, seq .. '-0', 'f', event)
redis.call('PUBLISH', KEYS[3], seq .. event)
return seq`;
