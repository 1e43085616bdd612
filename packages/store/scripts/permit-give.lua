-- Gives a permit back and returns the id of the session that has waited longest for one, '' for none.
-- KEYS: permits waiting
-- ARGV: holder
-- REPLY: given <id>
-- RULES: B1
redis.call('ZREM', permits, holder)
return { 'given', redis.call('ZRANGE', waiting, 0, 0)[1] or '' }
