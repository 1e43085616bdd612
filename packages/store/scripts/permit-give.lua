-- Gives a permit back and answers who has waited longest for one, '' for nobody.
-- KEYS: permits waiting
-- ARGV: holder
-- REPLY: given <id>
-- RULES: B1
redis.call('ZREM', permits, holder)
return { 'given', redis.call('ZRANGE', waiting, 0, 0)[1] or '' }
