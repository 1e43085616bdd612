/* The scripts of a holder, each under its own name as in inbox.pml. */

/* Under its own token a holder gets a head that was begun in its name as it is: no other attempt. */
inline turn_begin(h) {
  if
  :: fence != my_fence[h] -> word = REFUSED
  :: fence == my_fence[h] && token != my_token[h] && LIVE -> word = REFUSED
#ifndef QUORUM
  :: fence == my_fence[h] && !(token != my_token[h] && LIVE) && lock != my_token[h] -> word = REFUSED
#endif
  :: else ->
    if
    :: inbox_len == 0 -> word = EMPTY
    :: inbox_len > 0 && token == my_token[h] && batch ->
      WRITTEN_BY(h);
      my_turn[h] = turn_id;
      work[h] = inbox[0];
      word = BEGUN
    :: inbox_len > 0 && !(token == my_token[h] && batch) && paused -> word = PAUSED
    :: else ->
      if
      :: token != my_token[h] ->
        fresh_fence(n);
        fence = n;
        my_fence[h] = fence;
#ifndef NOT_LISTED
        listed = 1;
#endif
        executing = h + 1
      :: else -> WRITTEN_BY(h)
      fi;
      fresh_turn(n);
      my_turn[h] = n;
      if
      :: batch ->
        log_append();           /* retry_stream: what was streamed before is void */
        delta = 0;
        turn_id = n;
        asked = 0;
        if
        :: handed -> handed = 0
        :: else ->              /* its holder died: one more attempt (T3) */
          assert(!given_up && token != my_token[h]);
          attempt++
        fi
      :: else -> head_start(n)
      fi;
      n = 0;
      token = my_token[h];
      given_up = 0;
      until_ahead = 1;
      drop_ring(h);
      due_set();
      work[h] = inbox[0];
      word = BEGUN
    fi
  fi
}

inline events_append(h) {
  if
  :: FENCED(h) || OTHER_TURN(h) -> word = REFUSED
  :: else -> WRITTEN_BY(h); log_append(); delta = 1; word = APPENDED
  fi
}

/* One entry of leases_renew; what a refused one does to others is in renewals.pml. */
inline lease_renew(h) {
  if
  :: FENCED(h) -> word = REFUSED
  :: else ->
    WRITTEN_BY(h);
    until_ahead = 1;
#ifdef NO_TELL
    word = RENEWED
#else
    word = (inbox_len > 0 -> WAITS : RENEWED) /* turn_begin says what, and whether it was begun */
#endif
  fi
}

#ifdef REPEAT_IDLE
#define REPEATED(h) (inbox_len == 0 || (batch && turn_id != next_turn[h]) -> IDLE : (batch -> NEXT : MORE))
#else
#define REPEATED(h) (inbox_len == 0 -> IDLE : (batch -> NEXT : MORE))
#endif
inline turn_commit(h, fetch) {
  if
  :: FENCED(h) -> word = REFUSED
  :: !FENCED(h) && last_turn != my_turn[h] && (OTHER_TURN(h) || !batch) -> word = REFUSED
  :: else ->
    if
    :: last_turn == my_turn[h] -> /* its reply was lost: the next turn may have begun since, either way */
      word = REPEATED(h)
    :: else ->
      WRITTEN_BY(h);
      outcomes[work[h] - 1]++;
      assert(outcomes[work[h] - 1] == 1);   /* S2: at most one outcome */
      assert(work[h] == inbox[0]);          /* and to the message that leaves the inbox with it */
      assert(work[h] == done + 1);          /* T1: in the order of acceptance */
      done = work[h];
      for (i : 1 .. M - 1) {
        inbox[i - 1] = inbox[i]
      }
      inbox[M - 1] = 0;
      i = 0;
      inbox_len--;
      log_append();
      last_turn = my_turn[h];
      delta = 0;
      head_forget();
      if
      :: inbox_len == 0 ->
#ifdef COMMIT_STRIKES_OFF
        pending = 0;
#endif
        ring_mark = 0;          /* an expiry is set when the lease is given up */
        word = IDLE
      :: inbox_len > 0 && fetch && !paused -> head_start(next_turn[h]); word = NEXT
      :: else -> word = MORE
      fi
    fi;
    assert(word != IDLE || inbox_len == 0);
    if
    :: word == NEXT -> next_turn[h] = turn_id; work[h] = inbox[0]
    :: else
    fi
  fi
}

/* The lease is given up by its holder. */
inline give_up(h) {
  WRITTEN_BY(h);
  lease_forget();
  given_up = 1;
#ifndef QUORUM                  /* with a quorum its holder does it, in a step of its own */
  if
  :: lock == my_token[h] -> lock = 0
  :: else
  fi;
#endif
  word = RELEASED
}

/* One entry: an idle lease, unless something waits, paused or not. */
#ifdef IDLE_WHEN_PAUSED
#define IN_THE_WAY (inbox_len > 0 && !paused)
#else
#ifdef NO_INBOX_LOOK
#define IN_THE_WAY false
#else
#define IN_THE_WAY (inbox_len > 0)
#endif
#endif
inline leases_release(h) {
  if
  :: FENCED(h) -> word = REFUSED
  :: !FENCED(h) && IN_THE_WAY -> word = MORE
  :: else ->
    give_up(h);
    listed = 0;
    if
    :: inbox_len == 0 -> expiry = 1
    :: else                     /* in mutations only */
    fi
  fi
}

/* A turn that its message began and that was not run is as if not begun. The sweep strikes the session off `held`. */
inline turn_release(h, how) {
  if
  :: FENCED(h) -> word = REFUSED
  :: else ->
    give_up(h);
    if
#ifdef UNBEGIN_STREAMED
    :: batch -> head_forget()
#else
    :: batch && how == FORCE ->
      log_append();             /* SESSION_END */
      handed = 1;
      starts = starts - asked;
      asked = 0
    :: batch && how == LOST ->  /* as FORCE, without SESSION_END */
      handed = 1;
      starts = starts - asked;
      asked = 0
    :: batch && how == YIELD && delta -> handed = 1
    :: batch && how == YIELD && !delta -> head_forget()
#endif
    :: else
    fi;
    if
    :: inbox_len == 0 -> expiry = 1
    :: inbox_len > 0 && paused -> due_set()
    :: else -> due_set(); draw_and_ring()
    fi
  fi
}
