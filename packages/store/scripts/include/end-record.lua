-- SESSION_END: an event of the log, and a record that is copied to the global stream (D4).
local function end_record(reason, reason_code, pending_count, was_executing, continues)
  local data = {
    session_id = s.session_id, agent_id = s.agent, reason = reason, reason_code = reason_code,
    had_pending_work = pending_count > 0, was_executing = was_executing,
    pending_count = pending_count, continues = continues,
  }
  local seq = log_append({ 't', 'e', 'd', cjson.encode(data) })
  local fence_drawn = tonumber(s.fence or 0)
  data.v, data.type, data.principal, data.node_id = '1', 'SESSION_END', s.principal, node
  data.fence, data.cursor, data.epoch, data.ts = fence_drawn, seq, s.epoch, now
  data.event_id = string.format('%s:%d:%d', id, fence_drawn, seq)
  local record = cjson.encode(data)
  redis.call('RPUSH', ends, record)
  return record
end
