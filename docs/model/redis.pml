/* One session in Redis. Each inline in a d_step is one script of packages/store/scripts and bears
 * its name: noun_verb for noun-verb.lua. What scripts only compare for equality (tokens, fences,
 * turn ids, ring numbers) is drawn as the smallest value that nobody has any more; 0 is a missing field. */

/* ---- the keys of the session: state, inbox, events, lease, pending ---- */
byte token;          /* state.token; state.holder is set and cleared with it                       */
byte fence;          /* state.fence                                                                */
bit  until_ahead;    /* state.lease_until > TIME                                                   */
bit  batch;          /* a head was started; one message here, no `collect`                         */
byte turn_id;        /* state.turn_id                                                              */
byte last_turn;      /* state.last_turn                                                            */
byte ring_mark;      /* state.ring_mark                                                            */
byte inbox[M];       /* list of message ids                                                        */
byte inbox_len;
byte seen;           /* ids 1..seen were accepted: the sender numbers its messages                  */
byte cursor;         /* state.cursor: seq of the newest event                                      */
byte lock;           /* the Redlock key: a token                                                   */
bit  pending;        /* the session is a member of `pending`: the sweep will look at it            */

/* ---- BullMQ: the numbers of the rings that wait, as a set of bits ---- */
byte queue;

/* ---- what each holder presents, and what it is told ---- */
byte my_token[HOLDERS], my_fence[HOLDERS], my_turn[HOLDERS], my_ring[HOLDERS];
byte next_turn[HOLDERS];
byte work[HOLDERS];  /* the message whose turn it runs                                             */
bit  held[HOLDERS];  /* it believes that it has the lease and renews it                            */
bit  woken[HOLDERS]; /* a wake was heard                                                           */

/* ---- what the checker alone knows ---- */
byte executing;      /* 1 + the holder whose lease is the newest and was not given up              */
byte outcomes[M];    /* outcomes of each message                                                   */
byte done;           /* messages with an outcome; the newest one's id                              */

#define LIVE      (token != 0 && until_ahead)
#define OWNER(t)  (((t) - 1) / 2)
#define BIT(n)    (1 << (n))
#ifdef NO_FENCE
#define FENCED(h) false
#else
#define FENCED(h) (token != my_token[h] || fence != my_fence[h])  /* include/fence.lua */
#endif
#ifdef NO_TURN_CHECK
#define OTHER_TURN(h) false
#else
#define OTHER_TURN(h) (turn_id != my_turn[h])
#endif

/* A write went through: by whoever is the holder, or the fence has failed (L3). */
#ifdef ONLY_OUTCOMES
#define WRITTEN_BY(h) skip
#else
#define WRITTEN_BY(h) assert(executing == h + 1)
#endif

/* include/log.lua: the next seq, in the log and on the channel. */
inline log_append() {
  cursor++;
#ifdef CLIENT
  if
  :: subscribed && !cut -> assert(nfull(published)); published!cursor
  :: else
  fi
#endif
}

inline fresh_ring(n) {
  n = 1;
  do
  :: (queue & BIT(n)) || ring_mark == n || my_ring[0] == n || my_ring[1] == n -> n++
  :: else -> break
  od;
  assert(n < 8)
}

inline fresh_turn(n) {
  n = 1;
  do
  :: turn_id == n || last_turn == n || my_turn[0] == n || my_turn[1] == n || next_turn[0] == n ||
     next_turn[1] == n -> n++
  :: else -> break
  od
}

/* max(last + 1, TIME): above every fence drawn before, so equal to none that is still presented. */
inline fresh_fence(n) {
  n = 1;
  do
  :: fence == n || my_fence[0] == n || my_fence[1] == n -> n++
  :: else -> break
  od
}

/* Draws a number, marks it, and rings: a ring not yet added is one not yet delivered. */
inline draw_and_ring() {
  fresh_ring(n);
  ring_mark = n;
  queue = queue | BIT(n);
  n = 0;
  pending = 1
}

/* `wake`: HEARD | MISSED (counted by PUBLISH, never read) | DEAF (PUBLISH answers 0) */
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
    live = LIVE;
    if
    :: live && !batch ->
      if
      :: wake == DEAF -> /* nobody listens: the lease is given up in the holder's place */
        token = 0;
        lock = 0;
        executing = 0;
        live = 0
      :: else ->
        pending = 1;
        if
        :: wake == HEARD && held[OWNER(token)] -> woken[OWNER(token)] = 1
        :: else
        fi
      fi
    :: else
    fi;
    if
    :: !live && ring_mark != 0 -> pending = 1
    :: !live && ring_mark == 0 -> draw_and_ring()
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
  :: else -> my_fence[h] = fence; word = FREE
  fi
}

inline ring_draw() {
  if
  :: inbox_len == 0
  :: else -> draw_and_ring()
  fi
}

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
    :: else ->
      if
      :: token != my_token[h] ->
        fresh_fence(n);
        fence = n;
        my_fence[h] = fence;
        executing = h + 1
      :: else -> WRITTEN_BY(h)
      fi;
      token = my_token[h];
      until_ahead = 1;
      fresh_turn(n);
      my_turn[h] = n;
      turn_id = n;
      n = 0;
      if
      :: batch -> log_append() /* retry_stream: what was streamed before is void */
      :: else
      fi;
      batch = 1;
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
  :: else -> WRITTEN_BY(h); log_append(); word = APPENDED
  fi
}

inline lease_renew(h) {
  if
  :: FENCED(h) -> word = REFUSED
  :: else -> WRITTEN_BY(h); until_ahead = 1; word = RENEWED
  fi
}

inline turn_commit(h, fetch) {
  if
  :: FENCED(h) -> word = REFUSED
  :: !FENCED(h) && last_turn != my_turn[h] && (OTHER_TURN(h) || !batch) -> word = REFUSED
  :: else ->
    if
    :: last_turn == my_turn[h] -> /* its reply was lost: answered as the first time */
      word = (inbox_len == 0 -> IDLE : (turn_id == next_turn[h] -> NEXT : MORE))
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
      batch = 0;
      turn_id = 0;
      if
      :: inbox_len == 0 -> pending = 0; ring_mark = 0; word = IDLE
      :: inbox_len > 0 && fetch -> batch = 1; turn_id = next_turn[h]; word = NEXT
      :: else -> word = MORE
      fi
    fi;
    if
    :: word == NEXT -> work[h] = inbox[0]
    :: else
    fi
  fi
}

inline turn_release(h, how) {
  if
  :: FENCED(h) -> word = REFUSED
#ifndef NO_INBOX_LOOK
  :: !FENCED(h) && inbox_len > 0 && how == AS_IDLE -> word = MORE
#endif
  :: else ->
    WRITTEN_BY(h);
    token = 0;
    until_ahead = 0;
    executing = 0;
    if
    :: lock == my_token[h] -> lock = 0
    :: else
    fi;
    word = RELEASED;
    if
    :: inbox_len > 0 && how != AS_IDLE ->
      if
      :: how == FORCE && batch -> log_append() /* SESSION_END */
      :: else
      fi;
      draw_and_ring()
    :: else
    fi
  fi
}

inline pending_sweep() {
  if
  :: inbox_len == 0 -> pending = 0
  :: inbox_len > 0 && LIVE /* the score becomes lease_until */
  :: else -> draw_and_ring()
  fi
}
