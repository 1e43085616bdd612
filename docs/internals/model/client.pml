/* One client that attaches, detaches and resumes, and the feed of the node it is on: fan-out.ts with
 * one reader. Redis publishes what it logs; a channel that is cut brings nothing. */
#ifndef RESUMES
#define RESUMES 1
#endif
#ifndef CUTS
#define CUTS 0
#endif

byte got;                     /* the client's own cursor: the seq of the last event that it received */
byte resumes = RESUMES, cuts = CUTS;
chan socket = [EVENTS] of { byte };

inline take(to) {
  at = to;
  socket!at
}

/* Feed.repair: reads the log behind the feed's position. */
inline repair() {
  do
  :: position < cursor ->
    position++;
    if
    :: is_live && at < position -> take(position)
    :: else
    fi
  :: else -> break
  od
}

inline offer(s) {
  if
#ifndef NO_SEAM
  :: s <= position
#endif
  :: s > position + 1 -> repair()
  :: else ->
    position = s;
    if
#ifdef NO_SEAM
    :: is_live -> take(s)
#else
    :: is_live && at < s -> take(s)
#endif
    :: else
    fi
  fi
}

proctype client() {
  byte at, position, heard_early, head, page, s;
  bit is_live;

hello: /* since = got: subscribe first, then ask where the log stands */
#ifdef READ_FIRST
  head = cursor;
  subscribed = 1;
#else
  subscribed = 1;
  do
  :: atomic { published?s -> heard_early = s }
  :: head = cursor; break
  od;
#endif
  atomic {
    d_step {
    at = got;
    position = head;
    if
    :: heard_early > head -> repair()
    :: else
    fi;
    heard_early = 0;
    s = 0
    }
  }

end_attached:
  do
  :: d_step { published?s -> offer(s); s = 0 }
  :: d_step { !is_live && page == 0 && at >= head && at >= position -> is_live = 1 }
  :: d_step { !is_live && page == 0 && (at < head || at < position) -> page = cursor } /* asked */
  :: d_step { page != 0 ->                                                          /* answered */
       do
       :: at < page -> take(at + 1)
       :: else -> break
       od;
       page = 0
     }
  :: d_step { cuts > 0 && !cut -> cuts--; cut = 1 }
  :: d_step { cut -> repair(); cut = 0 } /* the channel is back: onReconnect */
  :: d_step { socket?s ->
       assert(s == got + 1); /* E3: dense, in order, without double */
       got = s;
       s = 0
     }
  :: atomic { resumes > 0 -> /* the socket breaks; what it held is lost */
       resumes--;
       d_step {
         subscribed = 0;
         is_live = 0;
         page = 0;
         head = 0;
         do
         :: nempty(published) -> published?s
         :: nempty(socket) -> socket?s
         :: empty(published) && empty(socket) -> break
         od;
         s = 0
       }
       goto hello
     }
  od
}
