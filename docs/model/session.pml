/* Lease, fence, inbox, linger, hand-over and resume of one session: see README.md.
 * Budgets bound how often something goes wrong; 0 switches it off. */
#ifndef M
#define M 2          /* messages */
#endif
#define HOLDERS 2
#ifndef EXPIRIES
#define EXPIRIES 0   /* Redlock gone, or lease_until passed, under a holder that lives: stopped, cut off, slow */
#endif
#ifndef CRASHES
#define CRASHES 0
#endif
#ifndef LOST_RINGS
#define LOST_RINGS 0
#endif
#ifndef BAD_WAKES
#define BAD_WAKES 0  /* wakes that were counted and never read, or that nobody heard */
#endif
#ifndef LOST_REPLIES
#define LOST_REPLIES 0
#endif
#ifndef DRAINS
#define DRAINS 0
#endif
#ifndef DELTAS
#define DELTAS 0
#endif

mtype:reply = { NONE, HELD, FREE, REFUSED, EMPTY, BEGUN, APPENDED, RENEWED, IDLE, MORE, NEXT, RELEASED };
mtype:how = { AS_IDLE, YIELD, FORCE };
mtype:wake = { HEARD, MISSED, DEAF };
mtype:phase = { RUNNING, HAND_OVER, SOLE };

mtype:reply word;    /* the reply of the script that ran last; 0 once its caller has acted on it */
hidden byte n, i, live;
#define TO(label) word = 0; goto label

#ifdef CLIENT
#define EVENTS 10    /* more than a run can log */
bit subscribed, cut;
chan published = [EVENTS] of { byte };
#endif

#include "redis.pml"

mtype:phase phase[HOLDERS] = RUNNING;
bit crashed[HOLDERS];
byte expiries = EXPIRIES, crashes = CRASHES, lost_rings = LOST_RINGS, bad_wakes = BAD_WAKES;
byte lost_replies = LOST_REPLIES, drains = DRAINS, deltas = DELTAS;

/* lease-keeper.ts. A renewal that comes in time changes nothing here; left are those that come late. */
#define MUST_RENEW(h) (token != my_token[h] || (!until_ahead && (lock == my_token[h] || expiries > 0)))
#define MAY_DOUBT(h)  (token != my_token[h] || lock != my_token[h] || !until_ahead)
inline renew(h) {
  if
  :: token == my_token[h] && lock != my_token[h] -> expiries-- /* no Redlock: for what is left of the time */
  :: else
  fi;
  lease_renew(h)
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
  held[h] = 0; woken[h] = 0; my_token[h] = 0; my_fence[h] = 0; my_turn[h] = 0; next_turn[h] = 0;
  my_ring[h] = 0; work[h] = 0
}

inline abandon(h) {
  if
  :: lock == my_token[h] -> lock = 0
  :: else
  fi
}

/* consume, run-session, turn-loop, linger and hand-over of one node, as far as they act on Redis. An
 * `atomic` is one script with what its caller does on its reply; anything may happen between two. */
proctype worker(byte h) {
end_start:
  {
    do
    :: atomic { phase[h] != RUNNING -> phase[h] = RUNNING; goto end_start } /* drained: its successor starts */
    :: atomic { queue != 0 && phase[h] == RUNNING -> take_ring(h); break }
    od;

    atomic { /* takeSession: peek, acquire, begin */
      if
      :: phase[h] != RUNNING -> goto pass_on
      :: else
      fi;
      d_step { session_peek(h) }
      if
      :: word != FREE -> TO(leave)
      :: else -> word = 0
      fi
    }
    atomic { /* redlock.acquire, with a token never seen before */
      if
      :: lock != 0 -> goto pass_on
      :: else -> my_token[h] = 2 * h + 1 + (token == 2 * h + 1); lock = my_token[h]
      fi
    }
    atomic {
      d_step { turn_begin(h) }
      if
      :: word != BEGUN -> TO(refused)
      :: else -> word = 0; held[h] = 1; my_ring[h] = 0
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
      :: word == NEXT -> my_turn[h] = next_turn[h]; next_turn[h] = 0; woken[h] = 0; TO(turn)
      :: word == MORE -> TO(yield)
      :: word == IDLE -> word = 0; my_turn[h] = 0; next_turn[h] = 0; work[h] = 0
      fi
    }

linger:
    do
    :: atomic { woken[h] -> woken[h] = 0; break }
    :: atomic { MUST_RENEW(h) -> d_step { renew(h) }
         if
         :: word == REFUSED -> TO(leave)
         :: else -> word = 0
         fi
       }
    :: atomic { MAY_DOUBT(h) -> goto leave }
    :: atomic { d_step { turn_release(h, AS_IDLE) } /* the linger is over, or a drain; a wake may be late */
         if
         :: word == MORE -> word = 0; break
         :: else -> TO(leave)
         fi
       }
    od;
    atomic { /* something waits */
      if
      :: phase[h] != HAND_OVER -> d_step { turn_begin(h) }
        if
        :: word == BEGUN -> TO(turn)
        :: word == EMPTY -> TO(linger)
        :: else -> TO(leave)
        fi
      :: goto yield /* a drain, or no free slot */
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
    atomic { d_step { abandon(h) } } /* and the ring, whose mark holds back others, goes round again */
pass_on:
    atomic { d_step { ring_draw() } goto leave }
leave:
    atomic { d_step { forget(h) } goto end_start }
  } unless {
    atomic { crashed[h] -> d_step { forget(h); crashed[h] = 0; phase[h] = RUNNING } goto end_start }
  }
}

#ifndef NO_SWEEP
proctype sweep() {
end:
  do
  :: d_step { pending && queue + my_ring[0] + my_ring[1] == 0 && !(inbox_len > 0 && LIVE) ->
       pending_sweep() }
  od
}
#endif

/* Sends the messages one after the other, each perhaps twice. */
proctype sender() {
  byte m = 1;
  do
  :: atomic {
       m <= M ->
       if
       :: d_step { inbox_append(m, HEARD) }
       :: bad_wakes > 0 && m > seen && LIVE && !batch ->
         bad_wakes--;
         if
         :: d_step { inbox_append(m, MISSED) }
         :: d_step { inbox_append(m, DEAF) }
         fi
       fi;
       if
       :: m++
       :: lost_replies > 0 -> lost_replies--
       fi
     }
  :: m > M -> break
  od
}

/* A lease that nobody renews runs out; one that is renewed only by a fault. */
#define UNATTENDED(t) ((t) != 0 && my_token[OWNER(t)] != (t))
proctype time() {
end:
  do
  :: d_step { UNATTENDED(lock) -> lock = 0 }
  :: d_step { UNATTENDED(token) && until_ahead -> until_ahead = 0 }
  od
}

proctype faults() {
end:
  do
  :: d_step { expiries > 0 && LIVE -> expiries--; lock = 0; until_ahead = 0 } /* stopped past the TTL */
  :: d_step { expiries > 0 && lock != 0 -> expiries--; lock = 0 }
  :: d_step { expiries > 0 && LIVE -> expiries--; until_ahead = 0 }
  :: d_step { crashes > 0 && my_ring[0] + my_token[0] > 0 -> crashes--; crashed[0] = 1 }
  :: d_step { crashes > 0 && my_ring[1] + my_token[1] > 0 -> crashes--; crashed[1] = 1 }
  :: d_step { lost_rings > 0 && queue != 0 -> lost_rings--; queue = 0 }
  od
}

/* SIGTERM: rings go elsewhere at once, nothing is given away before the others were counted (D2). */
proctype operator() {
  byte h;
end:
  do
  :: atomic { drains > 0 ->
       if
       :: phase[0] == RUNNING -> h = 0
       :: phase[1] == RUNNING -> h = 1
       fi;
       drains--;
       phase[h] = SOLE
     }
     atomic { /* node_drain */
       if
       :: phase[h] == SOLE && phase[1 - h] == RUNNING -> phase[h] = HAND_OVER
       :: else
       fi;
       h = 0
     }
  od
}

#ifdef CLIENT
#include "client.pml"
#endif

/* Nothing moves any more: nothing waits either, and the client has seen it all. */
proctype quiet() {
end:
  timeout ->
  assert(done == M);
#ifdef CLIENT
  assert(got == cursor)
#endif
}

init {
  atomic {
    run worker(0); run worker(1); run sender(); run time(); run quiet();
#ifndef NO_SWEEP
    run sweep();
#endif
#if EXPIRIES + CRASHES + LOST_RINGS > 0
    run faults();
#endif
#if DRAINS > 0
    run operator();
#endif
#ifdef CLIENT
    run client();
#endif
  }
}

/* T7: every accepted message is executed in the end. */
ltl served { <> (done == M) }
