-- The started head has its outcome: its fields go, so that none is taken for the next head's. (`attempt`, `turn_word`
-- and `first_at` stay: without `batch` they mean nothing, and each head that starts sets its own.)
local function head_forget()
  for _, field in ipairs({ 'batch', 'abort', 'hand_overs', 'handed', 'turn_id', 'pause', 'cuts', 'retry_at',
    'retry_delay', 'failing_since' }) do put(field, false) end
end
