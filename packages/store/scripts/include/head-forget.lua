-- The started head has its outcome: nothing of it is left to be taken for the next one's. (`attempt`, `turn_word` and
-- `first_at` stay: without `batch` they say nothing, and each head that starts has its own.)
local function head_forget()
  for _, field in ipairs({ 'batch', 'abort', 'hand_overs', 'handed', 'turn_id', 'pause', 'cuts', 'retry_at',
    'retry_delay', 'failing_since' }) do put(field, false) end
end
