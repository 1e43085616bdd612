/* consume, run-session, turn-loop, linger and hand-over of one node, as far as they act on Redis. An
 * `atomic` is one script with what its caller does on its reply; anything may happen between two. */

/* lease-keeper.ts. A renewal that comes in time changes nothing here, unless it brings news; left are those
 * that come late. */
#define MUST_RENEW(h) (token != my_token[h] || (!until_ahead && (lock == my_token[h] || expiries > 0)))
#define MAY_DOUBT(h)  (token != my_token[h] || lock != my_token[h] || !until_ahead)
#ifdef NO_TELL
#define BRINGS_NEWS(h) false
#else
#define BRINGS_NEWS(h) (token == my_token[h] && until_ahead && inbox_len > 0 && !woken[h])
#endif
/* By its own clock, which ends no later than lease_until (L4). */
#ifdef NO_OWN_CLOCK
#define TRUSTED(h) true
#else
#define TRUSTED(h) (token == my_token[h] && until_ahead)
#endif

inline renew(h) {
  if
  :: token == my_token[h] && lock != my_token[h] && !until_ahead -> expiries-- /* no Redlock: for what is left of the time */
  :: else
  fi;
  lease_renew(h)
}

/* The turn of the wake is the next one. Any other one is old, or unknown: turn_begin says what waits. */
#ifdef NO_COMPARE
#define FOLLOWS(h) (woken_turn[h] != 0)
#else
#ifdef LAST_TURN_ONLY
#define FOLLOWS(h) (woken_turn[h] != 0 && woken_turn[h] != last[h])
#else
#define FOLLOWS(h) (woken_turn[h] != 0 && woken_follows[h] == last[h])
#endif
#endif
inline drop_wake(h) {
  woken[h] = 0; woken_turn[h] = 0; woken_follows[h] = 0; woken_message[h] = 0
}

/* The agent is asked: by the newest holder, for the turn that Redis has as begun, and once. */
inline ask_agent(h) {
#ifndef ONLY_OUTCOMES
  assert(executing == h + 1);
  assert(turn_id == my_turn[h] && !asked);
  asked = 1;
  starts++;
  assert(starts <= attempt)
#else
  skip
#endif
}

inline take_ring(h) {
  if
  :: queue & BIT(1) -> my_ring[h] = 1
  :: queue & BIT(2) -> my_ring[h] = 2
  :: queue & BIT(3) -> my_ring[h] = 3
  :: queue & BIT(4) -> my_ring[h] = 4
  :: queue & BIT(5) -> my_ring[h] = 5
  :: queue & BIT(6) -> my_ring[h] = 6
  :: queue & BIT(7) -> my_ring[h] = 7
  fi;
  queue = queue & ~BIT(my_ring[h])
}

/* What a process forgets when it gives a session up. */
inline forget(h) {
  held[h] = 0; last[h] = 0; drop_wake(h);
  my_token[h] = 0; my_fence[h] = 0; my_turn[h] = 0; next_turn[h] = 0; my_ring[h] = 0; work[h] = 0
}

inline abandon(h) {
  if
  :: lock == my_token[h] -> lock = 0
  :: else
  fi
}

proctype worker(byte h) {
  bool told;
end_start:
  {
    do
    :: atomic { phase[h] != RUNNING -> phase[h] = RUNNING; goto end_start } /* drained: its successor starts */
    :: atomic { queue != 0 && phase[h] == RUNNING -> take_ring(h); break }
    od;

    atomic { /* takeSession: peek, unless the ring tells; acquire, begin */
      if
      :: phase[h] != RUNNING -> goto pass_on
      :: else
      fi;
      told = (tells & BIT(my_ring[h]) -> 1 : 0);
      tells = tells & ~BIT(my_ring[h]);
      if /* the fence that stood when the ring was drawn stands still, or not */
      :: told -> my_fence[h] = fence; goto acquire
      :: told && fence != 0 -> my_fence[h] = 0; goto acquire
      :: !told
      fi
    }
look:
    atomic {
      d_step { session_peek(h) }
      if
      :: word != FREE -> TO(leave)
      :: else -> word = 0
      fi
    }
acquire:
    atomic { /* redlock.acquire, with a token never seen before */
      if
#if TWO_LOCKS > 0
      :: lock != 0 && two_locks > 0 ->
        two_locks--;
        my_token[h] = 2 * h + 1 + (token == 2 * h + 1);
        lock = my_token[h]
#endif
      :: lock != 0 && told -> told = 0; goto look
      :: lock != 0 && !told -> goto pass_on
      :: else -> my_token[h] = 2 * h + 1 + (token == 2 * h + 1); lock = my_token[h]
      fi
    }
    atomic {
      d_step { turn_begin(h) }
      if
      :: word != BEGUN -> TO(refused)
      :: else -> word = 0; told = 0; held[h] = 1; my_ring[h] = 0; d_step { ask_agent(h) }
      fi
    }

turn:
    do
    :: atomic { deltas > 0 -> deltas--; d_step { events_append(h) } word = 0 }
    :: atomic { MUST_RENEW(h) -> d_step { renew(h) }
         if
         :: word == REFUSED -> TO(leave)
         :: else -> word = 0
         fi
       }
    :: atomic { MAY_DOUBT(h) -> goto leave }
#ifdef HANDS_BACK
    :: atomic { MAY_DOUBT(h) -> d_step { turn_release(h, LOST) } TO(late_commit) } /* no majority: handed over */
#endif
    :: atomic { phase[h] != RUNNING -> d_step { turn_release(h, FORCE) } TO(late_commit) }
    :: atomic { d_step { fresh_turn(n); next_turn[h] = n; n = 0 } break }
    od;
commit:
    atomic {
      if
      :: phase[h] != HAND_OVER -> d_step { turn_commit(h, true) }
      :: phase[h] != SOLE -> d_step { turn_commit(h, false) } /* max_turns_per_lease, or a drain */
      fi;
      if
      :: lost_replies > 0 -> lost_replies--; TO(commit)
      :: word == REFUSED -> TO(leave)
      :: word == NEXT ->
        d_step { last[h] = my_turn[h]; my_turn[h] = next_turn[h]; next_turn[h] = 0; drop_wake(h); ask_agent(h) }
        TO(turn)
      :: word == MORE -> TO(yield)
      :: word == IDLE -> word = 0; last[h] = my_turn[h]; my_turn[h] = 0; next_turn[h] = 0; work[h] = 0
      fi
    }

end_linger:
    do
    :: atomic { woken[h] -> break }
    :: atomic { MUST_RENEW(h) || BRINGS_NEWS(h) -> d_step { renew(h) }
         if
         :: word == REFUSED -> TO(leave)
         :: word == WAITS -> word = 0; woken[h] = 1
         :: else -> word = 0
         fi
       }
    :: atomic { MAY_DOUBT(h) -> goto leave }
    :: atomic { LINGER_ENDS -> d_step { leases_release(h) } /* its end, or a drain; a wake may be late */
         if
         :: word == MORE -> word = 0; break
         :: else -> TO(leave)
         fi
       }
    :: atomic { phase[h] != RUNNING -> d_step { turn_release(h, FORCE) } TO(leave) }
    od;
    atomic { /* something waits, or was begun */
      if
      :: phase[h] != HAND_OVER && FOLLOWS(h) && TRUSTED(h) ->
        d_step { my_turn[h] = woken_turn[h]; work[h] = woken_message[h]; drop_wake(h); ask_agent(h) }
        goto turn
      :: phase[h] != HAND_OVER && !(FOLLOWS(h) && TRUSTED(h)) -> d_step { drop_wake(h); turn_begin(h) }
        if
        :: word == BEGUN -> word = 0; d_step { ask_agent(h) } goto turn
        :: word == EMPTY -> TO(end_linger)
        :: word == PAUSED -> TO(yield)
        :: else -> TO(leave)
        fi
      :: goto yield /* a drain, or no free slot or permit */
      fi
    }

yield:
    atomic { d_step { turn_release(h, YIELD) } TO(leave) }
late_commit: /* sent before the deadline, arrives behind the release */
    atomic {
      if
      :: d_step { turn_commit(h, false) } word = 0
      :: skip
      fi;
      goto leave
    }
refused:
    atomic { /* and the ring, whose mark holds back others, goes round again */
      d_step { abandon(h) }
      if
#ifdef DROP_TOLD
      :: told -> told = 0; goto leave
#else
      :: told -> told = 0; my_token[h] = 0; goto look
#endif
      :: else
      fi
    }
#ifdef DROP_REFUSED
    goto leave;
#endif
pass_on:
    atomic { d_step { ring_draw() } goto leave }
leave:
#ifdef QUORUM
    atomic { d_step { abandon(h); forget(h) } goto end_start }
#else
    atomic { d_step { forget(h) } goto end_start }
#endif
  } unless {
    atomic { crashed[h] -> d_step { forget(h); told = 0; crashed[h] = 0; phase[h] = RUNNING } goto end_start }
  }
}
