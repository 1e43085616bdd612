-- Replaces a session's metadata, unless somebody else did meanwhile; its expiry stays as it is.
-- KEYS: state
-- ARGV: known metadata
-- REPLY: not_found | changed <metadata> | replaced
-- RULES: C4
if not s.metadata or s.ended then return { 'not_found' } end
if s.metadata == metadata then return { 'replaced' } end -- also when its reply was lost
if s.metadata ~= known then return { 'changed', s.metadata } end
put('metadata', metadata)
state_save()
return { 'replaced' }
