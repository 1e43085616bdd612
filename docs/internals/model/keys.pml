/* One session in Redis, and what its holders know of it. What scripts only compare for equality
 * (tokens, fences, turn ids, ring numbers) is drawn as the smallest value that nobody has any more;
 * 0 is a missing field. */

/* ---- the keys of the session: state, inbox, events, lease, and two listings ---- */
byte token;          /* state.token; state.holder is set and cleared with it                       */
byte fence;          /* state.fence                                                                */
bit  until_ahead;    /* state.lease_until > TIME                                                   */
bit  batch;          /* a head was started; one message here, no `collect`                         */
byte turn_id;        /* state.turn_id                                                              */
byte attempt;        /* state.attempt                                                              */
bit  delta;          /* state.delta > 0: something of the started head was streamed                */
bit  handed;         /* state.handed: the next attempt is no new one                               */
byte last_turn;      /* state.last_turn                                                            */
byte ring_mark;      /* state.ring_mark                                                            */
bit  paused;         /* state.paused, or its agent's pause                                         */
byte inbox[M];       /* list of message ids                                                        */
byte inbox_len;
byte seen;           /* ids 1..seen were accepted: the sender numbers its messages                  */
byte cursor;         /* state.cursor: seq of the newest event                                      */
byte lock;           /* the Redlock key: a token                                                   */
bit  expiry;         /* the keys have an expiry                                                    */
bit  pending;        /* the session is a member of `pending`: the sweep will look at it            */
bit  due;            /* state.due > TIME: it was made a member, and the sweep has not looked since */
bit  listed;         /* and of `held`: the sweep will look at it, at the latest when the lease ends */

/* ---- BullMQ: the numbers of the rings that wait, as a set of bits ---- */
byte queue;
byte tells;               /* rings of the queue that tell what a peek would find */

/* ---- wakes that are still on their way, by message ---- */
#if LATE_WAKES > 0
byte wire_to[M];     /* 1 + the holder that it was published to                                    */
byte wire_turn[M], wire_follows[M];
#endif

/* ---- what each holder presents, and what it is told ---- */
byte my_token[HOLDERS], my_fence[HOLDERS], my_turn[HOLDERS], my_ring[HOLDERS];
byte next_turn[HOLDERS];
byte work[HOLDERS];  /* the message whose turn it runs                                             */
byte last[HOLDERS];  /* the turn that it committed last, under this lease                          */
bit  held[HOLDERS];  /* it believes that it has the lease and renews it                            */
/* The wake that it heard last: the turn that was begun in its name, if any, and which one that follows. */
bit  woken[HOLDERS];
byte woken_turn[HOLDERS], woken_follows[HOLDERS], woken_message[HOLDERS];

/* ---- what the checker alone knows ---- */
byte executing;      /* 1 + the holder whose lease is the newest and was not given up              */
bit  given_up;       /* that lease was released, by its holder                                     */
bit  asked;          /* the agent was asked for turn_id                                            */
byte starts;         /* how often it was asked for the head, less what was handed over             */
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
#if LATE_WAKES > 0
#define ON_WIRE(field, n) (field[0] == n || field[M / 2] == n || field[M - 1] == n)
#else
#define ON_WIRE(field, n) false
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
     next_turn[1] == n || last[0] == n || last[1] == n || woken_turn[0] == n || woken_turn[1] == n ||
     woken_follows[0] == n || woken_follows[1] == n || ON_WIRE(wire_turn, n) || ON_WIRE(wire_follows, n) -> n++
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
  n = 0
}

/* include/due.lua: the listing and the state move together; only the sweep strikes off. */
inline due_set() {
  pending = 1;
  due = 1
}

/* The first attempt of the head. */
inline head_start(t) {
  assert(!paused);              /* P1 */
  assert(!delta);               /* what was streamed before is void, and its readers were told so */
  batch = 1;
  turn_id = t;
  attempt = 1
}

/* It has its outcome, or its start is taken back. */
inline head_forget() {
  batch = 0;
  turn_id = 0;
  attempt = 0;
  handed = 0;
  asked = 0;
  starts = 0
}

/* The lease is over: whoever comes next draws a new fence. */
inline lease_forget() {
  token = 0;
  until_ahead = 0;
  executing = 0
}
