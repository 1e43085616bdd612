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
#ifndef LATE_WAKES
#define LATE_WAKES 0 /* wakes that come at any later time, or at once and then again */
#endif
#ifndef PAUSES
#define PAUSES 0
#endif
#ifndef TOUCHES
#define TOUCHES 0    /* attaches, and clients that stay attached */
#endif
#ifdef LONG_LINGER
#define LINGER_ENDS (phase[h] != RUNNING) /* it lasts as long as the conversation */
#else
#define LINGER_ENDS true
#endif
#ifndef LOST_REPLIES
#define LOST_REPLIES 0
#endif
#ifndef DRAINS
#define DRAINS 0
#endif
#ifndef TWO_LOCKS
#define TWO_LOCKS 0  /* Redlocks that are given although another has them: members of a quorum lost their keys */
#endif
#ifndef DELTAS
#define DELTAS 0
#endif

mtype:reply = { NONE, HELD, PAUSED, FREE, REFUSED, EMPTY, BEGUN, APPENDED, RENEWED, WAITS, IDLE, MORE, NEXT, RELEASED };
mtype:how = { YIELD, FORCE, LOST };
mtype:wake = { HEARD, MISSED, DEAF, LATE, DOUBLED };
mtype:phase = { RUNNING, HAND_OVER, SOLE };

mtype:reply word;    /* the reply of the script that ran last; 0 once its caller has acted on it */
hidden byte n, i, live;
#define TO(label) word = 0; goto label

#ifdef CLIENT
#define EVENTS 10    /* more than a run can log */
bit subscribed, cut;
chan published = [EVENTS] of { byte };
#endif

#include "keys.pml"
#include "inbox.pml"
#include "turns.pml"

mtype:phase phase[HOLDERS] = RUNNING;
bit crashed[HOLDERS];
byte expiries = EXPIRIES, crashes = CRASHES, lost_rings = LOST_RINGS, bad_wakes = BAD_WAKES;
byte late_wakes = LATE_WAKES, lost_replies = LOST_REPLIES, drains = DRAINS, deltas = DELTAS;
byte pauses = PAUSES, touches = TOUCHES, two_locks = TWO_LOCKS;

#include "worker.pml"

#define NO_RING (queue + my_ring[0] + my_ring[1] == 0)
#ifndef NO_SWEEP
proctype sweep() {
end:
  do
  :: d_step { pending && (inbox_len == 0 || NO_RING && !LIVE && !paused) -> pending_sweep() }
  :: d_step { listed && !LIVE && (token == 0 || inbox_len == 0 || LOOKS_AT_WORK) -> held_sweep() }
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
       :: late_wakes > 0 && m > seen && LIVE && !batch ->
         late_wakes--;
         if
         :: d_step { inbox_append(m, LATE) }
         :: d_step { inbox_append(m, DOUBLED) }
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

#if LATE_WAKES > 0
inline deliver(m) {
  hear(wire_to[m - 1] - 1, wire_turn[m - 1], wire_follows[m - 1], m);
  wire_to[m - 1] = 0; wire_turn[m - 1] = 0; wire_follows[m - 1] = 0
}

proctype wire() {
end:
  do
  :: d_step { wire_to[0] != 0 -> deliver(1) }
#if M > 1
  :: d_step { wire_to[1] != 0 -> deliver(2) }
#endif
#if M > 2
  :: d_step { wire_to[2] != 0 -> deliver(3) }
#endif
  od
}
#endif

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
  :: d_step { lost_rings > 0 && queue != 0 -> lost_rings--; queue = 0; tells = 0 }
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

/* Pauses and resumes it. */
proctype pauser() {
end:
  do
  :: d_step { pauses > 0 && !paused && seen > 0 -> pauses--; session_pause(true) }
  :: d_step { paused -> session_pause(false) }
  od
}

/* Attaches to it, at any moment after its first message. */
proctype reader() {
end:
  do
  :: d_step { touches > 0 && seen > 0 -> touches--; session_touch() }
  od
}

#ifdef CLIENT
#include "client.pml"
#endif

/* No session with work has an expiry (C4). When nothing moves any more, nothing waits either, the client has
 * seen it all, and a session that nobody holds has an expiry. */
proctype watch() {
end:
  if
  :: d_step { expiry && inbox_len > 0 -> assert(!(expiry && inbox_len > 0)) }
  :: timeout ->
    assert(done == M);
    assert(expiry || token != 0 && held[OWNER(token)]);
#ifdef CLIENT
    assert(got == cursor)
#endif
  fi
}

init {
  atomic {
    run worker(0); run worker(1); run sender(); run time(); run watch();
#ifndef NO_SWEEP
    run sweep();
#endif
#if EXPIRIES + CRASHES + LOST_RINGS > 0
    run faults();
#endif
#if LATE_WAKES > 0
    run wire();
#endif
#if PAUSES > 0
    run pauser();
#endif
#if TOUCHES > 0
    run reader();
#endif
#if DRAINS > 0
    run operator();
#endif
#ifdef CLIENT
    run client();
#endif
  }
}

/* T7: every accepted message is executed in the end; then, when the lease was given up, nothing is kept for ever. */
#ifdef LONG_LINGER
ltl served { <> (done == M) }
#else
ltl served { <> (done == M && expiry) }
#endif
