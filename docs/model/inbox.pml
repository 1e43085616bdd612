/* The scripts that need no lease. Each inline in a d_step is one script of packages/store/scripts and bears
 * its name: noun_verb for noun-verb.lua. */

/* A holder hears a wake, on time or not, and keeps it until it has nothing else to do. */
inline hear(h, t, follows, m) {
  if
  :: !held[h] || OLD(h) && t != 0
  :: else ->
    woken[h] = 1;
    woken_turn[h] = t;
    woken_follows[h] = (t != 0 -> follows : 0);
    woken_message[h] = (t != 0 -> m : 0)
  fi
}

#ifdef UNBOUND_BEGINS
#define TAKES (begins != 0)
#else
#define TAKES (begins != 0 && begins == fence)
#endif
#ifdef BEGIN_WHEN_OVER
#define MAY_BEGIN (!batch && inbox_len == 1 && TAKES && !paused)
#else
#ifdef BEGIN_WHEN_PAUSED
#define MAY_BEGIN (!batch && inbox_len == 1 && TAKES && LIVE)
#else
#define MAY_BEGIN (!batch && inbox_len == 1 && TAKES && LIVE && !paused)
#endif
#endif

/* `wake`: HEARD | MISSED (counted by PUBLISH, never read) | DEAF (PUBLISH answers 0) | LATE | DOUBLED (heard,
 * and later once more) */
inline inbox_append(m, wake) {
  if
  :: m <= seen -> /* duplicate: the ring that is on its way is added once more */
    if
    :: m > done && !LIVE && ring_mark != 0 -> queue = queue | BIT(ring_mark)
    :: else
    fi
  :: else ->
    inbox[inbox_len] = m;
    inbox_len++;
    seen = m;
    log_append();
#ifdef NO_EXPIRY_LOOK
    if
    :: LIVE
    :: else -> expiry = 0
    fi;
#else
    expiry = 0;
#endif
    live = LIVE;
    if
    :: live && !batch && wake == DEAF -> /* nobody listens: the lease is given up in the holder's place */
      lease_forget();
      lock = 0;
      live = 0
    :: (live || MAY_BEGIN) && !batch && wake != DEAF ->
      if
      :: MAY_BEGIN ->
        assert(LIVE);
        fresh_turn(n);
        head_start(n);
        n = 0
      :: else
      fi;
      pending = 1;
      if
      :: wake == HEARD || wake == DOUBLED -> hear(OWNER(token), turn_id, last_turn, m)
      :: else
      fi;
#if LATE_WAKES > 0
      if
      :: wake == LATE || wake == DOUBLED ->
        wire_to[m - 1] = OWNER(token) + 1;
        wire_turn[m - 1] = turn_id;
        wire_follows[m - 1] = (turn_id != 0 -> last_turn : 0)
      :: else
      fi
#endif
    :: else
    fi;
    if
    :: !live && ring_mark != 0 -> pending = 1
    :: !live && ring_mark == 0 && paused -> pending = 1
    :: !live && ring_mark == 0 && !paused -> draw_and_ring()
    :: else
    fi;
    live = 0
  fi
}

inline drop_ring(h) {
  if
  :: ring_mark == my_ring[h] -> ring_mark = 0
  :: else
  fi
}

inline session_peek(h) {
  if
  :: inbox_len == 0 -> drop_ring(h); pending = 0; word = NONE
  :: inbox_len > 0 && LIVE -> drop_ring(h); pending = 1; word = HELD
  :: inbox_len > 0 && !LIVE && paused -> drop_ring(h); word = PAUSED
  :: else -> my_fence[h] = fence; word = FREE
  fi
}

inline ring_draw() {
  if
  :: inbox_len == 0 || paused
  :: else -> draw_and_ring()
  fi
}

/* P1; a live holder finds it resumed when it gives the lease up, or is told at its next renewal. */
inline session_pause(on) {
  paused = on;
  if
  :: !paused && inbox_len > 0 && !LIVE -> draw_and_ring()
  :: else
  fi
}

/* An attach, or an attached client: an idle session is kept for one more window. */
inline session_touch() {
  if
  :: inbox_len > 0
#ifdef TOUCH_BY_TIME
  :: inbox_len == 0 && LIVE
#else
#ifndef OLD_NODE
  :: inbox_len == 0 && token != 0 /* the sweep sets it when the holder is gone */
#endif
#endif
  :: else -> expiry = 1
  fi
}

inline pending_sweep() {
  if
  :: inbox_len == 0 -> pending = 0
  :: inbox_len > 0 && (LIVE || paused) /* looked at again later */
  :: else -> draw_and_ring()
  fi
}

/* include/sweep-lists.lua: the holders. A session is looked at as long as a token stands in its state: a
 * holder that was only slow may go on, and nothing but this finds its session should it die then. */
inline held_sweep() {
  if
  :: token == 0 -> listed = 0
  :: token != 0 && LIVE /* the score becomes lease_until */
  :: token != 0 && !LIVE && inbox_len > 0 /* looked at again later */
#ifdef UNLIST_WITH_WORK
    -> listed = 0
#endif
  :: token != 0 && !LIVE && inbox_len == 0 ->
    lease_forget();
    listed = 0;
    expiry = 1
  fi
}
