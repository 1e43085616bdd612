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
    :: inbox_len > 0 && token == my_token[h] && batch && !OLD(h) ->
      WRITTEN_BY(h);
      my_turn[h] = turn_id;
      work[h] = inbox[0];
      word = BEGUN
    :: inbox_len > 0 && !(token == my_token[h] && batch && !OLD(h)) && paused -> word = PAUSED
    :: else ->
      if
      :: token != my_token[h] ->
        fresh_fence(n);
        fence = n;
        my_fence[h] = fence;
        executing = h + 1;
        if
        :: OLD(h)
#ifdef NOT_LISTED
        :: else -> begins = fence
#else
        :: else -> begins = fence; listed = 1
#endif
        fi
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
      pending = 1;
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
    word = (inbox_len > 0 && !OLD(h) -> WAITS : RENEWED) /* turn_begin says what, and whether it was begun */
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
        pending = 0;
        ring_mark = 0;
        if
        :: OLD(h) -> expiry = 1
        :: else                 /* set when the lease is given up */
        fi;
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

/* `AS_IDLE` answers MORE while something waits that may begin, or has. A turn that its message began and that
 * was not run is as if not begun. */
inline turn_release(h, how) {
  if
  :: FENCED(h) -> word = REFUSED
#ifndef NO_INBOX_LOOK
  :: !FENCED(h) && inbox_len > 0 && how == AS_IDLE && !paused -> word = MORE
#endif
  :: else ->
    WRITTEN_BY(h);
    lease_forget();
    given_up = 1;
    listed = 0;
    if
    :: lock == my_token[h] -> lock = 0
    :: else
    fi;
    word = RELEASED;
    if
#ifdef UNBEGIN_STREAMED
    :: batch -> head_forget()
#else
    :: batch && how == FORCE ->
      log_append();             /* SESSION_END */
      handed = 1;
      starts = starts - asked;
      asked = 0
    :: batch && how != FORCE && delta -> handed = 1
#ifndef IDLE_LEAVES_HEAD
    :: batch && how != FORCE && !delta -> head_forget()
#endif
#endif
    :: else
    fi;
    if
    :: inbox_len == 0 -> expiry = 1
    :: inbox_len > 0 && paused -> pending = 1
    :: inbox_len > 0 && !paused && how != AS_IDLE -> draw_and_ring()
    :: else
    fi
  fi
}
