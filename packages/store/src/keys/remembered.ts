/** Most names whose values are kept; about 4 MB if these are the keys of sessions. */
const NAMES_MAX = 2_000;

/** Remembers what `make` returned for a name; forgets all names when there are too many. */
export function remembered<V>(make: (name: string) => V): (name: string) => V {
  const known = new Map<string, V>();
  return (name) => {
    const before = known.get(name);
    if (before !== undefined) return before;
    if (known.size >= NAMES_MAX) known.clear();
    const made = make(name);
    known.set(name, made);
    return made;
  };
}
