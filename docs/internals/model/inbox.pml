/* The scripts that need no lease. Each inline in a d_step is one script of packages/store/scripts and bears
 * its name: noun_verb for noun-verb.lua. */

/* A holder hears a wake, on time or not, and keeps it until it has nothing else to do. */
inline hear(h, t, follows, m) {
  if
  :: !held[h]
  :: else ->
    woken[h] = 1;
    woken_turn[h] = t;
    woken_follows[h] = (t != 0 -> follows : 0);
    woken_message[h] = (t != 0 -> m : 0)
  fi
}

/* Somebody holds it, has run a turn, and nothing waits but this message. */
#define LINGERS (token != 0 && last_turn != 0 && !batch && inbox_len == 1)
#ifdef BEGIN_WHEN_OVER
#define MAY_BEGIN (LINGERS && !paused)
#else
#ifdef BEGIN_WHEN_PAUSED
#define MAY_BEGIN (LINGERS && LIVE)
#else
#define MAY_BEGIN (LINGERS && LIVE && !paused)
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
    if
    :: token != 0              /* none is set under a token */
    :: else -> expiry = 0
    fi;
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
      if
      :: due                   /* listed until the sweep looks: nothing to write */
      :: else -> due_set()
      fi;
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
    :: live
    :: else ->
      due = 0;
      pending = 1;
      if
      :: ring_mark == 0 && !paused ->
        draw_and_ring();
        if
        :: batch
        :: else -> tells = tells | BIT(ring_mark)
        fi
      :: else
      fi
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
  :: inbox_len == 0 -> drop_ring(h); word = NONE
  :: inbox_len > 0 && LIVE -> drop_ring(h); due_set(); word = HELD
  :: inbox_len > 0 && !LIVE && paused -> drop_ring(h); word = PAUSED
  :: else -> my_fence[h] = fence; word = FREE
  fi
}

inline ring_draw() {
  if
  :: inbox_len == 0 || paused
  :: else -> due_set(); draw_and_ring()
  fi
}

/* P1; a live holder finds it resumed when it gives the lease up, or is told at its next renewal. */
inline session_pause(on) {
  paused = on;
  if
  :: !paused && inbox_len > 0 && !LIVE -> due_set(); draw_and_ring()
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
  :: inbox_len == 0 && token != 0 /* the sweep sets it when the holder is gone */
#endif
  :: else -> expiry = 1
  fi
}

/* It is the only one that strikes off. What it looks at is due: `due` says nothing any more, though it stands there. */
inline pending_sweep() {
#ifndef DUE_STAYS
  due = 0;
#endif
  if
  :: inbox_len == 0 -> pending = 0
  :: inbox_len > 0 && (LIVE || paused) /* looked at again later */
  :: else -> draw_and_ring()
  fi
}

/* include/sweep-lists.lua: the holders. A session is looked at as long as a token stands in its state: a
 * holder that was only slow may go on, and nothing but this finds its session should it die then. One with
 * work is listed in `pending` again: a clock that was set back may have struck it off. */
#ifdef UNLIST_WITH_WORK
#define LOOKS_AT_WORK true
#else
#ifdef NO_NET
#define LOOKS_AT_WORK false
#else
#define LOOKS_AT_WORK (!pending)
#endif
#endif
inline held_sweep() {
  if
  :: token == 0 ->
    listed = 0;
#ifndef NO_NET
    if
    :: inbox_len > 0 -> pending = 1
    :: else
    fi;
#endif
    skip
  :: token != 0 && LIVE /* the score becomes lease_until */
  :: token != 0 && !LIVE && inbox_len > 0 -> /* looked at again later */
#ifdef UNLIST_WITH_WORK
    listed = 0;
#endif
#ifndef NO_NET
    pending = 1;
#endif
    skip
  :: token != 0 && !LIVE && inbox_len == 0 ->
    lease_forget();
    listed = 0;
    expiry = 1
  fi
}
