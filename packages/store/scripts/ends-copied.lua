-- Removes a SESSION_END record that was copied to the global stream.
-- KEYS: ends
-- ARGV: record
-- REPLY: copied
-- RULES: D4
redis.call('LREM', ends, 1, record)
return { 'copied' }
