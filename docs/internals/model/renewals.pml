/* Renewals of two idle leases in one call: leases-renew.lua, its holder A, and B, who takes what is over.
 * Here time counts: a lease ends TTL ticks after the script that wrote it, and A judges its own by the
 * moment before it sent a batch. A token and its fence are one number here. */
#define TTL 2
#define END 5            /* ticks that are looked at */
#define LEASES 2
#ifndef BATCHES
#define BATCHES 2
#endif
#ifndef TAKES
#define TAKES 2          /* how often a lease is taken by another, or again */
#endif
#ifndef LOST_LOCKS
#define LOST_LOCKS 1     /* Redlock keys that Redis loses */
#endif

mtype:answer = { ABSENT, RENEWED, REFUSED, KEPT }; /* KEPT: its Redlock is not A's, nothing was prolonged */

byte now;
byte fence[LEASES], until[LEASES];              /* the states: 0 is no holder */
byte lock[LEASES], lock_until[LEASES];          /* the Redlock keys: the fence of whose they are */
byte drawn;
byte a_fence[LEASES], a_deadline[LEASES];       /* what A believes */
byte b_fence[LEASES];                           /* B has its Redlock, and asks for the lease */
byte batches = BATCHES, takes = TAKES, lost_locks = LOST_LOCKS;
/* The fence of each entry, 0 for none; when it was sent; with a quorum: which Redlocks a majority has extended. */
chan calls = [2] of { byte, byte, byte, byte };
#ifdef QUORUM
/* A has asked the members, and sends the call next: for which fences, since when, and what they said. */
bit asks;
byte q_fence[LEASES], q_sent, q_locked;
byte newest[LEASES], b_newest;                  /* state.fence, which stays; what B's peek found */
#endif
chan answers = [2] of { byte, byte, mtype:answer, mtype:answer, byte };

#define OVER(e)      (fence[e] == 0 || until[e] <= now)
#define UNLOCKED(e)  (lock[e] == 0 || lock_until[e] <= now)
#define TRUSTED(e)   (a_fence[e] != 0 && now < a_deadline[e])

inline take(e, f) {
#ifdef QUORUM
  newest[e] = f;
#endif
  fence[e] = f; until[e] = now + TTL
}

#ifdef QUORUM
/* quorum/locks-extend.lua at a majority. What was lost is set again, and counts from the next time on. */
inline ask_members(e) {
  q_fence[e] = a_fence[e];
  if
  :: a_fence[e] != 0 && lock[e] == a_fence[e] && lock_until[e] > now ->
    lock_until[e] = now + TTL;
    q_locked = q_locked | (1 << e)
  :: a_fence[e] != 0 && UNLOCKED(e) -> lock[e] = a_fence[e]; lock_until[e] = now + TTL
  :: else
  fi
}
#endif

inline claim(e, f) {
  takes--;
  drawn++;
  f = drawn;
  lock[e] = f; lock_until[e] = now + TTL
}

/* One entry of leases-renew. */
inline entry_renew(e, f, answer) {
  if
  :: f == 0 || stopped -> answer = ABSENT
#ifdef NO_ENTRY_FENCE
  :: f != 0 && !stopped && fence[e] == 0 -> answer = REFUSED
#else
  :: f != 0 && !stopped && fence[e] != f -> answer = REFUSED
#ifdef STOP_AT_REFUSED
    stopped = 1
#endif
#endif
#ifdef EXTEND_ANY
  :: else ->
#else
#ifdef QUORUM
  :: f != 0 && !stopped && fence[e] == f && !(locked & (1 << e)) -> answer = KEPT /* the entry says so */
#else
  :: f != 0 && !stopped && fence[e] == f && (lock[e] != f || lock_until[e] <= now) -> answer = KEPT
#endif
  :: else ->
#endif
    assert(fence[e] == f);                      /* L3: no lease that has passed on */
#ifndef QUORUM
    assert(lock[e] == f && lock_until[e] > now); /* and no Redlock of another */
    lock_until[e] = now + TTL;
#endif
    until[e] = now + TTL;
    answer = RENEWED
  fi
}

proctype redis() {
  byte f0, f1, sent, locked;
  mtype:answer r0, r1;
  bit stopped;
end:
  do
  :: atomic {
       calls?f0,f1,sent,locked ->
       d_step {
         entry_renew(0, f0, r0);
         entry_renew(1, f1, r1);
         assert(f1 == 0 || r1 != ABSENT);       /* a refused entry harms no other */
       }
       answers!f0,f1,r0,r1,sent;
       f0 = 0; f1 = 0; sent = 0; locked = 0; r0 = 0; r1 = 0; stopped = 0
     }
  od
}

inline told(e, f, answer, sent) {
  if
#ifdef BY_ID
  :: f == 0 || a_fence[e] == 0
#else
  :: f == 0 || a_fence[e] != f                  /* given up since, maybe taken again */
#endif
  :: else ->
    if
    :: answer == REFUSED ->
      assert(fence[e] != a_fence[e]);           /* no lease is given up that is still its own */
      a_fence[e] = 0; a_deadline[e] = 0
#ifdef FROM_ANSWER
    :: answer == RENEWED -> a_deadline[e] = now + TTL
#else
    :: answer == RENEWED && sent + TTL > a_deadline[e] -> a_deadline[e] = sent + TTL
#endif
    :: else
    fi
  fi
}

/* Takes a lease that is over, loses it by its own clock, or gives it up. */
inline own(e) {
  if
  :: a_fence[e] != 0 && a_deadline[e] <= now -> a_fence[e] = 0; a_deadline[e] = 0
  :: a_fence[e] != 0 && a_deadline[e] > now && takes > 0 -> /* release idle */
    if
    :: fence[e] == a_fence[e] -> fence[e] = 0; until[e] = 0
    :: else
    fi;
    if
    :: lock[e] == a_fence[e] -> lock[e] = 0; lock_until[e] = 0
    :: else
    fi;
    a_fence[e] = 0; a_deadline[e] = 0
  :: a_fence[e] == 0 && takes > 0 && OVER(e) && UNLOCKED(e) ->
    claim(e, a_fence[e]);
    take(e, a_fence[e]);
    a_deadline[e] = now + TTL
  fi
}

proctype holder() {
  byte f0, f1, sent;
  mtype:answer r0, r1;
end:
  do
#ifdef QUORUM
  :: d_step { batches > 0 && !asks && a_fence[0] + a_fence[1] > 0 ->
       batches--; asks = 1; q_sent = now; ask_members(0); ask_members(1) }
  :: d_step { asks && nfull(calls) && nfull(answers) ->
       calls!q_fence[0],q_fence[1],q_sent,q_locked;
       asks = 0; q_fence[0] = 0; q_fence[1] = 0; q_sent = 0; q_locked = 0 }
#else
  :: d_step { batches > 0 && nfull(calls) && nfull(answers) && a_fence[0] + a_fence[1] > 0 ->
       batches--; calls!a_fence[0],a_fence[1],now,0 }
#endif
  :: atomic { answers?f0,f1,r0,r1,sent ->
       d_step { told(0, f0, r0, sent); told(1, f1, r1, sent); f0 = 0; f1 = 0; r0 = 0; r1 = 0; sent = 0 } }
  :: d_step { own(0) }
  :: d_step { a_fence[1] != 0 && a_deadline[1] <= now -> a_fence[1] = 0; a_deadline[1] = 0 }
  od
}

inline answer_ring(e) {
  if
#ifdef QUORUM
#ifdef NO_TIME
  :: newest[e] == b_newest -> take(e, b_fence[e])
#else
  :: OVER(e) && newest[e] == b_newest -> take(e, b_fence[e])  /* turn-begin does not look at the Redlock */
#endif
#else
  :: OVER(e) && lock[e] == b_fence[e] && lock_until[e] > now -> take(e, b_fence[e])
#endif
  :: else ->
    if
    :: lock[e] == b_fence[e] -> lock[e] = 0; lock_until[e] = 0
    :: else
    fi
  fi;
  b_fence[e] = 0
}

/* B: Redlock, then turn-begin, which looks at the state; then it holds the lease until it is over. */
proctype other() {
end:
  do
#ifdef QUORUM
  :: d_step { takes > 0 && b_fence[0] == 0 && UNLOCKED(0) -> b_newest = newest[0]; claim(0, b_fence[0]) }
#else
  :: d_step { takes > 0 && b_fence[0] == 0 && UNLOCKED(0) -> claim(0, b_fence[0]) }
#endif
  :: d_step { b_fence[0] != 0 -> answer_ring(0) }
  od
}
proctype clock() {
end:
  do
  :: d_step { now < END -> now++ }
  :: d_step { lost_locks > 0 && lock[0] != 0 -> lost_locks--; lock[0] = 0; lock_until[0] = 0 }
  od
}

/* L4: while A trusts a lease it is its own, and no other may take it. */
proctype watch() {
end:
  d_step {
    (TRUSTED(0) && (fence[0] != a_fence[0] || until[0] <= now)) ||
    (TRUSTED(1) && (fence[1] != a_fence[1] || until[1] <= now)) ->
    assert(!TRUSTED(0) || fence[0] == a_fence[0] && until[0] > now);
    assert(!TRUSTED(1) || fence[1] == a_fence[1] && until[1] > now)
  }
}

init {
  d_step {
    drawn = 2;
    a_fence[0] = 1; fence[0] = 1; lock[0] = 1; until[0] = TTL; lock_until[0] = TTL; a_deadline[0] = TTL;
    a_fence[1] = 2; fence[1] = 2; lock[1] = 2; until[1] = TTL; lock_until[1] = TTL; a_deadline[1] = TTL
  }
#ifdef QUORUM
  d_step { newest[0] = 1; newest[1] = 2 }
#endif
  atomic { run redis(); run holder(); run other(); run clock(); run watch() }
}
