-- Keeps an idle session that somebody is attached to from expiring.
-- KEYS: state inbox events messages seen sessions owned
-- ARGV: id unused_window resume_window
-- REPLY: not_found | busy | touched
-- RULES: C4
--@include clock
--@include expiry
if not s.accepted or s.ended then return { 'not_found' } end
if redis.call('LLEN', inbox) > 0 then return { 'busy' } end
redis.call('ZCARD', owned) -- read before anything is written
redis.call('ZCARD', sessions)
if not s.token then expiry_set(now + (s.accepted == '1' and resume_window or unused_window)) end
redis.call('ZADD', sessions, now_text, id)
redis.call('ZADD', owned, now_text, id)
return { 'touched' }
